"""The titles of the page's figures: what a figure shows, and not only what it is about."""

from collections.abc import Sequence

from bench.report import formatting, overview
from bench.report.column import label
from bench.report.curves import Band, at_step
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.budgets import ScoreByBudget

_MOST_NAMES = 3


def ranks_title(board: Leaderboard) -> str:
    """Say how many methods may be the best."""
    best = sum(bool(row.among_best) for row in board.ranked)
    return f"Ranks: {best} of {formatting.plural(len(board.ranked), 'method')} may be the best"


def costs_title(board: Leaderboard) -> str:
    """Say which methods no other beats in speed and score."""
    front = [label(row) for row in overview.pareto_front(board)]
    named = ", ".join(front) if len(front) <= _MOST_NAMES else f"{len(front)} of {len(board.scored)} methods"
    return f"Score against speed: no method beats {named} in both"


def score_title(by_budget: ScoreByBudget) -> str:
    """Say whether one method leads at every budget, or wherever one does."""
    leaders = list(dict.fromkeys(label(row) for row in by_budget.leaders if row is not None))
    if not leaders:
        return f"Score against budget: {by_budget.workload}, no method leads"
    if len(leaders) == 1:
        where = "where any does" if None in by_budget.leaders else "at each"
        return f"Score against budget: {by_budget.workload}, {leaders[0]} leads {where}"
    named = ", ".join(leaders) if len(leaders) <= _MOST_NAMES else f"{len(leaders)} methods"
    return f"Score against budget: {by_budget.workload}, the lead changes ({named})"


def curves_title(subject: str, workload: str, bands: Sequence[tuple[LeaderboardRow, Band]], end: float) -> str:
    """Say what the lowest and the highest middle of a quantity are at its last step, of the methods that reach it."""
    known = [(at_step(band, end), label(row)) for row, band in bands]
    ends = sorted((value, name) for value, name in known if value is not None)
    if len(ends) < 2:
        return f"{subject}: {workload}"
    (low, lowest), (high, highest) = ends[0], ends[-1]
    number = formatting.distance  # three digits, whatever is measured
    return f"{subject}: {workload}, at the end from {number(low)} ({lowest}) to {number(high)} ({highest})"
