"""Score against budget in words and as lines: who leads at which budget, and how far the order agrees with the last."""

import math

import numpy as np

from bench.report.column import label
from bench.report.curves import Band, Line
from bench.statistics.budgets import ScoreByBudget
from bench.statistics.intervals import Array


def score_lines(by_budget: ScoreByBudget, place: int) -> list[Line]:
    """Return the curve of each seed of the method at a place."""
    return [
        Line(seed, [(float(step), float(score)) for step, score in zip(by_budget.steps, own, strict=True)])
        for seed, own in zip(by_budget.seeds, by_budget.runs[place], strict=True)
    ]


def score_band(by_budget: ScoreByBudget, place: int) -> Band:
    """Return the mean score of the method at a place, between the ends of its 95 % interval."""
    return Band(
        steps=[float(step) for step in by_budget.steps],
        low=_ends(by_budget.low, place, len(by_budget.steps)),
        middle=[float(score) for score in by_budget.scores[place]],
        high=_ends(by_budget.high, place, len(by_budget.steps)),
    )


def budget_caption(by_budget: ScoreByBudget) -> str:
    """Say what the figure shows, who leads where, and whether a shorter budget would have given the same order."""
    band = ", the band its 95 % interval" if by_budget.low is not None else ""
    return (
        f"The score that a table of each budget would give: the line is the mean over seeds{band}, and a run that has "
        f"failed by then counts 0. By the mean, {leaders_text(by_budget)}. {agreement_text(by_budget)}"
    )


def leaders_text(by_budget: ScoreByBudget) -> str:
    """Write who has the highest mean at which budgets: "rpgan leads at 500 steps, nsgan from 1,000 to 3,000"."""
    spans: list[str] = []
    for leader, first, last in by_budget.leads:
        at = f"at {first:,}" if first == last else f"from {first:,} to {last:,}"
        spans.append(f"{label(leader)} {'leads ' if not spans else ''}{at}{' steps' if not spans else ''}")
    return ", ".join(spans) or "no method leads at any budget, as several have the highest"


def agreement_text(by_budget: ScoreByBudget) -> str:
    """Write how the order of the methods at half of the budget agrees with that at the end."""
    half = by_budget.half
    tau = by_budget.agreement[half]
    if math.isnan(tau):
        budgets = " and ".join(f"{steps:,}" for steps in level_budgets(by_budget))
        return f"At {budgets} steps all methods have the same score, which is no order."
    return (
        f"The order at {by_budget.steps[half]:,} steps agrees with that at {by_budget.steps[-1]:,} by Kendall's "
        f"tau = {tau:.2f} (1: the same order; 0: no relation)."
    )


def level_budgets(by_budget: ScoreByBudget) -> list[int]:
    """Return at which of half the budget and the end all methods have the same score."""
    places = (by_budget.half, len(by_budget.steps) - 1)
    return [by_budget.steps[place] for place in places if np.ptp(by_budget.scores[:, place]) == 0]


def _ends(ends: Array | None, index: int, count: int) -> list[float | None]:
    if ends is None:
        return [None] * count
    return [None if math.isnan(end) else float(end) for end in ends[index]]
