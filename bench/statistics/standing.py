"""Where methods stand that share all their cells: scores, ranks, tie groups, and each against the reference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.statistics.intervals import Array, bootstrap_iqm, iqm, percentile_interval, rank_intervals
from bench.statistics.paired import holm, improvement_intervals, paired_permutations, probability_of_improvement

IMPROVEMENT_RESAMPLES: Final = 10_000
"""Of the probability of improvement: its interval is read to two digits, and costs the square of the seeds."""


@dataclass(frozen=True, kw_only=True)
class Against:
    """One method against the reference."""

    probability: float
    """P(better) + P(equal) / 2, averaged over workloads."""
    low: float
    high: float
    p_value: float
    """Of the paired permutation test on the scores."""
    p_adjusted: float
    """The same after Holm, over all ranked methods but the reference."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One method among the others. Without intervals where a workload has a single seed."""

    score: float
    rank: int
    low: float | None = None
    high: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    group: int | None = None
    against: Against | None = None
    """None for the reference itself, and where it has no rank."""


def standings(strata: Sequence[Array], *, reference: int | None, resamples: int, seed: int) -> list[Standing]:
    """Return where each method stands.

    Args:
        strata: the scores, one array `[methods, seeds]` a workload; column s is the same seed for every method.
        reference: the row that all others are tested against, if it is among them.
        resamples: joint bootstrap replicates of the score.
        seed: of everything that is drawn.
    """
    points = iqm(np.concatenate(strata, axis=1))
    found = [Standing(score=float(point), rank=1 + int((points > point).sum())) for point in points]
    if min(stratum.shape[1] for stratum in strata) == 1:
        # One seed resampled is the same seed again: the interval would have no width and claim certainty.
        return found
    replicates = bootstrap_iqm(strata, resamples=resamples, seed=seed)
    low, high = percentile_interval(replicates)
    rank_low, rank_high = rank_intervals(replicates)
    groups = tie_groups(points, replicates)
    compared = [None] * len(found) if reference is None else _against(strata, reference, resamples, seed)
    return [
        replace(
            standing,
            low=float(low[i]),
            high=float(high[i]),
            rank_low=int(rank_low[i]),
            rank_high=int(rank_high[i]),
            group=groups[i],
            against=compared[i],
        )
        for i, standing in enumerate(found)
    ]


def tie_groups(points: Array, replicates: Array) -> list[int]:
    """Number the groups of methods that cannot be told apart from their leader; 1 is the highest score's.

    The highest score leads group 1, and whoever's paired difference to it has an interval that contains 0 belongs to
    it. The highest score of the rest leads group 2, and so on. A method with a wide interval can belong to a group
    above that of a method with a higher score and a narrow one.

    Args:
        points: `[methods]`, the scores.
        replicates: `[resamples, methods]`, their joint bootstrap.
    """
    groups = [0] * len(points)
    rest = [int(i) for i in np.argsort(-points, kind="stable")]
    number = 0
    while rest:
        number += 1
        low, high = percentile_interval(replicates[:, rest[:1]] - replicates[:, rest])
        tied = {method for i, method in enumerate(rest) if low[i] <= 0.0 <= high[i]} | {rest[0]}
        for method in tied:
            groups[method] = number
        rest = [method for method in rest if method not in tied]
    return groups


def _against(strata: Sequence[Array], reference: int, resamples: int, seed: int) -> list[Against | None]:
    others = [method for method in range(strata[0].shape[0]) if method != reference]
    base = [stratum[reference] for stratum in strata]
    scores = [[stratum[method] for stratum in strata] for method in others]
    differences = [[x - y for x, y in zip(own, base, strict=True)] for own in scores]
    p_values = paired_permutations(differences, seed=seed)
    intervals = improvement_intervals(scores, base, resamples=min(resamples, IMPROVEMENT_RESAMPLES), seed=seed)
    found: list[Against | None] = [None] * strata[0].shape[0]
    for place, (method, adjusted) in enumerate(zip(others, holm(p_values), strict=True)):
        found[method] = Against(
            probability=probability_of_improvement(scores[place], base),
            low=intervals[place][0],
            high=intervals[place][1],
            p_value=p_values[place],
            p_adjusted=float(adjusted),
        )
    return found
