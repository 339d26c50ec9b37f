"""`report`: write the HTML page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import results_option

if TYPE_CHECKING:
    from bench.store.record import Record

REPORT_FILE = "report.html"


@click.command(short_help="Write one HTML page about all records.")
@results_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help=f"The file.  [default: RESULTS/{REPORT_FILE}]"
)
def report(results: Path, output: Path | None) -> None:
    """Write one self-contained HTML page: leaderboard, every run, curves and sample grids. It needs no network."""
    from bench.cli.reading import read_records

    click.echo(f"report: {write_report(results, read_records(results), output)}")


def write_report(results: Path, records: "list[Record]", output: Path | None = None) -> Path:
    """Write the page about all records of a folder and return where it lies."""
    from bench.cli.reading import open_store, read_leaderboards, workloads_of, write_text
    from bench.report.html import render

    store = open_store(results)
    path = output or results / REPORT_FILE
    page = render(
        records,
        workloads_of(records),
        sample_file=lambda trial_id: store.artifacts_dir(trial_id) / "samples.png",
        command=f"python -m bench report --results {results}",
        boards=read_leaderboards(records),
    )
    write_text(path, page)
    return path
