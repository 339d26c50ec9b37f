"""A recommendation in words: what to try first, on which records it rests, and what they do not cover."""

from collections.abc import Mapping, Sequence
from typing import Final

from bench.config.commands import command
from bench.config.protocol import REFERENCE_METHOD
from bench.report import formatting
from bench.statistics.board import LeaderboardRow
from bench.statistics.estimates import RANKED_SEEDS
from bench.statistics.recommendation import Recommendation, seeds_of
from bench.store.iteration_costs import IterationCosts

Costs = Mapping[str, IterationCosts]
"""By the norm of the discriminator, as the package has them."""

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


def rows(advice: Recommendation, costs: Costs) -> list[tuple[str, ...]]:
    """Return a row of texts for each method, in the order of `HEADINGS`."""
    measured = _measured(advice, costs)
    return [
        (
            str(rank),
            row.method,
            formatting.score(row.score),
            formatting.interval(row.score_low, row.score_high),
            f"{row.failures} of {row.runs}",
            _cost_text(row, measured),
            "may be the best" if row.among_best else "shown to be worse than the best",
        )
        for rank, row in enumerate(advice.picks, 1)
    ]


def notes(advice: Recommendation, costs: Costs) -> list[str]:
    """Return what the answer does not cover, and the command that tries it out."""
    said = list(advice.caveats)
    if advice.picks:
        measured = _measured(advice, costs)
        if measured is not None:
            said.append(
                f"Cost is the time of a training iteration over that of {measured.reference}, measured on "
                f"{measured.machine} ({measured.setting})."
            )
        said.append(f"Try them on your data: {_trial_command(advice, [row.method for row in advice.picks])}")
    else:
        said.append(f"To find out, name the methods to compare: {_trial_command(advice, ('nsgan-r1',))}")
    return said


def document(advice: Recommendation, costs: Costs, campaigns: Sequence[str]) -> dict[str, object]:
    """Return the recommendation for a program."""
    measured = _measured(advice, costs)
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
                "iteration_cost": _cost(row, measured),
            }
            for row in advice.picks
        ],
        "notes": notes(advice, costs),
    }


def _measured(advice: Recommendation, costs: Costs) -> IterationCosts | None:
    """Return the costs under the norm of the table, which is part of every step."""
    return costs.get(advice.board.key.d_norm) if advice.board else None


def _cost(row: LeaderboardRow, measured: IterationCosts | None) -> float | None:
    return measured.costs.get(row.expression) if measured else None


def _cost_text(row: LeaderboardRow, measured: IterationCosts | None) -> str:
    cost = _cost(row, measured)
    return "not measured" if cost is None else f"{cost:.2f}x"


def _trial_command(answer: Recommendation, methods: Sequence[str]) -> str:
    """Return what trains the methods and, since verdicts and costs are relative to it, the reference."""
    compared = dict.fromkeys((*methods, REFERENCE_METHOD))
    named = [word for method in compared for word in ("--method", method)]
    steps = [] if answer.steps is None else ["--steps", str(answer.steps)]
    return command("run", "--workload", answer.asked.name, *named, *steps, "--seeds", str(RANKED_SEEDS))
