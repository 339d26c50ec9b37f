"""Point estimates and intervals: medians, the interquartile mean, its joint bootstrap, and Clopper-Pearson."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RESAMPLES: Final = 50_000
CONFIDENCE: Final = 0.95
_CHUNK_VALUES: Final = 2_000_000
"""How many resampled scores are held at once; bounds the memory to some tens of megabytes."""


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


def percentile_interval(replicates: Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Return the percentile interval over the first axis as (low, high)."""
    tail = 100.0 * (1.0 - confidence) / 2.0
    low, high = np.percentile(replicates, [tail, 100.0 - tail], axis=0)
    return low, high


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


def clopper_pearson(failures: int, runs: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the exact binomial interval of a failure rate; 0 of 5 is [0, 0.52], and says little.

    Raises:
        ValueError: not 0 <= failures <= runs with at least one run.
    """
    from scipy.special import betaincinv  # a quarter of a second that help and `list` do not pay

    if not 0 <= failures <= runs or runs == 0:
        raise ValueError(f"{failures} failures of {runs} runs is no binomial count")
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if failures == 0 else float(betaincinv(failures, runs - failures + 1, tail))
    high = 1.0 if failures == runs else float(betaincinv(failures + 1, runs - failures, 1.0 - tail))
    return low, high


def median_with_failures(values: Iterable[float | None]) -> float | None:
    """Return the median where a missing value is infinitely bad, or `None` if the median is itself missing."""
    filled = [math.inf if value is None or not math.isfinite(value) else value for value in values]
    if not filled:
        return None
    ordered = sorted(filled)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle if math.isfinite(middle) else None


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the values that there are and that are finite; `None` if there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(known)) if known else None
