"""`compare`: compare new results with old ones, with an exit code for automatic builds."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from bench.cli.options import DEFAULT_RESULTS, format_option, losses_option, output_option, usage_errors
from bench.cli.values import FiniteRange, GivenPath
from bench.cli.voice import Verb, say
from bench.config.commands import command

if TYPE_CHECKING:
    from bench.cli.sources import Source
    from bench.report.compare_text import Presented
    from bench.statistics.gates.comparison import Comparison, Outcome, Rerun
    from bench.statistics.gates.speed import Timing
    from bench.statistics.gates.verdicts import GateSettings

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""GitHub Actions names here the file whose Markdown it shows on the page of a run."""

_EXIT_CODES: "Final[Mapping[Outcome, int]]" = {
    "passed": 0,
    "regression": 1,
    "improvement": 1,
    "flagged": 1,
    "redefined": 1,
    "incomplete": 1,
    "nothing": 3,
}

_SUFFIXES: Final = {".md": "md", ".json": "json", ".xml": "junit"}


@click.command(cls=Verb, short_help="Compare two sets of results; exit 1 on a regression.")
@click.argument("base")
@click.argument("new")
@click.option(
    "--stage", type=click.Choice(["once", "1", "2"]), default="once", show_default=True,
    help="Decide at once; or flag cells (1), and decide them on fresh seeds (2).",
)  # fmt: skip
@click.option(
    "--flagged", type=GivenPath(path_type=Path, dir_okay=False),
    help="The file of flagged cells, which stage 1 writes and stage 2 reads.",
)  # fmt: skip
@click.option(
    "--threshold", type=FiniteRange(min=0, min_open=True), default=5.0, show_default=True, metavar="PERCENT",
    help="How much slower counts as a slow-down.",
)  # fmt: skip
@click.option("--allow-improvement", is_flag=True, help="Let improvements pass; otherwise they fail like regressions.")
@click.option(
    "--allow-missing", is_flag=True,
    help="Let pass what NEW lacks, or has in too few runs; otherwise it fails like a regression.",
)  # fmt: skip
@losses_option
@format_option("md", "junit", description="The output format.")
@output_option("A file to write too: .md, .json or .xml (JUnit). Repeatable.", multiple=True)
def compare(
    *,
    base: str,
    new: str,
    stage: Literal["once", "1", "2"],
    flagged: Path | None,
    threshold: float,
    allow_improvement: bool,
    allow_missing: bool,
    loss_files: tuple[Path, ...],
    style: str,
    outputs: tuple[Path, ...],
) -> None:
    """Compare NEW with BASE cell by cell: quality, failures and throughput; kernel timings; or golden traces.

    Each is a results folder, a baseline (by name or file), git:REV[:PATH], or a file of pytest --benchmark-json or
    of `golden`.

    Exit codes: 0 no regression; 1 a regression, a changed golden trace, an improvement or a gap that is not allowed, a
    name for another method, or (--stage 1) a flagged cell; 2 bad input; 3 nothing comparable.
    """
    from bench.cli.sources import not_there, read_source, refuse_shared
    from bench.report.compare_text import Presented
    from bench.report.flags import commands
    from bench.report.loss_files import loss_files_of
    from bench.statistics.gates.verdicts import GateSettings

    _check(stage, flagged, loss_files, outputs)
    before, after = read_source(base, "BASE"), read_source(new, "NEW")
    if after.absent:
        raise not_there(after, "NEW")
    refuse_shared(before, after)
    settings = GateSettings(stage=stage, threshold=threshold / 100)
    comparison = _comparison(before, after, settings, flagged)
    results_of = partial(_results_of, after)
    own_losses = loss_files_of(comparison.reruns, loss_files, Path.cwd())
    shown = Presented(
        comparison=replace(comparison, warnings=(*comparison.warnings, *own_losses.warnings)),
        base=before.description,
        new=after.description,
        allow_improvement=allow_improvement,
        allow_missing=allow_missing,
        commands=tuple(commands(comparison.reruns, results_of, own_losses.files)),
    )
    # Files first: whoever reads the output may leave early (`| head`).
    if stage == "1" and flagged is not None:
        from bench.cli.reading import write_text
        from bench.report.flags import encode_flags

        write_text(flagged, encode_flags(comparison, results_of, own_losses.files))
    _write(shown, style, outputs)
    if shown.outcome == "nothing" and not (before.records or before.timings or before.kernels or before.golden):
        say(_how_to_begin(base, before, after))
    click.get_current_context().exit(_EXIT_CODES[shown.outcome])


def _results_of(after: "Source", rerun: "Rerun") -> Path:
    """Return where fresh seeds of a cell go: to its others, of a folder of results folders into one that is read."""
    return after.place_of(record.trial_id for record in rerun.pair.new.runs.values()) or Path(DEFAULT_RESULTS)


