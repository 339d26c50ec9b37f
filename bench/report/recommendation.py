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


def basis(found: Recommendation, campaigns: Sequence[str]) -> str:
    """Say what was asked, and on which records the answer rests."""
    asked = f"What to try first on {found.asked.name}"
    if found.board is None or found.workload is None:
        return f"{asked}: the published records do not say. {found.unknown[:1].upper()}{found.unknown[1:]}."
    rest = (
        f"{formatting.plural(found.methods, 'method')} on {found.workload.name}, {found.steps:,} steps of "
        f"{found.board.key.batch}, {formatting.plural(seeds_of(found.board), 'seed')} each ({', '.join(campaigns)})"
    )
    if found.picks:
        return f"{asked}, by {rest}:"
    return f"{asked}: the published records do not say. The nearest are {rest}; {found.unknown}."


def rows(found: Recommendation, costs: IterationCosts) -> list[tuple[str, ...]]:
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
        for rank, row in enumerate(found.picks, 1)
    ]


def notes(found: Recommendation, costs: IterationCosts) -> list[str]:
    """Return what the answer does not cover, and the command that tries it out."""
    said = list(found.caveats)
    if found.picks:
        said.append(
            f"Cost is the time of a training iteration over that of {costs.reference}, measured on {costs.machine} "
            f"({costs.setting})."
        )
        said.append(f"Try them on your data: {_trial_command(found, [row.method for row in found.picks])}")
    else:
        said.append(f"To find out, name the methods to compare: {_trial_command(found, ('nsgan', 'nsgan-r1'))}")
    return said


def document(found: Recommendation, costs: IterationCosts, campaigns: Sequence[str]) -> dict[str, object]:
    """Return the recommendation for a program."""
    return {
        "asked": found.asked.name,
        "steps_asked": found.steps_asked,
        "known": bool(found.picks),
        "unknown": found.unknown or None,
        "workload": found.workload.name if found.workload else None,
        "differences": list(found.differences),
        "campaigns": list(campaigns),
        "steps": found.steps,
        "methods": found.methods,
        "digest": found.board.digest if found.board else None,
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
            for row in found.picks
        ],
        "notes": notes(found, costs),
    }


def _cost(row: LeaderboardRow, costs: IterationCosts) -> str:
    cost = costs.costs.get(row.expression)
    return "not measured" if cost is None else f"{cost:.2f}x"


def _trial_command(answer: Recommendation, methods: Sequence[str]) -> str:
    named = [word for method in methods for word in ("--method", method)]
    steps = [] if answer.steps is None else ["--steps", str(answer.steps)]
    return command("run", "--workload", answer.asked.name, *named, *steps, "--seeds", str(RANKED_SEEDS))
