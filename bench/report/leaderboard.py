"""What the leaderboard says: its values, its columns and its notes. `bench.report.formats` writes them down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import wording
from bench.report.notes import (
    BEST_MARK,
    VARIANT_MARK,
    against_notes,
    cost_notes,
    facts,
    has_averages,
    ranking_notes,
    shown_fid,
    workload_notes,
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
    provisional = any(row.provisional for row in board.scored)
    return f"{board.key.title} · provisional" if provisional else board.key.title


def parts(board: Leaderboard) -> list[Part]:
    """Divide the table into what is read together: ranking, verdicts, each workload, and the cost."""
    found = [Part("Ranking", _ranking_columns(board), tuple(ranking_notes(board)))]
    if board.reach is not None or any(column.reach is not None for column in board.workloads):
        found.append(Part(f"Against {REFERENCE_METHOD}", _against_columns(board), tuple(against_notes(board))))
    for column in board.workloads:
        said = tuple(workload_notes(board, column))
        found.append(Part(column.name, _workload_columns(board, column), said, reference_lines=True))
    return [*found, Part("Cost", _cost_columns(), tuple(cost_notes(board)))]


def lines(board: Leaderboard, part: Part) -> list[list[str]]:
    """Write the part's rows, the reference lines first."""
    written = [[column.text(row) for column in part.columns] for row in board.rows]
    if not part.reference_lines:
        return written
    names = ("real data", "untrained generator")
    above = [[names[i] if column is METHOD else column.reference_texts[i] for column in part.columns] for i in range(2)]
    return above + written


def label(row: LeaderboardRow) -> str:
    return f"{row.method} {VARIANT_MARK}" if row.variant else row.method


def rank_text(row: LeaderboardRow) -> str:
    """Write the interval of the rank; `BEST_MARK` stands before methods that may be the best."""
    rank = wording.ranks(row.rank_low, row.rank_high)
    return f"{BEST_MARK} {rank}" if row.among_best else rank


AVERAGE_SCORE: Final = "EMA score"

METHOD: Final = Column("method", label)


def _ranking_columns(board: Leaderboard) -> tuple[Column, ...]:
    return (
        Column("rank", rank_text),
        METHOD,
        Column("score", lambda row: wording.score(row.score)),
        Column("95 %", lambda row: wording.interval(row.score_low, row.score_high)),
        *([Column(AVERAGE_SCORE, lambda row: wording.score(row.average_score))] if has_averages(board) else []),
        Column("failed", _failed),
        Column("cells", lambda row: f"{row.cells_done}/{row.cells_counting}"),
        Column("seeds", lambda row: str(row.seeds)),
    )


def _against_columns(board: Leaderboard) -> tuple[Column, ...]:
    def on(column: WorkloadColumn) -> Column:
        return Column(column.name, lambda row: workload_verdict(row, column))

    overall = [
        Column("overall", lambda row: overall_verdict(board, row)),
        Column(f"P > {REFERENCE_METHOD}", better_text),
        Column("p", lambda row: p_text(board, row)),
    ]
    return (
        METHOD,
        *(overall if board.reach is not None else []),
        *(on(column) for column in board.workloads if column.reach is not None),
    )


def overall_verdict(board: Leaderboard, row: LeaderboardRow) -> str:
    """Write the verdict over all workloads."""
    return wording.verdict(row.verdict, row.detectable, possible=board.reach is not None and board.reach.shows)


def workload_verdict(row: LeaderboardRow, column: WorkloadColumn) -> str:
    """Write the verdict on one workload."""
    test = row.on[column.name].test if column.name in row.on else None
    if test is None:
        return wording.MISSING
    return wording.verdict(test.verdict, test.detectable, possible=column.reach is not None and column.reach.shows)


def p_text(board: Leaderboard, row: LeaderboardRow) -> str:
    """Write the adjusted p over all workloads; nothing where it could show nothing."""
    return wording.p_value(row.p_adjusted if board.reach is not None and board.reach.shows else None)


def workload_p(row: LeaderboardRow, column: WorkloadColumn) -> float | None:
    """Return the adjusted p on one workload; none where so few seeds could show nothing."""
    test = row.on[column.name].test if column.name in row.on else None
    return test.p_adjusted if test is not None and column.reach is not None and column.reach.shows else None


