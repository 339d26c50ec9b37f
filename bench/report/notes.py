"""What is said below the leaderboard, in full sentences: what it is made of, and what it does not show."""

from typing import Final

from bench.config.protocol import PUBLISHABLE_SEEDS, REFERENCE_METHOD
from bench.report import wording
from bench.report.methods import aliases_of
from bench.statistics.board import Leaderboard, WorkloadColumn
from bench.statistics.inception import FidColumn
from bench.statistics.scales import Unscored

TIE_MARK: Final = "≈"
VARIANT_MARK: Final = "†"


def shown_fid(board: Leaderboard) -> list[FidColumn]:
    """Return the columns of FID that have a value; of the others a note says why they have none."""
    return [column for column in board.fid if column.measured]


def has_averages(board: Leaderboard) -> bool:
    """Say whether any method has a score of its generators' moving averages."""
    return any(row.average_score is not None for row in board.rows)


def facts(board: Leaderboard) -> list[str]:
    """The notes that belong to no part."""
    score = f"Score: interquartile mean over {_counting_words(board)}; a failed run counts 0. {_score_words(board)}"
    said = [
        score.strip(),
        *_certainty(board),
        _LATE,
        f"Made from {wording.plural(len(board.record_ids), 'record')}, digest {board.digest}, "
        f"protocol {board.key.protocol_version}, scoring {board.key.scoring_version}.",
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
    return " and ".join(counting) or "no cell yet, as no seed has results of most methods"


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


def scored(board: Leaderboard) -> list[WorkloadColumn]:
    """Return the workloads that are in the score."""
    return [column for column in board.workloads if column.seeds and column.unscored is None]


def nothing_scored(board: Leaderboard) -> bool:
    """Say whether there are counting results, and all of them on workloads without a scale."""
    return not scored(board) and any(column.unscored for column in board.workloads)


def scale_notes(board: Leaderboard) -> list[str]:
    """Say what the distances and the modes of each workload are held against."""
    said = [
        f"{column.name}: median {column.measure} of the last step; real data {wording.distance(column.floor)}, "
        f"untrained {wording.distance(column.untrained)}; lower is better."
        for column in board.workloads
    ]
    said += [_quality_note(column) for column in board.workloads if column.scored_by == "modes"]
    return said + [_fid_note(column) for column in board.fid]


def _quality_note(column: WorkloadColumn) -> str:
    what = (
        "high quality: median share of samples within three standard deviations of a mode"
        if column.quality == "high_quality"
        else "readable: median share of samples that the classifier is 90 % sure of"
    )
    return f"{column.name} {what}; real data {wording.percent(column.quality_ceiling)}. Modes say nothing without it."


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
    family = [row for row in board.ranked if row.p_adjusted is not None]
    said = ["failed: runs whose loss failed, with the exact 95 % interval of its rate.", *_average_notes(board)]
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
        "its own distance. Score, rank, group and p are the raw generator's."
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
