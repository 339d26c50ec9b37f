"""`report`: write the HTML page."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import data_option, format_option, output_option, print_json, results_option
from bench.cli.values import GivenPath
from bench.cli.voice import Verb
from bench.config.commands import command
from bench.files.places import resolved

if TYPE_CHECKING:
    from bench.statistics.board import Leaderboard
    from bench.store.record import Record

REPORT_FILE = "report.html"
CAPTIONS_FILE = "figures.md"


@click.command(cls=Verb, short_help="Write one HTML page about all records.")
@results_option
@data_option
@output_option(f"The file.  [default: RESULTS/{REPORT_FILE}]")
@click.option("--static", is_flag=True, help="Leave out the interactive figures (4.8 MB), for example for e-mail.")
@click.option(
    "--png", type=GivenPath(path_type=Path, file_okay=False), help="Also write the figures there, for a paper."
)
@click.option("--svg", type=GivenPath(path_type=Path, file_okay=False), help="The same as vector graphics.")
@format_option(description="The format of the message about what was written.")
def report(
    results: Path,
    data_dir: Path | None,
    output: Path | None,
    static: bool,  # noqa: FBT001 - click passes a flag
    png: Path | None,
    svg: Path | None,
    style: str,
) -> None:
    """Write one self-contained HTML page: leaderboard, every run, curves and sample grids; and what losses
    cost, where `kernels` has recorded it. It needs no network. Real images stand beside the samples if the data
    that the runs were trained on is there.

    With --png or --svg the figures are written as files of their own as well, with their captions in figures.md.
    """
    from bench.cli.reading import read_kernels, read_leaderboards, read_records

    # What losses cost is worth a page without any run.
    kernels = read_kernels(results)
    records = read_records(results, needed=not kernels, histories=True)
    boards = read_leaderboards(records, kernels)
    page = write_report(results, records, output, data_dir=data_dir, boards=boards, static=static)
    asked = [(folder, kind) for folder, kind in ((png, "png"), (svg, "svg")) if folder is not None]
    count = _write_figures(records, boards, asked) if asked else 0
    if style == "json":
        print_json({"report": page, "figures": [{"folder": folder, "count": count} for folder, _ in asked]})
        return
    click.echo(f"report: {page}")
    for folder, _ in asked:
        click.echo(f"{count} figures and {CAPTIONS_FILE}: {folder}")


def write_report(
    results: Path,
    records: "list[Record]",
    output: Path | None = None,
    *,
    data_dir: Path | None = None,
    boards: "list[Leaderboard] | None" = None,
    static: bool = False,
) -> Path:
    """Write the page about all records of a folder and return where it lies."""
    from bench.cli.reading import open_store, read_kernels, read_leaderboards, workloads_of, write_text
    from bench.report.html import render
    from bench.report.real_images import real_pictures

    store = open_store(results)
    kernels = read_kernels(results)
    data_given: list[str | Path] = [] if data_dir is None else ["--data", data_dir]
    path = output or results / REPORT_FILE
    page = render(
        records,
        workloads_of(records),
        sample_file=lambda trial_id: store.artifacts_dir(trial_id) / "samples.png",
        command=command("report", "--results", results, *data_given, *(["--static"] if static else [])),
        boards=read_leaderboards(records, kernels) if boards is None else boards,
        kernels=kernels,
        scripted=not static,
        real=real_pictures(records, data_dir),
    )
    write_text(path, page)
    return path


def _write_figures(records: "list[Record]", boards: "list[Leaderboard]", asked: "Sequence[tuple[Path, str]]") -> int:
    """Write every figure into each folder in its style, and the captions beside them; return how many there are."""
    from bench.cli.reading import workloads_of, write_text, write_whole
    from bench.report import paper

    figures = list(paper.figures(records, boards, workloads_of(records)))
    styles: dict[Path, list[str]] = {}  # one folder may have both
    for folder, style in asked:
        styles.setdefault(resolved(folder), []).append(style)
        for figure in figures:
            name = f"{figure.name}.{style}"
            write_whole(folder / name, partial(figure.save, style=style))
    for folder, of_folder in styles.items():
        write_text(folder / CAPTIONS_FILE, paper.captions(figures, of_folder))
    return len(figures)
