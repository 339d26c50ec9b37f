"""Two methods on the same seeds: a permutation test, Holm's adjustment, and the probability that one is better.

Everything here takes one array a workload. Seeds are paired: entry s of every array comes from the same trial seed.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.statistics.intervals import CONFIDENCE, RESAMPLES, Array, percentile_interval

PERMUTATIONS: Final = 100_000
"""How many sign patterns are drawn where there are too many to try them all."""

_EXACT_PAIRS: Final = 16
"""Up to so many pairs that differ, all 2^n sign patterns are tried."""

_CHUNK_VALUES: Final = 2_000_000
_ROUNDING: Final = 1e-9
"""Two sums closer than this share of their scale are equal: the order of summation differs among machines."""


def paired_permutation(differences: Sequence[Array], *, resamples: int = PERMUTATIONS, seed: int = 0) -> float:
    """Return the two-sided p-value of a sign-flip test on paired differences, stratified by workload.

    The statistic is the mean over workloads of the mean difference. If a method makes no difference, each difference
    is as likely as its negative; p is the share of all sign patterns under which the statistic is at least as far
    from 0 as it is (Fisher 1935; Good 2005, section 3.2). With at most 16 differences other than 0 all patterns are
    tried; otherwise `resamples` are drawn and p = (k + 1) / (R + 1) (Phipson and Smyth 2010), which is never 0.

    Args:
        differences: one array `[seeds]` a workload, first minus second at the same seed.
        resamples: R, the patterns that are drawn where there are too many to try them all.
        seed: of the random generator; equal seeds give equal bits.

    Raises:
        ValueError: there is no workload, or one without a difference, or one that is not finite.
    """
    (p_value,) = paired_permutations([differences], resamples=resamples, seed=seed)
    return p_value


def paired_permutations(
    families: Sequence[Sequence[Array]], *, resamples: int = PERMUTATIONS, seed: int = 0
) -> list[float]:
    """Return `paired_permutation` of several methods, whose seeds and workloads are the same, from the same draws."""
    weighted = [_weighted(differences) for differences in families]
    p_values = [_exact_p(each[each != 0.0]) for each in weighted]
    many = [place for place, p_value in enumerate(p_values) if p_value is None]
    if many:
        drawn = _drawn_p(np.stack([weighted[place] for place in many], axis=1), resamples, seed)
        for place, p_value in zip(many, drawn, strict=True):
            p_values[place] = p_value
    return [p_value for p_value in p_values if p_value is not None]


def _exact_p(weighted: Array) -> float | None:
    """Try all sign patterns, or return none if there are too many."""
    if weighted.size > _EXACT_PAIRS:
        return None
    patterns = np.arange(2**weighted.size)[:, None] >> np.arange(weighted.size) & 1
    return float(np.mean(_as_far(weighted[:, None], patterns.astype(np.float64))))


def _drawn_p(weighted: Array, resamples: int, seed: int) -> list[float]:
    """Draw sign patterns for `weighted` `[pairs, methods]`."""
    pairs = weighted.shape[0]
    rng = np.random.default_rng(seed)
    extreme = np.zeros(weighted.shape[1], dtype=np.int64)
    chunk = max(1, _CHUNK_VALUES // pairs)
    for start in range(0, resamples, chunk):
        flipped = rng.integers(2, size=(min(chunk, resamples - start), pairs), dtype=np.uint8)
        extreme += np.count_nonzero(_as_far(weighted, flipped.astype(np.float64)), axis=0)
    return [(int(count) + 1) / (resamples + 1) for count in extreme]


def _as_far(weighted: Array, flipped: Array) -> NDArray[np.bool_]:
    """Say which patterns `[patterns, pairs]`, 1 where a sign is flipped, take the sum as far from 0 as it is."""
    total = weighted.sum(axis=0)
    observed = np.abs(total) - _ROUNDING * np.abs(weighted).sum(axis=0)
    return np.asarray(np.abs(total - 2.0 * (flipped @ weighted)) >= observed)


def _weighted(differences: Sequence[Array]) -> Array:
    """Return all differences, each divided by the number of its workload's: their sum is the sum of the means."""
    if not differences or any(len(each) == 0 for each in differences):
        raise ValueError("a paired test needs at least one difference in every workload")
    weighted = np.concatenate([np.asarray(each, dtype=np.float64) / len(each) for each in differences])
    if not np.isfinite(weighted).all():
        raise ValueError("a paired test needs finite differences; give a failed run the worst score instead")
    return weighted


