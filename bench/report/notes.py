"""What is said below the whole leaderboard, in full sentences: what it is made of, and what it does not show."""

from typing import Final

from bench.config.protocol import PUBLISHABLE_SEEDS
from bench.report import formatting
from bench.report.column import BEST_MARK, VARIANT_MARK
from bench.report.methods import aliases_of
from bench.statistics.board import RANKING_VERSION, Leaderboard, WorkloadColumn
from bench.statistics.estimates import RANKED_SEEDS
from bench.statistics.scales import Unscored


def facts(board: Leaderboard) -> list[str]:
    """Return the notes that belong to no part."""
    score = f"Score: mean over {_counting_text(board)}; a failed run counts 0. {_score_text(board)}"
    said = [
        score.strip(),
        *_certainty(board),
        f"Made from {formatting.plural(len(board.record_ids), 'record')}, digest {board.digest}, "
        f"protocol {board.key.protocol_version}, scoring {board.key.scoring_version}, ranking {RANKING_VERSION}.",
    ]
    if board.origins is not None:
        said.append(
            f"Ranked among the published records of {', '.join(board.origins.campaigns)}, which stay as they are. "
            f"Their numbers may be compared: {' '.join(board.origins.checks)}"
        )
    if any(not row.complete and not row.variant for row in board.rows):
        said.append(
            "Methods with missing cells are listed without score and rank; run the same command again to go on."
        )
    if any(row.variant for row in board.rows):
        said.append(f"{VARIANT_MARK} not well defined on this discriminator: a labelled variant, never ranked.")
    said.extend(_aliases(board))
    said.extend(_shared_names(board))
    said.extend(_left_out(board))
    return said


def _aliases(board: Leaderboard) -> list[str]:
    aliases = {row.method: aliases_of(row.method) for row in board.rows}
    said = [f"{name} is also {' and '.join(others)}" for name, others in aliases.items() if others]
    return [f"The same gradients under another name: {'; '.join(said)}."] if said else []


def _shared_names(board: Leaderboard) -> list[str]:
    """Name what was recorded of methods whose rows are called by their expressions, as several have had the name."""
    spelled = [row for row in board.rows if row.method == row.expression]
    recorded = {record.spec.method_name for row in spelled for runs in row.results.values() for record in runs}
    names = sorted(recorded - {row.expression for row in spelled})
    return [f"Recorded of several methods under one name, {', '.join(names)}: each is spelled out."] if names else []


def _counting_text(board: Leaderboard) -> str:
    counting = [f"{column.name} {formatting.seed_text(column.seeds)}" for column in scored(board)]
    if nothing_scored(board):
        return "no workload, as none has a scale"
    if len(counting) > 1:
        return f"workloads, each weighing alike, of the means over {' and '.join(counting)}"
    return "".join(counting) or "no cell yet, as no seed has results of most methods"


def _score_text(board: Leaderboard) -> str:
    by_rule: dict[str, list[str]] = {}
    for column in board.workloads:
        if column.unscored is None:
            by_rule.setdefault(_rule(column, board.key.scoring_version), []).append(column.name)
    return "; ".join(f"{', '.join(names)}: {rule}" for rule, names in by_rule.items()) + "." if by_rule else ""


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
    columns = scored(board)
    seeds = min(len(column.seeds) for column in columns)
    tested = [column.name for column in columns if column.reach is not None]
    if seeds == 1 and not tested:
        return ["A single seed carries no interval: the order shown is no ranking yet. Use --seeds to add more."]
    said = [
        "95 %: intervals of the means by Student's t, the workloads' joined after Satterthwaite; none where all runs "
        "are equal, as when all failed: such runs show no scatter to judge by."
    ]
    if seeds < RANKED_SEEDS and tested:
        few = " and ".join(column.name for column in columns if len(column.seeds) < RANKED_SEEDS)
        return [
            *said,
            f"Below {RANKED_SEEDS} seeds of {few} nothing is ranked, or tested over all workloads. The tests are of "
            f"{' and '.join(tested)} alone. Use --seeds.",
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


def _left_out(board: Leaderboard) -> list[str]:
    said = [_unscored_text(column.name, column.unscored) for column in board.workloads if column.unscored]
    if nothing_scored(board):
        said.append("No workload is left to score on: nothing is ranked.")
    if board.uncounted:
        further = formatting.plural(board.uncounted, "further result")
        said.append(f"Not in the score: {further} with seeds that few methods have.")
    if board.superseded:
        said.append(
            f"Not in this table: {formatting.plural(board.superseded, 'record')} of other data or component versions."
        )
    if board.fingerprints > 1:
        pace = "" if board.iterations else f"; images/s is that of the most frequent one, {board.timed_hardware}"
        said.append(f"The records come from {board.fingerprints} kinds of machine{pace}.")
    lost = sum(row.lost for row in board.rows)
    if lost:
        runs = formatting.plural(lost, "run")
        said.append(f"Counted as missing: {runs} that ended in a timeout or an error of the machinery.")
    return said


def _unscored_text(name: str, unscored: Unscored) -> str:
    lacking = unscored.lacking
    return (
        f"{name} is in no score, of any method: {lacking.reason} ({unscored.results} of {unscored.of} results; the "
        f"first is records/{unscored.record}.json). To have one: {lacking.way_out}."
    )
