"""What a search over k configurations finds on average: E[min of k], without bootstrap noise."""

from math import comb

import numpy as np
from numpy.typing import NDArray

from bench.statistics.intervals import CONFIDENCE, RESAMPLES, Array, percentile_interval


def expected_minimum(distances: Array) -> Array:
    """Return the expected smallest distance among k of n configurations, for k = 1 to n.

    With F(1) <= ... <= F(n) and k drawn without replacement,

        E[min_k] = sum_i F(i) C(n - i, k - 1) / C(n, k),

    the mean over all subsets of size k (Dodge et al. 2019, there with replacement). Every configuration counts:
    one that failed enters with the distance of the untrained generator, see `failures_at`.

    Args:
        distances: `[n]`, lower is better.

    Returns:
        `[n]`; entry k - 1 belongs to the budget k. The first is the mean, the last the minimum.

    Raises:
        ValueError: there is no configuration, or a distance is not finite.
    """
    if len(distances) == 0 or not np.isfinite(distances).all():
        raise ValueError("E[min of k] needs a finite distance of every configuration; see failures_at")
    return np.asarray(_weights(len(distances)) @ np.sort(distances), dtype=np.float64)


def expected_minimum_band(
    distances: Array, *, resamples: int = RESAMPLES // 10, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[Array, Array]:
    """Return the pointwise bootstrap band of the curve as (low, high), each `[n]`.

    Args:
        distances: `[n, seeds]`; a configuration counts as the mean over its seeds. Seeds are drawn with replacement,
            the same ones for all configurations.
        resamples: how many replicates are drawn.
        seed: of the random generator.
        confidence: of the band.

    Raises:
        ValueError: there is a single seed, which has no bootstrap; or what `expected_minimum` refuses.
    """
    if distances.ndim != 2 or distances.shape[1] < 2:
        raise ValueError("a band over seeds needs at least two seeds of every configuration")
    expected_minimum(distances.mean(axis=1))
    seeds = distances.shape[1]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=resamples)
    means = counts @ distances.T / seeds
    return percentile_interval(np.sort(means, axis=1) @ _weights(len(distances)).T, confidence)


def failures_at(distances: Array, failed: NDArray[np.bool_], untrained: float) -> Array:
    """Return the distances with those of failed runs replaced by the untrained generator's.

    A failure is as bad as not having trained, and finite: the curve neither forgets it nor becomes infinite.
    """
    return np.where(failed, untrained, distances)


def _weights(count: int) -> Array:
    """Return `[budgets, configurations]`: the chance that the i-th smallest is the smallest of the k drawn."""
    return np.array(
        [[comb(count - i, k - 1) / comb(count, k) for i in range(1, count + 1)] for k in range(1, count + 1)]
    )
