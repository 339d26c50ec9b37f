"""A recommendation in words: what to try first, on which records it rests, and what they do not cover."""

from collections.abc import Sequence
from typing import Final

from bench.config.commands import command
from bench.report import formatting
from bench.statistics.board import LeaderboardRow
from bench.statistics.estimates import RANKED_SEEDS
from bench.statistics.recommendation import Recommendation, seeds_of
from bench.store.iteration_costs import IterationCosts

HEADINGS: Final = ("", "method", "score", "95 %", "failed", "cost", "")
"""Of `rows`."""


def basis(advice: Recommendation, campaigns: Sequence[str]) -> str:
    """Say what was asked, and on which records the answer rests."""
    asked = f"What to try first on {advice.asked.name}"
    if advice.board is None or advice.workload is None:
        return f"{asked}: the published records do not say. {advice.unknown[:1].upper()}{advice.unknown[1:]}."
    rest = (
        f"{formatting.plural(advice.methods, 'method')} on {advice.workload.name}, {advice.steps:,} steps of "
        f"{advice.board.key.batch}, {formatting.plural(seeds_of(advice.board), 'seed')} each ({', '.join(campaigns)})"
    )
    if advice.picks:
        return f"{asked}, by {rest}:"
    return f"{asked}: the published records do not say. The nearest are {rest}; {advice.unknown}."


def rows(advice: Recommendation, costs: IterationCosts) -> list[tuple[str, ...]]:
    """Return a row of texts for each method, in the order of `HEADINGS`."""
    return [
        (
            str(rank),
            row.method,
            formatting.score(row.score),
            formatting.interval(row.score_low, row.score_high),
            f"{row.failures} of {row.runs}",
            _cost(row, costs),
            "may be the best" if row.among_best else "shown to be worse than the best",
        )
        for rank, row in enumerate(advice.picks, 1)
    ]


def notes(advice: Recommendation, costs: IterationCosts) -> list[str]:
    """Return what the answer does not cover, and the command that tries it out."""
    said = list(advice.caveats)
    if advice.picks:
        said.append(
            f"Cost is the time of a training iteration over that of {costs.reference}, measured on {costs.machine} "
            f"({costs.setting})."
        )
        said.append(f"Try them on your data: {_trial_command(advice, [row.method for row in advice.picks])}")
    else:
        said.append(f"To find out, name the methods to compare: {_trial_command(advice, ('nsgan', 'nsgan-r1'))}")
    return said


def document(advice: Recommendation, costs: IterationCosts, campaigns: Sequence[str]) -> dict[str, object]:
    """Return the recommendation for a program."""
    return {
        "asked": advice.asked.name,
        "steps_asked": advice.steps_asked,
        "known": bool(advice.picks),
        "unknown": advice.unknown or None,
        "workload": advice.workload.name if advice.workload else None,
        "differences": list(advice.differences),
        "campaigns": list(campaigns),
        "steps": advice.steps,
        "methods": advice.methods,
        "digest": advice.board.digest if advice.board else None,
        "first": [
            {
                "method": row.method,
                "expression": row.expression,
                "score": row.score,
                "score_low": row.score_low,
                "score_high": row.score_high,
                "rank_low": row.rank_low,
                "rank_high": row.rank_high,
                "among_best": row.among_best,
                "seeds": row.seeds,
                "failures": row.failures,
                "runs": row.runs,
                "iteration_cost": costs.costs.get(row.expression),
            }
            for row in advice.picks
        ],
        "notes": notes(advice, costs),
    }


def _cost(row: LeaderboardRow, costs: IterationCosts) -> str:
    cost = costs.costs.get(row.expression)
    return "not measured" if cost is None else f"{cost:.2f}x"


def _trial_command(answer: Recommendation, methods: Sequence[str]) -> str:
    named = [word for method in methods for word in ("--method", method)]
    steps = [] if answer.steps is None else ["--steps", str(answer.steps)]
    return command("run", "--workload", answer.asked.name, *named, *steps, "--seeds", str(RANKED_SEEDS))
