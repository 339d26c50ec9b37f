"""What the reading verbs share: the records, their workloads, and where to print."""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import usage_errors
from bench.cli.terminal import PIPE_WIDTH, cleaning_console, print_notes
from bench.config.commands import command
from bench.files.places import as_text

if TYPE_CHECKING:
    from rich.console import Console

    from bench.config.workload import Workload
    from bench.report.findings import FileFinding
    from bench.statistics.board import Leaderboard
    from bench.store.journal import Store
    from bench.store.kernels import KernelRecord
    from bench.store.record import Record

_SHOWN_FINDINGS: Final = 20


def open_store(results: Path) -> "Store":
    from bench.store.journal import Store

    return Store(results)


def read_records(results: Path, *, needed: bool = True, histories: bool = False) -> "list[Record]":
    """Read the records of a folder, without their curves unless asked, or say how to make some where they are needed.

    Raises:
        click.UsageError: there are none, or one is damaged.
    """
    from bench.statistics.damage import read_sound

    with usage_errors():
        records = read_sound(open_store(results), histories=histories)
    if needed and not records:
        raise click.UsageError(
            f"there are no records in {results}; make some with: {command('run', '--results', results)}"
        )
    return records


def workloads_of(records: "Iterable[Record]") -> "dict[str, Workload]":
    """Look up the workloads that records ran on."""
    from bench import data

    with usage_errors():
        return {name: data.workload(name) for name in sorted({record.spec.workload for record in records})}


def read_kernels(results: Path) -> "list[KernelRecord]":
    """Read the kernel records of a folder: none where nothing was timed."""
    from bench.store.kernels import KernelStore

    with usage_errors():
        return KernelStore(results).records()


def read_leaderboards(records: "Iterable[Record]", kernels: "Sequence[KernelRecord]" = ()) -> "list[Leaderboard]":
    """Rank records, at most one table for each group of comparable ones; kernel records say what methods cost."""
    from bench.statistics.ranking import rank

    kept = list(records)
    with usage_errors():
        return rank(kept, workloads_of(kept), kernels=kernels)


def print_leaderboards(boards: "Iterable[Leaderboard]", to: "Console") -> None:
    """Print each table in its parts, with their notes below."""
    from bench.report.formats import to_tables
    from bench.report.formatting import budget
    from bench.report.leaderboard import title
    from bench.report.notes import facts

    for board in boards:
        to.print(title(board), style="bold", markup=False, soft_wrap=True)
        for workload in board.workloads:
            words = budget(workload.name, workload.steps, board.key.batch, workload.seeds)
            to.print(words, markup=False, soft_wrap=True)
        for part, table in to_tables(board, to.width):
            to.print()
            to.print(part.title, style="italic", markup=False)
            to.print(table)
            print_notes(part.notes, to)
        to.print()
        print_notes(facts(board), to)
        to.print()


def print_places(page: Path, results: Path, to: "Console") -> None:
    """Say where the page and the pictures of a run are, each on a line of its own that no width breaks."""
    to.print(f"report:  {page}", soft_wrap=True, markup=False)
    to.print(f"samples: {results / 'artifacts'}/*/samples.png", soft_wrap=True, markup=False)


def finding_json(folder: Path, finding: "FileFinding") -> dict[str, object]:
    """Return a finding for a program."""
    return {"file": folder / finding.file, "wrong": finding.wrong, "what": finding.what, "mend": finding.fix}


def print_findings(folder: Path, findings: "Iterable[FileFinding]") -> None:
    """Print the findings about a folder, one line each; of many of one kind, a few and the number of the rest."""
    shown: Counter[str] = Counter()
    for finding in findings:
        kind = finding.fix or finding.what
        shown[kind] += 1
        if shown[kind] <= _SHOWN_FINDINGS:
            fix = f"; {finding.fix}" if finding.fix else ""
            click.echo(f"{'' if finding.wrong else 'note: '}{folder / finding.file}: {finding.what}{fix}")
    for kind, number in shown.items():
        if number > _SHOWN_FINDINGS:
            click.echo(f"... and {number - _SHOWN_FINDINGS:,} more of the kind: {kind}")


def plainly(show: "Callable[[Console], object]") -> str:
    """Return what is printed, without colors, for a file."""
    text = io.StringIO()
    show(cleaning_console(file=text, width=PIPE_WIDTH, color_system=None))
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a text file whole; see `write_whole`."""
    write_bytes(path, as_text(text).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file of bytes whole; see `write_whole`."""
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written that the user asks for; see `bench.files.writing.write_output`.

    Raises:
        click.UsageError: it cannot be written there.
    """
    from bench.files.writing import reason, write_output

    try:
        write_output(path, write)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {reason(error)}") from error