def better_text(row: LeaderboardRow) -> str:
    """Write the probability of a better run than the reference's, with its interval where it has one."""
    if row.better_than_reference is None:
        return wording.MISSING
    said = wording.probability(row.better_than_reference)
    if row.better_low is None:
        return said
    return f"{said} ({wording.probability(row.better_low)}–{wording.probability(row.better_high)})"


def _failed(row: LeaderboardRow) -> str:
    return f"{row.failures}/{row.runs} ({wording.percents(row.failure_low, row.failure_high)})"


def wins_text(row: LeaderboardRow, name: str) -> str:
    """Write at how many seeds of a workload a method is better than the reference, and at how many it is equal."""
    on = row.on.get(name)
    if on is None or on.wins is None:
        return wording.MISSING
    return f"{on.wins}/{on.pairs}" + (f", {wording.plural(on.ties, 'tie')}" if on.ties else "")


def _workload_columns(board: Leaderboard, column: WorkloadColumn) -> tuple[Column, ...]:
    """Return what a workload's score is made of beside it; a distance that is no part of it comes after the modes."""

    def distance(row: LeaderboardRow) -> str:
        written = wording.distance(row.distances.get(column.name))
        return written if _whole(row, column) else f"{written} ({row.done.get(column.name, 0)}/{len(column.seeds)})"

    references = (wording.distance(column.floor), wording.distance(column.untrained))
    fids = [_fid_column(each) for each in shown_fid(board) if each.workload == column.name]
    return (
        METHOD,
        *(_score_columns(board, column) if any(column.name in row.on for row in board.rows) else []),
        *(_mode_columns(column) if column.scored_by == "modes" else []),
        Column(column.measure.split("[")[0], distance, references),
        *fids,
        Column("late", lambda row: wording.score(row.late_regressions.get(column.name))),
    )


def _score_columns(board: Leaderboard, column: WorkloadColumn) -> list[Column]:
    def score(row: LeaderboardRow) -> str:
        return wording.score(row.on[column.name].score if column.name in row.on else None)

    def interval(row: LeaderboardRow) -> str:
        on = row.on.get(column.name)
        return wording.MISSING if on is None else wording.interval(on.low, on.high)

    found = [Column("score", score), Column("95 %", interval)]
    if board.reference is not None:
        found.append(Column(f"> {REFERENCE_METHOD}", lambda row: wins_text(row, column.name)))
    if column.reach is not None:
        found.append(Column("p", lambda row: wording.p_value(workload_p(row, column))))
    return found


def _mode_columns(column: WorkloadColumn) -> list[Column]:
    def modes(row: LeaderboardRow) -> str:
        return wording.count(row.modes.get(column.name))

    def divergence(row: LeaderboardRow) -> str:
        return wording.divergence(row.divergences.get(column.name))

    def quality(row: LeaderboardRow) -> str:
        return wording.percent(row.qualities.get(column.name))

    def coverage(row: LeaderboardRow) -> str:
        return wording.percent(row.coverages.get(column.name))

    missing = wording.MISSING
    found = [
        Column("modes", modes, (wording.count(column.modes), missing), with_next=True),
        Column("KL", divergence, (wording.divergence(0.0), missing), with_next=True),
        Column(quality_words(column), quality, quality_references(column), with_next=column.quality == "readable"),
    ]
    if column.quality == "readable":
        found.append(Column("coverage", coverage, (wording.percent(column.coverage_ceiling), missing)))
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

    return Column("FID", fid, (wording.distance(column.floor), wording.MISSING))


def _whole(row: LeaderboardRow, column: WorkloadColumn) -> bool:
    return row.done.get(column.name, 0) == len(column.seeds)


def _cost_columns() -> tuple[Column, ...]:
    return (
        METHOD,
        Column("images/s", lambda row: wording.count(row.images_per_second)),
        Column(f"pace to {REFERENCE_METHOD}", lambda row: wording.ratio(row.relative_throughput)),
        Column("D update", lambda row: wording.ratio(row.relative_discriminator_update)),
        Column("pairs", lambda row: str(row.cost_pairs)),
    )


def notes(board: Leaderboard) -> list[str]:
    """Say in full sentences what the table is made of and what it does not show."""
    said = facts(board)
    # What is said of several workloads in the same words is said once.
    return list(dict.fromkeys([*said[:1], *(note for part in parts(board) for note in part.notes), *said[1:]]))
