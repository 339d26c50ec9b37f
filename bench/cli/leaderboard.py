"""`leaderboard`: rank the losses from the records."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

import bench
from bench.cli.options import format_option, output_option, results_option, written_as
from bench.cli.voice import Verb, say

if TYPE_CHECKING:
    from rich.console import Console

    from bench.statistics.board import Leaderboard


@click.command(cls=Verb, short_help="Rank the losses from the records.")
@format_option(
    "md", "csv", "latex", "html", default=None,
    description="The output format.  [default: by the ending of --output, else table]",
)  # fmt: skip
@results_option
@output_option("A file, instead of the terminal.")
@click.pass_context
def leaderboard(context: click.Context, style: str | None, results: Path, output: Path | None) -> None:
    """Rank the losses: scores and ranks with intervals, the methods that may be the best, and each against nsgan.

    Only comparable records share a table: each protocol, norm and budget has its own. Methods with missing seeds are
    listed without a rank. A failed run scores 0. The formats csv and json have every number; the others have those
    that people read.
    """
    from bench.cli.reading import plainly, write_text
    from bench.cli.terminal import console
    from bench.report.formatting import plural
    from bench.report.publication import write_table

    chosen = written_as(style, output, "table")
    published = None
    if context.get_parameter_source("results") is ParameterSource.DEFAULT and not (results / "records").is_dir():
        published = published_tables()
    note = "" if published is None else _published_text(results, published)
    groups = _groups(published or results)
    several = len(groups) > 1
    boards = [replace(board, folder=folder.name if several else "") for folder, own in groups for board in own]
    if chosen == "table":
        if output is None:
            _print(groups, note, console())
            return
        text = plainly(lambda to: _print(groups, note, to))
    else:
        if note:
            say(note)
        text = write_table(boards, chosen, published or results)
    if output is None:
        click.echo(text, nl=False)
        return
    write_text(output, text)
    click.echo(f"{plural(len(boards), 'table')}: {output}")


def published_tables() -> Path | None:
    """Return the folder of the tables that this checkout publishes; None where the package was installed without it."""
    from bench.report.publication import FOLDER

    folder = Path(bench.__file__).resolve().parents[1] / FOLDER
    if not _with_records(folder):
        return None
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def _with_records(folder: Path) -> list[Path]:
    """Return the results folders within a folder, as results/published has them."""
    if not folder.is_dir():
        return []
    return sorted(child for child in folder.iterdir() if (child / "records").is_dir())


def _published_text(results: Path, published: Path) -> str:
    return (
        f"There are no records in {results} yet. These are the published tables in {published}, where a README says "
        "what each is about; make your own with: python -m bench run"
    )


def _groups(results: Path) -> "list[tuple[Path, list[Leaderboard]]]":
    """Return the tables of a results folder; of a folder of several, those of each by themselves."""
    from bench.cli.reading import read_kernels, read_leaderboards, read_records

    folders = [results] if (results / "records").is_dir() else _with_records(results) or [results]
    return [(folder, read_leaderboards(read_records(folder), read_kernels(folder))) for folder in folders]


def _print(groups: "list[tuple[Path, list[Leaderboard]]]", note: str, to: "Console") -> None:
    from bench.cli.reading import print_leaderboards

    if note:
        to.print(note, style="yellow", markup=False, soft_wrap=True)
        to.print()
    for folder, boards in groups:
        if len(groups) > 1:
            to.print(str(folder), style="bold underline", markup=False, soft_wrap=True)
        print_leaderboards(boards, to)
