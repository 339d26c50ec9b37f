"""The leaderboard as the page shows it: all columns in one table, each cell with the number it is sorted by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.report import wording
from bench.report.leaderboard import (
    AVERAGE_SCORE,
    better_text,
    label,
    overall_verdict,
    p_text,
    quality_words,
    rank_text,
    wins_text,
    workload_p,
    workload_verdict,
)
from bench.report.notes import has_averages, shown_fid
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.statistics.inception import FidColumn
from bench.statistics.standing import Verdict


@dataclass(frozen=True)
class Column:
    """A heading, how a row is written under it, and the number that it is sorted by."""

    heading: str
    words: Callable[[LeaderboardRow], str]
    value: Callable[[LeaderboardRow], float | None]
    kind: str = "number"
    """number, verdict or method, for the style sheet."""
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
    measured = [column for workload in board.workloads for column in _workload_columns(board, workload)]
    compared = board.reference is not None and any(row.better_than_reference is not None for row in board.rows)
    return [
        Column("rank", rank_text, lambda row: row.rank),
        Column("method", label, lambda _: None, kind="method"),
        Column("score", lambda row: wording.score(row.score), lambda row: row.score),
        Column("95 %", lambda row: wording.interval(row.score_low, row.score_high), lambda row: row.score_low),
        *([_average_column()] if has_averages(board) else []),
        *(_against_columns(board) if compared else []),
        Column("cells", _done, lambda row: row.cells_done, alarming=lambda row: "" if row.complete else "partial"),
        Column(
            "failed",
            lambda row: f"{row.failures}/{row.runs}",
            lambda row: row.failures,
            alarming=lambda row: "failed" if row.failures else "",
        ),
        *measured,
        *(_fid_column(column) for column in shown_fid(board)),
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


def _against_columns(board: Leaderboard) -> list[Column]:
    return [
        Column(f"against {board.reference}", lambda row: overall_verdict(board, row), _verdict_value, kind="verdict"),
        Column(f"P > {board.reference}", better_text, lambda row: row.better_than_reference),
        Column("p", lambda row: p_text(board, row), lambda row: row.p_adjusted),
    ]


def _verdict_value(row: LeaderboardRow) -> float | None:
    return None if row.verdict is None else _VERDICTS[row.verdict]


_VERDICTS: Final[dict[Verdict, float]] = {"better": 0.0, "mixed": 1.0, "not shown": 2.0, "worse": 3.0}
"""The order in which verdicts are sorted."""


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


def _workload_columns(board: Leaderboard, column: WorkloadColumn) -> list[Column]:
    """Return what the workload's score is made of beside it; a distance that is no part of it comes after the modes."""

    def distance(row: LeaderboardRow) -> float | None:
        return row.distances.get(column.name)

    def late(row: LeaderboardRow) -> float | None:
        return row.late_regressions.get(column.name)

    name = column.name
    measure = f"{name} {column.measure.split('[')[0]}"
    return [
        *(_scored_columns(board, column) if any(name in row.on for row in board.rows) else []),
        *(_mode_columns(column) if column.scored_by == "modes" else []),
        Column(measure, lambda row: wording.distance(distance(row)), distance, workload=name),
        Column(f"{name} late", lambda row: wording.score(late(row)), late, workload=name),
    ]


def _scored_columns(board: Leaderboard, column: WorkloadColumn) -> list[Column]:
    name = column.name

    def score(row: LeaderboardRow) -> float | None:
        return row.on[name].score if name in row.on else None

    def wins(row: LeaderboardRow) -> float | None:
        return row.on[name].wins if name in row.on else None

    def interval(row: LeaderboardRow) -> str:
        on = row.on.get(name)
        return wording.MISSING if on is None else wording.interval(on.low, on.high)

    def low(row: LeaderboardRow) -> float | None:
        return row.on[name].low if name in row.on else None

    def p_value(row: LeaderboardRow) -> float | None:
        return workload_p(row, column)

    def words(row: LeaderboardRow) -> str:
        return workload_verdict(row, column)

    def verdict(row: LeaderboardRow) -> float | None:
        test = row.on[name].test if name in row.on else None
        return None if test is None else _VERDICTS[test.verdict]

    found = [
        Column(f"{name} score", lambda row: wording.score(score(row)), score, workload=name),
        Column(f"{name} 95 %", interval, low, workload=name),
    ]
    if board.reference is not None:
        found.append(Column(f"{name} > {board.reference}", lambda row: wins_text(row, name), wins, workload=name))
    if column.reach is not None:
        found += [
            Column(f"{name} p", lambda row: wording.p_value(p_value(row)), p_value, workload=name),
            Column(f"{name} verdict", words, verdict, kind="verdict", workload=name),
        ]
    return found


def _mode_columns(column: WorkloadColumn) -> list[Column]:
    name = column.name

    def modes(row: LeaderboardRow) -> float | None:
        return row.modes.get(name)

    def divergence(row: LeaderboardRow) -> float | None:
        return row.divergences.get(name)

    def quality(row: LeaderboardRow) -> float | None:
        return row.qualities.get(name)

    def coverage(row: LeaderboardRow) -> float | None:
        return row.coverages.get(name)

    believed = f"{name} {quality_words(column)}"
    found = [
        Column(f"{name} modes", lambda row: wording.count(modes(row)), modes, workload=name),
        Column(f"{name} KL", lambda row: wording.divergence(divergence(row)), divergence, workload=name),
        Column(believed, lambda row: wording.percent(quality(row)), quality, workload=name),
    ]
    if column.quality == "readable":
        covered = f"{name} coverage"
        found.append(Column(covered, lambda row: wording.percent(coverage(row)), coverage, workload=name))
    return found
