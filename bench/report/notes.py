"""What is said below the leaderboard, in full sentences: what it is made of, and what it does not show."""

from typing import Final

from bench.config.protocol import PUBLISHABLE_SEEDS, REFERENCE_METHOD
from bench.report import wording
from bench.report.methods import aliases_of
from bench.statistics.board import RANKING_VERSION, Leaderboard, WorkloadColumn
from bench.statistics.inception import FidColumn
from bench.statistics.scales import Unscored
from bench.statistics.standing import RANKED_SEEDS, Reach

BEST_MARK: Final = "≈"
VARIANT_MARK: Final = "†"


def shown_fid(board: Leaderboard) -> list[FidColumn]:
    """Return the columns of FID that have a value; of the others a note says why they have none."""
    return [column for column in board.fid if column.measured]


def has_averages(board: Leaderboard) -> bool:
    """Say whether any method has a score of its generators' moving averages."""
    return any(row.average_score is not None for row in board.rows)


def facts(board: Leaderboard) -> list[str]:
    """The notes that belong to no part."""
    score = f"Score: mean over {_counting_words(board)}; a failed run counts 0. {_score_words(board)}"
    said = [
        score.strip(),
        *_certainty(board),
        f"Made from {wording.plural(len(board.record_ids), 'record')}, digest {board.digest}, "
        f"protocol {board.key.protocol_version}, scoring {board.key.scoring_version}, ranking {RANKING_VERSION}.",
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
    counting = [f"{column.name} {wording.seed_words(column.seeds)}" for column in scored(board)]
    if nothing_scored(board):
        return "no workload, as none has a scale"
    if len(counting) > 1:
        return f"workloads, each weighing alike, of the means over {' and '.join(counting)}"
    return "".join(counting) or "no cell yet, as no seed has results of most methods"


def _score_words(board: Leaderboard) -> str:
    found: dict[str, list[str]] = {}
    for column in board.workloads:
        if column.unscored is None:
            found.setdefault(_rule(column, board.key.scoring_version), []).append(column.name)
    return "; ".join(f"{', '.join(names)}: {rule}" for rule, names in found.items()) + "." if found else ""


def _rule(column: WorkloadColumn, version: str) -> str:
    if column.scored_by == "distance":
        return "0 is the untrained generator's distance and 1 real data's, in logarithms"
    rule = "the share of modes found, less where they are found unevenly"
    if version == "1":
        return rule
    if column.quality == "high_quality":
        return f"{rule}, times the share of samples of high quality over real data's"
    return f"{rule}, times the readable share and the coverage of the samples over real data's"


def _certainty(board: Leaderboard) -> list[str]:
    if not board.scored:
        return []
    seeds = min(len(column.seeds) for column in scored(board))
    if seeds == 1:
        return ["A single seed carries no interval: the order shown is no ranking yet. Use --seeds to add more."]
    said = [
        "95 %: intervals of the means by Student's t, the workloads' joined after Satterthwaite; none where all runs "
        "are equal, as when all failed: such runs show no scatter to judge by."
    ]
    if seeds < RANKED_SEEDS:
        return [*said, f"Below {RANKED_SEEDS} seeds nothing is ranked or tested: these are scores alone. Use --seeds."]
    if not board.ranked:
        return [*said, "Every method scores 0: there is no leader, and nothing is ranked."]
    said.append(_ORDER)
    if any(row.provisional for row in board.ranked):
        said.append(f"Provisional: fewer than {PUBLISHABLE_SEEDS} seeds show large differences alone.")
    return said


_ORDER: Final = (
    f"{BEST_MARK} marks methods that may be the best: a best method is left out in one table of twenty at most "
    "(comparisons with the best, studentised paired differences). rank: between these ranks lie all methods at once "
    "in nineteen tables of twenty; where two overlap, the order of the two methods is not settled. That asks for more "
    f"than one comparison does: a method without {BEST_MARK} can have rank 1 in its interval."
)


def scored(board: Leaderboard) -> list[WorkloadColumn]:
    """Return the workloads that are in the score."""
    return [column for column in board.workloads if column.seeds and column.unscored is None]


def nothing_scored(board: Leaderboard) -> bool:
    """Say whether there are counting results, and all of them on workloads without a scale."""
    return not scored(board) and any(column.unscored for column in board.workloads)


def workload_notes(board: Leaderboard, column: WorkloadColumn) -> list[str]:
    """Say what a workload's numbers are held against, and what its tests can show."""
    said = [
        f"{column.name}: median {column.measure} of the last step; real data {wording.distance(column.floor)}, "
        f"untrained {wording.distance(column.untrained)}; lower is better."
    ]
    if column.scored_by == "modes":
        said += [f"{column.name}: the distance is no part of the score.", _quality_note(column)]
    said += [_fid_note(each) for each in board.fid if each.workload == column.name]
    if column.reach is not None:
        said.append(
            f"{column.name} > {REFERENCE_METHOD}: at how many seeds the score is higher. {_reach(board, column)}"
        )
    return [*said, _LATE]


def _reach(board: Leaderboard, column: WorkloadColumn) -> str:
    assert column.reach is not None
    family = len(board.scored) - 1
    return (
        "p: exact two-sided test of flipped signs of the paired differences, after Holm over "
        f"{wording.plural(family, 'method')} on this workload. {_least(column.reach)}"
    )


def _least(reach: Reach) -> str:
    least = f"The least p that so many seeds and methods can give is {wording.p_value(reach.least)}"
    if not reach.shows:
        return f"{least}: nothing can be shown, and no p is."
    if reach.detectable is None:
        return f"{least}."
    return (
        f"{least}; a difference of {wording.difference(reach.detectable)} would be shown with 80 % (median over "
        "methods)."
    )


def _quality_note(column: WorkloadColumn) -> str:
    what = (
        "high quality: median share of samples within three standard deviations of a mode"
        if column.quality == "high_quality"
        else "readable: median share of samples that the classifier is 90 % sure of"
    )
    return (
        f"{column.name} KL: median divergence of the modes' shares from equal ones. {column.name} {what}; real data "
        f"{wording.percent(column.quality_ceiling)}. Modes say nothing without it."
    )


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


def ranking_notes(board: Leaderboard) -> list[str]:
    said = ["failed: runs whose loss failed, with the exact 95 % interval of its rate.", *_average_notes(board)]
    if board.reference is None:
        return [*said, f"{REFERENCE_METHOD} has no score here: nothing is tested against it."]
    return said


def against_notes(board: Leaderboard) -> list[str]:
    """Say how methods are held against the reference."""
    said = [
        "better, worse: shown at 5 %, over all methods of the column at once. not shown: a difference of the size that "
        "could have been seen would have been shown with 80 %; nothing is known of smaller ones. mixed: the workloads "
        "contradict each other."
    ]
    if board.reach is None:
        return said
    family = wording.plural(len(board.ranked) - 1, "method")
    return [
        *said,
        f"P > {REFERENCE_METHOD}: how often a run is better than one of {REFERENCE_METHOD}, averaged over workloads, "
        "with its 95 % interval (none where all runs of one are better); 0.5 is no difference.",
        "p: the workloads' paired tests joined, each weighing alike (Stouffer), after Holm over "
        f"{family}. {_least(board.reach)}",
    ]


def cost_notes(board: Leaderboard) -> list[str]:
    said = [f"images/s: median over the runs of {board.timed_on} on one kind of hardware, the most frequent."]
    if board.reference is not None:
        said.append(
            f"pace, D update: images a second, and seconds of a discriminator update, over {REFERENCE_METHOD}'s; "
            f"medians over pairs of equal workload, seed and hardware, of {', '.join(board.timed)}."
        )
    return said


def _average_notes(board: Leaderboard) -> list[str]:
    if not has_averages(board):
        return []
    return [
        "EMA score: the same score of the moving average of the generator's weights at the last step, which fails by "
        "its own distance. Score, rank and p are the raw generator's."
    ]


def _left_out(board: Leaderboard) -> list[str]:
    said = [_unscored_words(column.name, column.unscored) for column in board.workloads if column.unscored]
    if nothing_scored(board):
        said.append("No workload is left to score on: nothing is ranked.")
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


def _unscored_words(name: str, unscored: Unscored) -> str:
    lacking = unscored.lacking
    return (
        f"{name} is in no score, of any method: {lacking.reason} ({unscored.results} of {unscored.of} results; the "
        f"first is records/{unscored.record}.json). To have one: {lacking.way_out}."
    )
