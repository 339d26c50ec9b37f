"""What the verbs that only read have in common: the records, their workloads, and somewhere to print."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import usage_errors

if TYPE_CHECKING:
    from rich.console import Console

    from bench.config.workload import Workload
    from bench.statistics.ranking import Leaderboard
    from bench.store.journal import Store
    from bench.store.record import Record

_PIPE_WIDTH: Final = 140


def console(*, stderr: bool = False) -> "Console":
    """Return a console as wide as the terminal, or wide enough for a table where there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False)


def open_store(results: Path) -> "Store":
    from bench.store.journal import Store

    return Store(results)


def read_records(results: Path) -> "list[Record]":
    """Read the records of a folder, or say how to make some.

    Raises:
        click.UsageError: there are none, or one is damaged.
    """
    with usage_errors():
        records = open_store(results).records()
    if not records:
        raise click.UsageError(
            f"there are no records in {results}; make some with: python -m bench run --results {results}"
        )
    return records


def workloads_of(records: "Iterable[Record]") -> "dict[str, Workload]":
    """Look up the workloads that records ran on."""
    from bench import data

    with usage_errors():
        return {name: data.workload(name) for name in sorted({record.spec.workload for record in records})}


def read_leaderboards(records: "Iterable[Record]") -> "list[Leaderboard]":
    """Rank records, at most one table for each group of comparable ones."""
    from bench.statistics.ranking import rank

    kept = list(records)
    with usage_errors():
        return rank(kept, workloads_of(kept))


def print_leaderboards(boards: "Iterable[Leaderboard]", to: "Console") -> None:
    """Print each table with its notes below."""
    from rich.padding import Padding
    from rich.text import Text

    from bench.report.leaderboard import notes, to_table

    for board in boards:
        to.print(board.key.title, style="bold", markup=False, soft_wrap=True)
        to.print(to_table(board))
        for note in notes(board):
            to.print(Padding(Text(note, style="dim"), (0, 0, 0, 2)))
        to.print()


def write_text(path: Path, text: str) -> None:
    """Write a file whole, making its folder; a reader never sees half of it.

    Raises:
        click.UsageError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from error
