"""What the leaderboard says: its values, its columns and its notes. `bench.report.formats` writes them down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import wording
from bench.report.notes import (
    TIE_MARK,
    VARIANT_MARK,
    cost_notes,
    facts,
    has_averages,
    ranking_notes,
    scale_notes,
    shown_fid,
)
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.statistics.inception import FidColumn


@dataclass(frozen=True)
class Column:
    """A heading, and how a row is written under it."""

    heading: str
    text: Callable[[LeaderboardRow], str]
    reference_texts: tuple[str, str] = ("", "")
    """What real data and the untrained generator reach."""
    with_next: bool = False
    """Whether it says nothing without the column after it, so that the two are never torn apart."""


@dataclass(frozen=True)
class Part:
    """Columns that are read together, under a title of their own; every part has the method's name first or second."""

    title: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    reference_lines: bool = False
    """Whether lines of real data and of the untrained generator stand above the methods."""


def title(board: Leaderboard) -> str:
    """Name the table by what its records share, and say if it has too few seeds to be quoted."""
    provisional = any(row.provisional for row in board.ranked)
    return f"{board.key.title} · provisional" if provisional else board.key.title


def parts(board: Leaderboard) -> list[Part]:
    """Divide the table into what is narrow enough to be read: the ranking, each workload, and the cost."""
    ranking = Part("Ranking", _ranking_columns(board), tuple(ranking_notes(board)))
    measured = [column for workload in board.workloads for column in _workload_columns(workload)]
    fids = [_fid_column(column) for column in shown_fid(board)]
    workloads = Part("Each workload", (_METHOD, *measured, *fids), tuple(scale_notes(board)), reference_lines=True)
    return [ranking, workloads, Part("Cost", _cost_columns(), tuple(cost_notes(board)))]


def lines(board: Leaderboard, part: Part) -> list[list[str]]:
    """Write the part's rows, the reference lines first."""
    written = [[column.text(row) for column in part.columns] for row in board.rows]
    if not part.reference_lines:
        return written
    names = ("real data", "untrained generator")
    above = [
        [names[i] if column is _METHOD else column.reference_texts[i] for column in part.columns] for i in range(2)
    ]
    return above + written


def label(row: LeaderboardRow) -> str:
    return f"{row.method} {VARIANT_MARK}" if row.variant else row.method


def rank_text(row: LeaderboardRow) -> str:
    """Write the interval of the rank; `TIE_MARK` joins the leader's group."""
    rank = wording.ranks(row.rank_low, row.rank_high)
    return f"{TIE_MARK} {rank}" if row.ties_with_leader else rank


AVERAGE_SCORE: Final = "EMA score"


_METHOD: Final = Column("method", label)


def _ranking_columns(board: Leaderboard) -> tuple[Column, ...]:
    return (
        Column("group", lambda row: wording.MISSING if row.tie_group is None else str(row.tie_group)),
        Column("rank", rank_text),
        _METHOD,
        Column("score", lambda row: wording.score(row.score)),
        Column("95 %", lambda row: wording.interval(row.score_low, row.score_high)),
        *([Column(AVERAGE_SCORE, lambda row: wording.score(row.average_score))] if has_averages(board) else []),
        Column(f"P > {REFERENCE_METHOD}", better_text),
        Column("p", lambda row: wording.p_value(row.p_adjusted)),
        Column("failed", _failed),
        Column("cells", lambda row: f"{row.cells_done}/{row.cells_counting}"),
        Column("seeds", lambda row: str(row.seeds)),
        Column("late", lambda row: wording.score(row.late_regression)),
    )


def better_text(row: LeaderboardRow) -> str:
    """Write the probability of a better run than the reference's, with its interval."""
    if row.better_than_reference is None:
        return wording.MISSING
    interval = f"{wording.probability(row.better_low)}–{wording.probability(row.better_high)}"
    return f"{wording.probability(row.better_than_reference)} ({interval})"


def _failed(row: LeaderboardRow) -> str:
    return f"{row.failures}/{row.runs} ({wording.percents(row.failure_low, row.failure_high)})"


def _workload_columns(column: WorkloadColumn) -> list[Column]:
    def distance(row: LeaderboardRow) -> str:
        written = wording.distance(row.distances.get(column.name))
        return written if _whole(row, column) else f"{written} ({row.done.get(column.name, 0)}/{len(column.seeds)})"

    def modes(row: LeaderboardRow) -> str:
        return wording.count(row.modes.get(column.name))

    def quality(row: LeaderboardRow) -> str:
        return wording.percent(row.qualities.get(column.name))

    references = (wording.distance(column.floor), wording.distance(column.untrained))
    found = [Column(f"{column.name} {column.measure.split('[')[0]}", distance, references)]
    if column.scored_by == "modes":
        found.append(
            Column(f"{column.name} modes", modes, (wording.count(column.modes), wording.MISSING), with_next=True)
        )
        found.append(Column(f"{column.name} {quality_words(column)}", quality, quality_references(column)))
    return found


def quality_words(column: WorkloadColumn) -> str:
    """Return what the share is called that says how far to believe the modes: "high quality" or "readable"."""
    assert column.quality is not None
    return column.quality.replace("_", " ")


def quality_references(column: WorkloadColumn) -> tuple[str, str]:
    return wording.percent(column.quality_ceiling), wording.MISSING


def _fid_column(column: FidColumn) -> Column:
    def fid(row: LeaderboardRow) -> str:
        return wording.distance(column.medians.get(row.entrant))

    return Column(f"{column.workload} FID", fid, (wording.distance(column.floor), wording.MISSING))


def _whole(row: LeaderboardRow, column: WorkloadColumn) -> bool:
    return row.done.get(column.name, 0) == len(column.seeds)


def _cost_columns() -> tuple[Column, ...]:
    return (
        _METHOD,
        Column("images/s", lambda row: wording.count(row.images_per_second)),
        Column(f"pace to {REFERENCE_METHOD}", lambda row: wording.ratio(row.relative_throughput)),
        Column("D update", lambda row: wording.ratio(row.relative_discriminator_update)),
        Column("pairs", lambda row: str(row.cost_pairs)),
    )


def notes(board: Leaderboard) -> list[str]:
    """Say in full sentences what the table is made of and what it does not show."""
    said = facts(board)
    return [*said[:1], *(note for part in reversed(parts(board)) for note in part.notes), *said[1:]]
