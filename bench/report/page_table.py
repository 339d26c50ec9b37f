"""The leaderboard as the page shows it: all columns in one table, each cell with the number it is sorted by."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.report import wording
from bench.report.leaderboard import AVERAGE_SCORE, better_text, label, quality_words, rank_text
from bench.report.notes import has_averages, shown_fid
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.statistics.inception import FidColumn


@dataclass(frozen=True)
class Column:
    """A heading, how a row is written under it, and the number that it is sorted by."""

    heading: str
    words: Callable[[LeaderboardRow], str]
    value: Callable[[LeaderboardRow], float | None]
    kind: str = "number"
    """number or method, for the style sheet."""
    workload: str = ""
    """Whose column it is, where it is about one workload alone."""
    alarming: Callable[[LeaderboardRow], str] = lambda _: ""
    """A further class for the style sheet: failed or partial."""


@dataclass(frozen=True)
class Cell:
    words: str
    value: str
    """What the column is sorted by; empty sorts last."""
    classes: str
    workload: str


def columns(board: Leaderboard) -> list[Column]:
    """Return the columns of a table."""
    measured = [column for workload in board.workloads for column in _workload_columns(workload)]
    compared = board.reference is not None and any(row.better_than_reference is not None for row in board.rows)
    return [
        Column("rank", rank_text, lambda row: row.rank),
        Column("method", label, lambda _: None, kind="method"),
        Column("score", lambda row: wording.score(row.score), lambda row: row.score),
        Column("95 %", lambda row: wording.interval(row.score_low, row.score_high), lambda row: row.score_low),
        *([_average_column()] if has_averages(board) else []),
        *([_better_column(board)] if compared else []),
        Column("cells", _done, lambda row: row.cells_done, alarming=lambda row: "" if row.complete else "partial"),
        Column(
            "failed",
            lambda row: f"{row.failures}/{row.runs}",
            lambda row: row.failures,
            alarming=lambda row: "failed" if row.failures else "",
        ),
        *measured,
        *(_fid_column(column) for column in shown_fid(board)),
        Column("late", lambda row: wording.score(row.late_regression), lambda row: row.late_regression),
        Column("images/s", lambda row: wording.count(row.images_per_second), lambda row: row.images_per_second),
        *(_relative_columns(board) if board.reference is not None else []),
    ]


def cells(board: Leaderboard, row: LeaderboardRow) -> list[Cell]:
    """Return a row's cells under `columns(board)`."""
    found = []
    for column in columns(board):
        words, value = column.words(row), column.value(row)
        sorted_by = words if column.kind == "method" else "" if value is None else repr(value)
        classes = f"{column.kind} {column.alarming(row)}".strip()
        found.append(Cell(words, sorted_by, classes, column.workload))
    return found


def _done(row: LeaderboardRow) -> str:
    return f"{row.cells_done}/{row.cells_counting}"


def _average_column() -> Column:
    return Column(AVERAGE_SCORE, lambda row: wording.score(row.average_score), lambda row: row.average_score)


def _better_column(board: Leaderboard) -> Column:
    return Column(f"P > {board.reference}", better_text, lambda row: row.better_than_reference)


def _relative_columns(board: Leaderboard) -> list[Column]:
    return [
        Column(
            f"pace to {board.reference}",
            lambda row: wording.ratio(row.relative_throughput),
            lambda row: row.relative_throughput,
        ),
        Column(
            "D update",
            lambda row: wording.ratio(row.relative_discriminator_update),
            lambda row: row.relative_discriminator_update,
        ),
    ]


def _fid_column(column: FidColumn) -> Column:
    def fid(row: LeaderboardRow) -> float | None:
        return column.medians.get(row.entrant)

    return Column(f"{column.workload} FID", lambda row: wording.distance(fid(row)), fid, workload=column.workload)


def _workload_columns(column: WorkloadColumn) -> list[Column]:
    def distance(row: LeaderboardRow) -> float | None:
        return row.distances.get(column.name)

    def modes(row: LeaderboardRow) -> float | None:
        return row.modes.get(column.name)

    def quality(row: LeaderboardRow) -> float | None:
        return row.qualities.get(column.name)

    heading = f"{column.name} {column.measure.split('[')[0]}"
    found = [Column(heading, lambda row: wording.distance(distance(row)), distance, workload=column.name)]
    if column.scored_by == "modes":
        named = f"{column.name} modes"
        found.append(Column(named, lambda row: wording.count(modes(row)), modes, workload=column.name))
        believed = f"{column.name} {quality_words(column)}"
        found.append(Column(believed, lambda row: wording.percent(quality(row)), quality, workload=column.name))
    return found
