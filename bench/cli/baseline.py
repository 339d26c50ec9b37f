"""`baseline`: keep a named set of results to compare with."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import format_option, output_option, print_json, results_option, usage_errors
from bench.cli.voice import VerbGroup, say

if TYPE_CHECKING:
    from bench.store.record import Record

_COLUMNS: Final = ("method", "workload", "measure", "old", "new", "change")
BASELINE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@click.group(cls=VerbGroup, short_help="Keep results to compare with.")
def baseline() -> None:
    """Keep a named set of results to compare with, in a small file that lives in git."""


@baseline.command(short_help="Write a baseline from recorded results.")
@click.argument("name")
@results_option
@output_option("The file.  [default: baselines/NAME.jsonl]")
@click.option("--replace", "replacing", is_flag=True, help="Replace the baseline of that name, listing old and new.")
@format_option(description="The format of the message about what was written.")
def freeze(name: str, results: Path, output: Path | None, replacing: bool, style: str) -> None:  # noqa: FBT001 - click passes a flag
    """Write the last result of every trial into a baseline; of each cell, only the newest versions.

    An existing baseline stays as it is. --replace writes it again, and lists the old and new medians of each cell, if
    the old ones can be read.
    """
    from bench.cli.reading import read_records, write_text
    from bench.report.formatting import plural
    from bench.statistics.gates.cells import sides
    from bench.store.baseline import SUFFIX, decode_baseline, encode_baseline, usual_path

    if not BASELINE_NAME.fullmatch(name):
        raise click.UsageError(f"a baseline's name has letters, digits, dots, dashes and underscores, unlike {name!r}")
    path = output or usual_path(name)
    if path.suffix == ".json":
        raise click.UsageError(
            f"--output {path}: name it {path.stem}{SUFFIX}, since `compare` takes .json for timings or golden traces"
        )
    if path.exists() and not replacing:
        raise click.UsageError(f"{path} is there already; write it again with --replace, or choose another name")
    cells = sides(read_records(results))
    kept = [record for side in cells.values() for record in side.runs.values()]
    if not kept:
        raise click.UsageError(f"no trial in {results} has a result: all ended in a timeout or an error")
    content = encode_baseline(name, kept)
    replaced: list[list[str]] = []
    old = _old(path)
    if old is not None:
        replaced = _replacement(old, kept)
        if style == "table":
            _print_replacement(replaced)
    write_text(path, content.decode())
    digest = decode_baseline(content, str(path)).header.digest
    lost, superseded = (sum(getattr(side, why) for side in cells.values()) for why in ("lost", "superseded"))
    if style == "json":
        document = {
            "baseline": name,
            "output": path,
            "digest": digest,
            "trials": len(kept),
            "cells": sum(bool(side.runs) for side in cells.values()),
            "left_out": {"lost": lost, "superseded": superseded},
            "replaced": [dict(zip(_COLUMNS, line, strict=True)) for line in replaced],
        }
        print_json(document)
        return
    count = f"{plural(len(kept), 'trial')} of {plural(sum(bool(side.runs) for side in cells.values()), 'cell')}"
    click.echo(f"{count}: {path}, digest {digest[:12]}")
    for number, why in (
        (lost, "ended in a timeout or an error"),
        (superseded, "of other data or component versions"),
    ):
        if number:
            click.echo(f"left out: {plural(number, 'record')} {why}")


def _old(path: Path) -> "Sequence[Record] | None":
    """Return the records of the baseline that is replaced; None where there is none, or none that can be read.

    Raises:
        click.UsageError: what is there is no baseline, or one of a newer program.
    """
    from bench.store.baseline import ChangedBaselineError, read_baseline

    if not path.exists():
        return None
    with usage_errors():
        try:
            return read_baseline(path).records
        except ChangedBaselineError:
            say(f"{path} was no longer as it was written: it is replaced, and its old values are not listed")
    return None


def _replacement(old: "Sequence[Record]", new: "Sequence[Record]") -> list[list[str]]:
    """Return one line per cell: the median and number of runs before and after."""
    from bench.cli.reading import workloads_of
    from bench.report.baseline import replacement

    return [list(line) for line in replacement(old, new, workloads_of([*old, *new]))]


def _print_replacement(lines: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.terminal import console

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", justify="left" if column in ("method", "workload") else "right")
    for line in lines:
        table.add_row(*map(Text, line))
    console().print(table)
