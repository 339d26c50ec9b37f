"""`leaderboard`: rank the losses from the records."""

from pathlib import Path
from typing import Final

import click

from bench.cli.options import results_option

FORMATS: Final = ("table", "md", "csv", "json", "latex", "html")
_SUFFIXES: Final = {".md": "md", ".csv": "csv", ".json": "json", ".tex": "latex", ".html": "html"}


@click.command(short_help="Rank the losses from the records.")
@click.option(
    "--format", "style", type=click.Choice(FORMATS),
    help="How it is written.  [default: what the name of --output says, else table]",
)  # fmt: skip
@results_option
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A file, instead of the terminal.")
def leaderboard(style: str | None, results: Path, output: Path | None) -> None:
    """Rank the losses: scores and ranks with intervals, which may be the best, and each against nsgan.

    Only comparable records share a table; where several protocols, norms or budgets are recorded, there are several
    tables. Methods with missing seeds are listed without a rank, failed runs count with score 0. The formats csv and
    json carry every number, the others those that people read.
    """
    from bench.cli.reading import (
        console,
        plain_leaderboards,
        print_leaderboards,
        read_leaderboards,
        read_records,
        write_text,
    )
    from bench.report.publication import write_table
    from bench.report.wording import plural

    chosen = style or (_SUFFIXES.get(output.suffix, "table") if output else "table")
    boards = read_leaderboards(read_records(results))
    if chosen == "table" and output is None:
        print_leaderboards(boards, console())
        return
    text = plain_leaderboards(boards) if chosen == "table" else write_table(boards, chosen, results)
    if output is None:
        click.echo(text, nl=False)
        return
    write_text(output, text)
    click.echo(f"{plural(len(boards), 'table')}: {output}")