def holm(p_values: Sequence[float]) -> Array:
    """Return Holm's adjusted p-values, in the order in which they came.

    The i-th smallest of m becomes the largest of (m - j + 1) p_(j) over j <= i, at most 1. Rejecting what is at most
    alpha then keeps the chance of any false rejection in this family at alpha (Holm 1979).

    Raises:
        ValueError: a value outside [0, 1].
    """
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError(f"p-values lie between 0 and 1, unlike {values.tolist()}")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def probability_of_improvement(first: Sequence[Array], second: Sequence[Array]) -> float:
    """Return P(X > Y) + P(X = Y) / 2 for runs X of the first and Y of the second method, averaged over workloads.

    1/2 says that neither is better. All pairs of seeds are compared, not only equal ones (Mann and Whitney 1947;
    Agarwal et al. 2021, section 4.3), so the numbers of seeds may differ.

    Args:
        first: one array `[seeds]` a workload, higher is better.
        second: the same of the other method, in the same order of workloads.

    Raises:
        ValueError: there is no workload, one has no runs, or their numbers differ.
    """
    return float(np.mean([wins.mean() for wins in _wins(first, second)]))


def improvement_interval(
    first: Sequence[Array],
    second: Sequence[Array],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Return the bootstrap interval of `probability_of_improvement` as (low, high).

    Seeds are drawn with replacement within each workload, the same ones for both methods. One seed of both methods is
    a pair, and two seeds are strangers: a seed that is drawn twice is no stranger to itself, so the share of pairs
    stays 1/n in every replicate. (Without that the replicates lean to how the pairs went.)

    Raises:
        ValueError: as for `probability_of_improvement`; or a workload's numbers of seeds differ, which then are not
            paired.
    """
    ((low, high),) = improvement_intervals([first], second, resamples=resamples, seed=seed, confidence=confidence)
    return low, high


def improvement_intervals(
    methods: Sequence[Sequence[Array]],
    reference: Sequence[Array],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> list[tuple[float, float]]:
    """Return `improvement_interval` of each method over one reference, from the same draws."""
    if not methods:
        return []
    if any(len(x) != len(y) for method in methods for x, y in zip(method, reference, strict=False)):
        raise ValueError("the interval draws seeds jointly: both methods need the same seeds of every workload")
    wins = [_wins(method, reference) for method in methods]
    rng = np.random.default_rng(seed)
    totals = np.zeros((resamples, len(methods)))
    for workload, values in enumerate(reference):
        seeds = len(values)
        share = np.full(seeds, 1.0 / seeds)
        tables = np.stack([each[workload] for each in wins])
        chunk = max(1, _CHUNK_VALUES // seeds**2)
        for start in range(0, resamples, chunk):
            # A replicate is known by how often each seed was drawn: no array of drawn pairs is needed.
            counts = rng.multinomial(seeds, share, size=min(chunk, resamples - start)).astype(np.float64)
            totals[start : start + chunk] += _resampled_wins(counts, tables)
    low, high = percentile_interval(totals / len(reference), confidence)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]


def _resampled_wins(counts: Array, wins: Array) -> Array:
    """Return the share of wins `[resamples, methods]` where seeds were drawn `counts` `[resamples, seeds]` times.

    `wins` is `[methods, seeds, seeds]`.
    """
    seeds = wins.shape[-1]
    paired = counts @ np.diagonal(wins, axis1=1, axis2=2).T / seeds
    one, other = np.triu_indices(seeds, k=1)
    meetings = counts[:, one] * counts[:, other]
    among = meetings @ (wins[:, one, other] + wins[:, other, one]).T
    met = 2.0 * meetings.sum(axis=1, keepdims=True)
    # If one seed alone was drawn, nobody met a stranger, and its pair is all that is known.
    apart = np.where(met > 0, among / np.maximum(met, 1.0), paired)
    return np.asarray(paired / seeds + (1.0 - 1.0 / seeds) * apart, dtype=np.float64)


def _wins(first: Sequence[Array], second: Sequence[Array]) -> list[Array]:
    """Return a table `[seeds of the first, seeds of the second]` a workload: 1 where X > Y, 1/2 where X = Y, else 0."""
    if len(first) != len(second) or not first:
        raise ValueError(f"two methods are compared on the same workloads, not on {len(first)} and {len(second)}")
    if any(len(each) == 0 for each in (*first, *second)):
        raise ValueError("a workload without runs has no probability of improvement")
    pairs = [(np.asarray(one)[:, None], np.asarray(other)[None]) for one, other in zip(first, second, strict=True)]
    return [np.asarray((one > other) + 0.5 * (one == other), dtype=np.float64) for one, other in pairs]
