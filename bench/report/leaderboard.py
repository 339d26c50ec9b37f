"""What the leaderboard says: its values, its columns and its notes. `bench.report.formats` writes them down."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from bench.config.protocol import PUBLISHABLE_SEEDS, REFERENCE_METHOD
from bench.report import methods, wording
from bench.statistics.inception import FidColumn
from bench.statistics.ranking import Leaderboard, LeaderboardRow, WorkloadColumn

Value = str | int | float | bool | None

TIE_MARK: Final = "≈"
VARIANT_MARK: Final = "†"


@dataclass(frozen=True)
class Column:
    """A heading, and how a row is written under it."""

    heading: str
    text: Callable[[LeaderboardRow], str]
    reference_texts: tuple[str, str] = ("", "")
    """What real data and the untrained generator reach."""


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
    ranking = Part("Ranking", _ranking_columns(), tuple(_reference_notes(board)))
    measured = [column for workload in board.workloads for column in _workload_columns(workload)]
    fids = [_fid_column(column) for column in shown_fid(board)]
    workloads = Part("Each workload", (_METHOD, *measured, *fids), tuple(_scale(board)), reference_lines=True)
    return [ranking, workloads, Part("Cost", _cost_columns(), tuple(_cost_notes(board)))]


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


_METHOD: Final = Column("method", label)


def _ranking_columns() -> tuple[Column, ...]:
    return (
        Column("group", lambda row: wording.MISSING if row.tie_group is None else str(row.tie_group)),
        Column("rank", rank_text),
        _METHOD,
        Column("score", lambda row: wording.score(row.score)),
        Column("95 %", lambda row: wording.interval(row.score_low, row.score_high)),
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

    references = (wording.distance(column.floor), wording.distance(column.untrained))
    found = [Column(f"{column.name} {column.measure.split('[')[0]}", distance, references)]
    if column.scored_by == "modes":
        found.append(Column(f"{column.name} modes", modes, (wording.count(column.modes), wording.MISSING)))
    return found


def _fid_column(column: FidColumn) -> Column:
    def fid(row: LeaderboardRow) -> str:
        return wording.distance(column.medians.get(row.entrant))

    return Column(f"{column.workload} FID", fid, (wording.distance(column.floor), wording.MISSING))


def shown_fid(board: Leaderboard) -> list[FidColumn]:
    """Return the columns of FID that have a value; of the others a note says why they have none."""
    return [column for column in board.fid if column.measured]


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


def aliases_of(name: str) -> list[str]:
    """Return the other names of a method, which have no rows of their own."""
    return sorted(entry.name for entry in methods.methods() if entry.alias_of == name)


def flat_row(board: Leaderboard, row: LeaderboardRow) -> dict[str, Value]:
    """Return one row with everything it is known by; the machine-readable formats write exactly this.

    Numbers have ten significant digits: the last bits of a sum differ among machines, the bytes of a table must not.
    """
    values: dict[str, Value] = {
        "table": board.key.title,
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "tie_group": row.tie_group,
        "ties_with_leader": row.ties_with_leader,
        "method": row.method,
        "aliases": " ".join(aliases_of(row.method)),
        "expression": row.expression,
        "score": row.score,
        "score_low": row.score_low,
        "score_high": row.score_high,
        "better_than_reference": row.better_than_reference,
        "better_low": row.better_low,
        "better_high": row.better_high,
        "p_value": row.p_value,
        "p_adjusted": row.p_adjusted,
        "cells_done": row.cells_done,
        "cells_counting": row.cells_counting,
        "seeds": row.seeds,
        "provisional": row.provisional,
        "variant": row.variant,
        "runs": row.runs,
        "failures": row.failures,
        "failure_low": row.failure_low,
        "failure_high": row.failure_high,
        "lost": row.lost,
        "late_regression": row.late_regression,
        "timed_on": board.timed_on,
        "images_per_second": row.images_per_second,
        "relative_throughput": row.relative_throughput,
        "relative_discriminator_update": row.relative_discriminator_update,
        "cost_pairs": row.cost_pairs,
    }
    for column in board.workloads:
        values |= {f"{column.name}_{name}": value for name, value in _workload_values(row, column).items()}
    values |= {f"{column.workload}_fid": column.medians.get(row.entrant) for column in shown_fid(board)}
    return {name: _stable(value) for name, value in values.items()}


def _workload_values(row: LeaderboardRow, column: WorkloadColumn) -> dict[str, Value]:
    spread = row.spreads.get(column.name)
    return {
        "distance": row.distances.get(column.name),
        "floor": column.floor,
        "untrained": column.untrained,
        "modes": row.modes.get(column.name),
        "cells_done": row.done.get(column.name, 0),
        "cells_counting": len(column.seeds),
        **(asdict(spread) if spread else dict.fromkeys(("tail", "luck", "relative"))),
    }


def _stable(value: Value) -> Value:
    return float(f"{value:.10g}") if isinstance(value, float) else value


def notes(board: Leaderboard) -> list[str]:
    """Say in full sentences what the table is made of and what it does not show."""
    said = facts(board)
    return [*said[:1], *(note for part in reversed(parts(board)) for note in part.notes), *said[1:]]


def facts(board: Leaderboard) -> list[str]:
    """The notes that belong to no part."""
    said = [
        f"Score: interquartile mean over {_counting_words(board)}; a failed run counts 0. {_score_words(board)}",
        *_certainty(board),
        _LATE,
        f"Made from {wording.plural(len(board.record_ids), 'record')}, digest {board.digest}, "
        f"protocol {board.key.protocol_version}.",
    ]
    if any(not row.complete and not row.variant for row in board.rows):
        said.append(
            "Methods with missing cells are listed without score and rank; run the same command again to go on."
        )
    if any(row.variant for row in board.rows):
        said.append(f"{VARIANT_MARK} not well defined on this discriminator: a labelled variant, never ranked.")
    said.extend(_aliases(board))
    said.extend(_left_out(board))
    return said


def _aliases(board: Leaderboard) -> list[str]:
    found = {row.method: aliases_of(row.method) for row in board.rows}
    said = [f"{name} is also {' and '.join(others)}" for name, others in found.items() if others]
    return [f"The same gradients under another name: {'; '.join(said)}."] if said else []


def _counting_words(board: Leaderboard) -> str:
    counting = [f"{column.name} {wording.seed_words(column.seeds)}" for column in board.workloads if column.seeds]
    return " and ".join(counting) or "no cell yet, as no seed has results of most methods"


def _score_words(board: Leaderboard) -> str:
    rules = {
        "distance": "0 is the untrained generator's distance and 1 real data's, in logarithms",
        "modes": "the share of modes found, less where they are found unevenly",
    }
    found = {rule: [column.name for column in board.workloads if column.scored_by == rule] for rule in rules}
    used = [f"{', '.join(names)}: {rules[rule]}" for rule, names in found.items() if names]
    return "; ".join(used) + "."


def _certainty(board: Leaderboard) -> list[str]:
    if not board.ranked:
        return []
    if all(row.rank_low is None for row in board.ranked):
        return ["A single seed carries no interval: the order shown is no ranking yet. Use --seeds to add more."]
    said = [
        f"Intervals: 95 %, {board.resamples:,} joint bootstrap resamples of the seeds. {TIE_MARK} marks methods whose "
        "paired difference to the highest score includes 0: they cannot be told apart from it."
    ]
    if any(row.provisional for row in board.ranked):
        said.append(f"Provisional: with fewer than {PUBLISHABLE_SEEDS} seeds the intervals cover less than they say.")
    return said


def _scale(board: Leaderboard) -> list[str]:
    return [
        f"{column.name}: median {column.measure} of the last step; real data {wording.distance(column.floor)}, "
        f"untrained {wording.distance(column.untrained)}; lower is better."
        for column in board.workloads
    ] + [_fid_note(column) for column in board.fid]


def _fid_note(column: FidColumn) -> str:
    if not column.measured:
        return (
            f"{column.workload}: no FID, as these runs were made without Inception (not asked for, or its weights were "
            "not there); run --inception require measures it, in new attempts."
        )
    several = column.results > column.measured
    share = f" {column.measured} of {column.results} results have it;" if several else ""
    return (
        f"{column.workload} FID: median {column.measure} of the last step;{share} real test images "
        f"{wording.distance(column.floor)}; no part of the score."
    )


_LATE: Final = "late: median of log(last / best distance), 0 if training never got worse again."


def _reference_notes(board: Leaderboard) -> list[str]:
    family = [row for row in board.ranked if row.p_adjusted is not None]
    said = ["failed: runs whose loss failed, with the exact 95 % interval of its rate."]
    if board.reference is None:
        return [*said, f"{REFERENCE_METHOD} has no rank here: nothing is tested against it."]
    if not family:
        return said
    return [
        *said,
        f"P > {REFERENCE_METHOD}: how often a run is better than one of {REFERENCE_METHOD}, averaged over workloads, "
        "with its 95 % interval; 0.5 is no difference. p: paired permutation test of the scores, after Holm over "
        f"{wording.plural(len(family), 'method')}.",
        "group: 1 for all that cannot be told apart from the highest score; the highest of the others leads 2, and "
        "so on.",
    ]


def _cost_notes(board: Leaderboard) -> list[str]:
    said = [f"images/s: median over the runs of {board.timed_on} on one kind of hardware, the most frequent."]
    if board.reference is not None:
        said.append(
            f"pace, D update: images a second, and seconds of a discriminator update, over {REFERENCE_METHOD}'s; "
            f"medians over pairs of equal workload, seed and hardware, of {', '.join(board.timed)}."
        )
    return said


def _left_out(board: Leaderboard) -> list[str]:
    said = []
    if board.uncounted:
        said.append(
            f"Not in the score: {wording.plural(board.uncounted, 'further result')} with seeds that few methods have."
        )
    if board.superseded:
        said.append(
            f"Not in this table: {wording.plural(board.superseded, 'record')} of older data or component versions."
        )
    if board.fingerprints > 1:
        said.append(f"The records come from {board.fingerprints} machines; images/s is the most frequent one's.")
    lost = sum(row.lost for row in board.rows)
    if lost:
        said.append(
            f"Counted as missing: {wording.plural(lost, 'run')} that ended in a timeout or an error of the machinery."
        )
    return said
