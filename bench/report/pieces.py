"""A table that is too wide for its page or terminal, in pieces that each have the method's name."""

from collections.abc import Sequence

from bench.report.column import METHOD, Column, Part
from bench.report.leaderboard import lines
from bench.statistics.board import Leaderboard

_BETWEEN = 2
"""Characters from one column to the next."""


def widths(board: Leaderboard, part: Part) -> list[int]:
    """Return how many characters each column needs."""
    written = [[column.heading for column in part.columns], *lines(board, part)]
    return [max(len(line[index]) for line in written) for index in range(len(part.columns))]


def name_width(board: Leaderboard, width: int) -> int:
    """Return how many characters the method's name has in a table of this width; a longer one takes several lines."""
    names = [METHOD.heading, "untrained generator", *(METHOD.text(row) for row in board.rows)]
    return min(max(map(len, names)), max(20, width // 3))


def pieces(board: Leaderboard, part: Part, width: int) -> list[Part]:
    """Divide a part into as few pieces as fit the width, whose notes come with the last.

    Each has the method's name, and columns that say nothing without each other stay together. A group that is wider
    than the page all by itself is a piece all the same.
    """
    name = name_width(board, width)
    needed = dict(zip(part.columns, widths(board, part), strict=True)) | {METHOD: name}
    divided: list[list[Column]] = [[]]
    for group in _groups(part.columns):
        before = [column for column in divided[-1] if column is not METHOD]
        own = [column for column in group if column is not METHOD]
        taken = sum(needed[column] + _BETWEEN for column in (METHOD, *before, *own))
        if before and taken > width:
            divided.append([METHOD])
        divided[-1] += group
    return [
        Part(part.title, tuple(columns), part.notes if index == len(divided) - 1 else (), part.reference_lines)
        for index, columns in enumerate(divided)
    ]


def _groups(columns: Sequence[Column]) -> list[list[Column]]:
    """Return the columns in groups that are not torn apart; the name joins what comes before it."""
    groups: list[list[Column]] = []
    joined = False
    for column in columns:
        if groups and (joined or column is METHOD):
            groups[-1].append(column)
        else:
            groups.append([column])
        joined = column.with_next
    return groups
