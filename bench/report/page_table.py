"""The leaderboard as the page shows it: all columns in one table, each cell with the number it is sorted by."""

import math
from dataclasses import dataclass
from typing import Final

from bench.report.column import Column, Part
from bench.report.columns import all_columns
from bench.report.leaderboard import parts
from bench.report.pieces import pieces
from bench.statistics.board import Leaderboard, LeaderboardRow


@dataclass(frozen=True)
class Cell:
    """One cell of the table."""

    text: str
    value: str
    """What the column is sorted by; empty sorts last."""
    classes: str
    workload: str


_PRINTED: Final = 104
"""Characters of a line on paper, where the table stands in pieces that each have the method's name."""

_STEP: Final = 0.05
"""A scale begins and ends at multiples of this."""


@dataclass(frozen=True)
class Scale:
    """The scale of the dots: no wider than the scores with their intervals need, so that the intervals can be seen."""

    low: float
    high: float

    @property
    def low_text(self) -> str:
        return f"{self.low:.2f}"

    @property
    def high_text(self) -> str:
        return f"{self.high:.2f}"

    def place(self, value: float) -> str:
        """Return where a score lies, in percent of the width."""
        return f"{100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low):.1f}"

    def width(self, low: float, high: float) -> str:
        """Return how wide an interval is, in percent of the width."""
        return f"{float(self.place(high)) - float(self.place(low)):.1f}"


def scale(board: Leaderboard) -> Scale:
    """Return the scale of a table's scores; from 0 to 1 where there are none."""
    ends = [end for row in board.rows for end in (row.score, row.score_low, row.score_high) if end is not None]
    if not ends:
        return Scale(0.0, 1.0)
    low = max(0.0, _STEP * math.floor(min(ends) / _STEP))
    high = min(1.0, _STEP * math.ceil(max(ends) / _STEP))
    low = min(low, 1.0 - _STEP)
    return Scale(low, max(high, low + _STEP))


def print_pieces(board: Leaderboard) -> list[Part]:
    """Return the table in pieces that fit on paper, with every column that people see."""
    return [piece for part in parts(board) for piece in pieces(board, part, _PRINTED)]


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
    return Cell(column.text(row), column.sort_key(row), f"{column.kind} {column.state(row)}".strip(), column.workload)
