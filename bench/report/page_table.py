"""The leaderboard as the page shows it: all columns in one table, each cell with the number it is sorted by."""

from dataclasses import dataclass

from bench.report.column import Column
from bench.report.columns import all_columns
from bench.statistics.board import Leaderboard, LeaderboardRow


@dataclass(frozen=True)
class Cell:
    """One cell of the table."""

    text: str
    value: str
    """What the column is sorted by; empty sorts last."""
    classes: str
    workload: str


def columns(board: Leaderboard) -> list[Column]:
    """Return the columns of a table: those of all parts in their order."""
    return [column for column in all_columns(board) if column.shown]


def heading(column: Column) -> str:
    """Return a column's heading in a table of all workloads."""
    return column.page_heading or f"{column.workload} {column.heading}".strip()


def cells(board: Leaderboard, row: LeaderboardRow) -> list[Cell]:
    """Return a row's cells under `columns(board)`."""
    return [_cell(column, row) for column in columns(board)]


def _cell(column: Column, row: LeaderboardRow) -> Cell:
    text = column.text(row)
    worded = column.kind in ("method", "words")
    value = None if worded else column.value(row)
    sorted_by = text if worded else "" if value is None else repr(value)
    return Cell(text, sorted_by, f"{column.kind} {column.state(row)}".strip(), column.workload)