def _check(stage: str, flagged: Path | None, loss_files: tuple[Path, ...], outputs: tuple[Path, ...]) -> None:
    if stage == "2" and flagged is None:
        raise click.UsageError("--stage 2 needs --flagged FILE, which --stage 1 --flagged FILE has written")
    if stage == "once" and flagged is not None:
        raise click.UsageError("--flagged belongs to --stage 1, which writes it, or --stage 2, which reads it")
    for path in loss_files:
        if not path.is_file():
            raise click.UsageError(f"--losses {path}: there is no such file")
    for path in outputs:
        if path.suffix not in _SUFFIXES:
            raise click.UsageError(f"--output {path}: name it .md, .json or .xml: the ending chooses the format")


def _comparison(before: "Source", after: "Source", settings: "GateSettings", flagged: Path | None) -> "Comparison":
    from bench.statistics.gates.comparison import compare as compare_records
    from bench.statistics.gates.comparison import compare_golden, compare_timings

    if not before.absent and _kind(before) != _kind(after):
        raise click.UsageError(
            f"BASE holds {_kind(before)} ({before.description}), and NEW {_kind(after)} ({after.description}): "
            "give two of a kind"
        )
    if after.golden is not None:
        return compare_golden(before.golden, after.golden, settings)
    if after.timings is not None:
        return compare_timings(_timed(before), _timed(after), settings)
    from bench.cli.reading import workloads_of
    from bench.report.flags import read_flags

    workloads = workloads_of([*before.records, *after.records])
    with usage_errors():
        screened = read_flags(flagged) if settings.stage == "2" and flagged is not None else (None, None)
        compared = compare_records(before.records, after.records, workloads, settings, *screened)
    # Where NEW alone has kernel records they say nothing, unless there is nothing else.
    if (before.kernels and after.kernels) or not (before.records and after.records):
        from bench.statistics.gates.kernels import with_kernels

        return with_kernels(compared, before.kernels, after.kernels, settings)
    if before.kernels:
        return replace(compared, unmeasured=("NEW has no kernel record, and BASE has some",))
    return compared


def _kind(source: "Source") -> str:
    if source.golden is not None:
        return "golden traces"
    return "results" if source.timings is None else "kernel timings"


def _timed(source: "Source") -> "list[Timing]":
    from bench.statistics.gates.speed import Timing

    timings = source.timings
    if timings is None:
        return []
    return [
        Timing(benchmark.name, timings.fingerprint, timings.machine, benchmark.seconds)
        for benchmark in timings.benchmarks
    ]


def _write(shown: "Presented", style: str, outputs: tuple[Path, ...]) -> None:
    from bench.cli.reading import write_text
    from bench.report.compare import to_json, to_markdown
    from bench.report.junit import to_junit

    formats: dict[str, Callable[[Presented], str]] = {"md": to_markdown, "json": to_json, "junit": to_junit}
    for path in outputs:
        write_text(path, formats[_SUFFIXES[path.suffix]](shown))
    step_summary = os.environ.get(STEP_SUMMARY)
    if step_summary:
        try:
            with Path(step_summary).open("a", encoding="utf-8") as file:
                file.write(to_markdown(shown))
        except OSError as error:
            raise click.UsageError(f"cannot append to ${STEP_SUMMARY}, {step_summary}: {error.strerror}") from error
    if style == "table":
        _print(shown)
    else:
        click.echo(formats[style](shown), nl=False)


def _print(shown: "Presented") -> None:
    from bench.cli.terminal import console, print_notes
    from bench.report.compare import to_table
    from bench.report.compare_text import changes, notes, summary, verdict

    to = console()
    to.print(summary(shown), style="bold", markup=False, soft_wrap=True)
    to.print(verdict(shown), markup=False, soft_wrap=True)
    to.print()
    for line in (f"BASE  {shown.base}", f"NEW   {shown.new}", *(f"changed: {line}" for line in changes(shown))):
        to.print(line, markup=False, soft_wrap=True)
    for line in shown.comparison.warnings:
        to.print(line, style="bold yellow", markup=False, soft_wrap=True)
    to.print(to_table(shown))
    if shown.commands:
        to.print("Fresh seeds for the flagged cells:", markup=False)
        for command in shown.commands:
            to.print(f"  {command}", markup=False, soft_wrap=True)
    print_notes(notes(shown), to)


def _how_to_begin(base: str, before: "Source", after: "Source") -> str:
    from bench.cli.baseline import BASELINE_NAME

    # A folder of that name, if it is there, comes before a baseline.
    name = base if before.absent and BASELINE_NAME.fullmatch(base) else "NAME"
    said = f"nothing to compare with: BASE is {before.description}."
    if after.timings is not None:
        return f"{said} Keep a file of pytest --benchmark-json as the baseline."
    if after.golden is not None:
        return f"{said} Keep a file of python -m bench golden --output FILE as the baseline."
    if after.kernels and not after.records:
        return f"{said} Keep a copy of {after.results} as the baseline: kernel records compare on one machine."
    if len(after.places) > 1:  # a baseline is frozen from one
        united = f"{DEFAULT_RESULTS}/united"
        merge = command("merge", *after.places, "--into", united)
        begin = f"{merge}, then {command('baseline', 'freeze', name, '--results', united)}"
    else:
        results = after.place_of(()) or DEFAULT_RESULTS
        begin = command("baseline", "freeze", name, "--results", results)
    return f"{said} To begin: {begin}, and commit the file it writes."
