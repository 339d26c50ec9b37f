"""The rules of the table before workloads were blocks, kept to show what they did: ranking version 1.

Interquartile means of pooled runs, percentile bootstrap intervals of jointly drawn seeds, ranks by the same replicates,
and numbered tie groups.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.statistics.intervals import Array, percentile_interval

CONFIDENCE = 0.95
RESAMPLES = 50_000
_CHUNK_VALUES = 2_000_000


def iqm(values: Array) -> Array:
    """Return the interquartile mean over the last axis: the mean of what is left after a quarter is cut at each end.

    The number cut at each end is a quarter rounded down, as in `scipy.stats.trim_mean(values, 0.25)`; fewer than four
    values are therefore simply averaged.

    Raises:
        ValueError: the last axis is empty.
    """
    count = values.shape[-1]
    if count == 0:
        raise ValueError("the interquartile mean of no values does not exist")
    cut = count // 4
    kept = np.sort(values, axis=-1)[..., cut : count - cut]
    return np.asarray(kept.mean(axis=-1), dtype=np.float64)


def bootstrap_iqm(strata: Sequence[Array], *, resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """Resample the interquartile mean of every method at once, with seeds drawn jointly across methods.

    Args:
        strata: one array `[methods, seeds]` a workload; column s of every method comes from the same trial seed.
            Workloads may have different numbers of seeds.
        resamples: how many replicates are drawn.
        seed: of the random generator; equal seeds give equal bits.

    Returns:
        `[resamples, methods]`. In a replicate each workload keeps its number of seeds (stratified), and all methods
        see the same drawn seeds, so differences between methods keep the pairing of the common random numbers.
    """
    rng = np.random.default_rng(seed)
    methods = strata[0].shape[0]
    width = sum(stratum.shape[1] for stratum in strata)
    chunk = max(1, _CHUNK_VALUES // (methods * width))
    replicates = np.empty((resamples, methods), dtype=np.float64)
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        drawn = [stratum[:, rng.integers(stratum.shape[1], size=(count, stratum.shape[1]))] for stratum in strata]
        replicates[start : start + count] = iqm(np.concatenate(drawn, axis=-1)).T
    return replicates


def rank_intervals(replicates: Array, confidence: float = CONFIDENCE) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the interval of each method's rank (1 is best) over replicates `[resamples, methods]`.

    A replicate in which methods tie supports every rank of the tie: the lower end counts the methods strictly
    above, the upper end those at least as good.
    """
    best = np.empty(replicates.shape, dtype=np.int64)
    worst = np.empty(replicates.shape, dtype=np.int64)
    for method in range(replicates.shape[1]):
        own = replicates[:, method : method + 1]
        best[:, method] = 1 + (replicates > own).sum(axis=1)
        worst[:, method] = (replicates >= own).sum(axis=1)
    tail = 100.0 * (1.0 - confidence) / 2.0
    low = np.percentile(best, tail, axis=0, method="inverted_cdf")
    high = np.percentile(worst, 100.0 - tail, axis=0, method="inverted_cdf")
    return low.astype(np.int64), high.astype(np.int64)


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
