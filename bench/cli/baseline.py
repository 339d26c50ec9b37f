"""`baseline`: keep a named set of results to compare with."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import results_option, usage_errors

if TYPE_CHECKING:
    from bench.store.record import Record

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@click.group(short_help="Keep results to compare with.")
def baseline() -> None:
    """Keep a named set of results to compare with, in a small file that lives in git."""


@baseline.command(short_help="Write a baseline from recorded results.")
@click.argument("name")
@results_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: baselines/NAME.jsonl]"
)
@click.option("--replace", "replacing", is_flag=True, help="Replace the baseline of that name, listing old and new.")
def freeze(name: str, results: Path, output: Path | None, replacing: bool) -> None:  # noqa: FBT001 - click passes a flag
    """Write the last result of every trial into a baseline, of each cell the newest versions alone.

    A baseline that is there is left alone; --replace freezes it anew and lists the old and new medians of each cell.
    """
    from bench.cli.reading import read_records, write_text
    from bench.cli.sources import baseline_path
    from bench.report.wording import plural
    from bench.statistics.gates.cells import sides
    from bench.store.baseline import decode_baseline, encode_baseline, read_baseline

    if not _NAME.fullmatch(name):
        raise click.UsageError(f"a baseline's name has letters, digits, dots, dashes and underscores, unlike {name!r}")
    path = output or baseline_path(name)
    if path.exists() and not replacing:
        raise click.UsageError(f"{path} is there already; freeze it anew with --replace, or choose another name")
    cells = sides(read_records(results))
    kept = [record for side in cells.values() for record in side.runs.values()]
    if not kept:
        raise click.UsageError(f"no trial in {results} has a result: all ended in a timeout or an error")
    content = encode_baseline(name, kept)
    if path.exists():
        with usage_errors():
            old = read_baseline(path)
        _print_replacement(old.records, kept)
    write_text(path, content.decode())
    digest = decode_baseline(content, str(path)).header.digest
    count = f"{plural(len(kept), 'trial')} of {plural(sum(bool(side.runs) for side in cells.values()), 'cell')}"
    click.echo(f"{count}: {path}, digest {digest[:12]}")
    for number, why in (
        (sum(side.lost for side in cells.values()), "ended in a timeout or an error"),
        (sum(side.superseded for side in cells.values()), "of older data or component versions"),
    ):
        if number:
            click.echo(f"left out: {plural(number, 'record')} {why}")


def _print_replacement(old: "Sequence[Record]", new: "Sequence[Record]") -> None:
    """Print a line a cell: the median and number of runs before and after."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.reading import console, workloads_of
    from bench.report.baseline import replacement

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in ("method", "workload", "measure", "old", "new", "change"):
        table.add_column(column, overflow="fold", justify="left" if column in ("method", "workload") else "right")
    for line in replacement(old, new, workloads_of([*old, *new])):
        table.add_row(*map(Text, line))
    console().print(table)
