"""Who may be the best, and between which ranks each method lies: all differences studentised, at once.

The statistic of two methods i and j is T_ij = D_ij / sqrt(v_ij), with D_ij the mean over workloads of the mean
difference at equal seeds and v_ij = sum_w s_w^2 / (n_w W^2) its estimated variance, s_w the deviation of the
differences on workload w. Its distribution where the two are equal comes from flipping the signs of the differences: a
pattern has one sign for each workload and seed, the same for all methods, so that what they have in common at a seed
stays in common, and every pattern has deviations of its own.

    best     i is left out if some j is better: max_j T_ji is as large in at most 5 % of the patterns. If i is a best
             method, that happens in at most 5 % of tables, however many methods there are.
    ranks    j counts as above i if T_ji is as large as the largest |T| of all pairs is in at most 5 % of patterns.
             All intervals hold at once in 95 % of tables.

Sources (recalled, not read again): Hsu, Annals of Statistics 12 (1984), on comparisons with the best; Mogstad, Romano,
Shaikh and Wilhelm, Review of Economic Studies 91 (2024), on intervals of ranks from all pairwise differences. Both take
the quantile from a joint distribution, for which the flips stand here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.statistics.intervals import CONFIDENCE, Array

FLIPS: Final = 10_000
"""How many sign patterns are drawn where there are too many to try them all."""

_TRIED_PAIRS: Final = 12
"""Up to so many runs of a method, all 2^n sign patterns are tried."""

_ROUNDING: Final = 1e-6
"""Statistics closer than this share of themselves are equal: v is the small difference of two sums."""

_LEAST_VARIANCE: Final = 1e-12
"""v is at least this share of the mean square: differences that are all equal have a large statistic, not infinity."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What can be said about the order of methods."""

    among_best: NDArray[np.bool_]
    rank_low: NDArray[np.int64]
    rank_high: NDArray[np.int64]


def order(blocks: Sequence[Array], *, resamples: int = FLIPS, seed: int = 0, confidence: float = CONFIDENCE) -> Order:
    """Return which methods may be the best and the simultaneous intervals of all ranks, 1 being the best.

    Args:
        blocks: the scores, one array `[methods, seeds]` a workload; column s is the same seed for every method.
        resamples: how many sign patterns are drawn where there are more than 2^12.
        seed: of the random generator; equal seeds give equal bits.
        confidence: of either promise.

    Raises:
        ValueError: a workload has a single seed, which has no deviation.
    """
    if min(block.shape[1] for block in blocks) < 2:
        raise ValueError("studentised differences need at least two seeds of every workload")
    methods = blocks[0].shape[0]
    patterns = _patterns(sum(block.shape[1] for block in blocks), resamples, seed)
    flipped = _flipped_means(blocks, patterns)
    # The first pattern flips nothing: its statistics are those seen.
    ahead = np.full((len(patterns), methods), -np.inf)  # max_j T_ji
    largest = np.zeros(len(patterns))  # max |T| over all pairs
    seen = np.zeros((methods, methods))
    for one in range(methods - 1):
        statistics = _statistics(blocks, flipped, one)
        seen[one, one + 1 :] = statistics[0]
        ahead[:, one] = np.maximum(ahead[:, one], -statistics.min(axis=1))
        ahead[:, one + 1 :] = np.maximum(ahead[:, one + 1 :], statistics)
        largest = np.maximum(largest, np.abs(statistics).max(axis=1))
    least = ahead[0] - _ROUNDING * np.abs(np.where(np.isfinite(ahead[0]), ahead[0], 0.0))
    above = _shares_at_least(largest, np.abs(seen)) <= 1.0 - confidence
    seen -= seen.T
    above |= above.T
    np.fill_diagonal(above, val=False)
    return Order(
        among_best=np.mean(ahead >= least, axis=0) > 1.0 - confidence,
        rank_low=1 + np.count_nonzero(above & (seen < 0), axis=1),
        rank_high=methods - np.count_nonzero(above & (seen > 0), axis=1),
    )


def _patterns(runs: int, resamples: int, seed: int) -> Array:
    """Return sign patterns `[patterns, runs]` of 1 and -1; the first flips nothing."""
    if runs <= _TRIED_PAIRS:
        flips = np.arange(2**runs)[:, None] >> np.arange(runs) & 1
    else:
        flips = np.random.default_rng(seed).integers(2, size=(resamples + 1, runs), dtype=np.uint8)
        flips[0] = 0
    return 1.0 - 2.0 * flips.astype(np.float64)


def _flipped_means(blocks: Sequence[Array], patterns: Array) -> list[Array]:
    """Return each method's mean on each workload under each pattern, `[patterns, methods]` a workload.

    The flipped mean of a difference is the difference of flipped means: no array of all pairs' seeds is needed.
    """
    ends = np.cumsum([block.shape[1] for block in blocks])
    signs = np.split(patterns, ends[:-1], axis=1)
    return [own @ block.T / block.shape[1] for own, block in zip(signs, blocks, strict=True)]


def _statistics(blocks: Sequence[Array], flipped: Sequence[Array], one: int) -> Array:
    """Return T of a method and each that comes after it, `[patterns, methods after]`."""
    mean: Array | float = 0.0
    variance: Array | float = 0.0
    least: Array | float = 0.0
    for block, means in zip(blocks, flipped, strict=True):
        spare = block.shape[1] - 1
        squares = np.square(block[one] - block[one + 1 :]).mean(axis=1)
        difference = means[:, one : one + 1] - means[:, one + 1 :]
        mean = mean + difference
        variance = variance + (squares - np.square(difference)) / spare
        least = least + squares / spare
    scale = np.maximum(variance, _LEAST_VARIANCE * np.where(np.asarray(least) > 0.0, least, 1.0))
    return np.asarray(mean / np.sqrt(scale), dtype=np.float64)


def _shares_at_least(values: Array, thresholds: Array) -> Array:
    """Return which share of the values is at least each threshold, but for rounding."""
    below = np.searchsorted(np.sort(values), thresholds * (1.0 - _ROUNDING), side="left")
    return np.asarray(1.0 - below / len(values), dtype=np.float64)
