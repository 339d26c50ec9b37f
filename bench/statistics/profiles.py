"""Performance profiles: which share of a method's runs reaches a score."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.statistics.intervals import CONFIDENCE, Array, percentile_interval

PROFILE_RESAMPLES: Final = 2_000


def performance_profile(strata: Sequence[Array], thresholds: Array) -> Array:
    """Return the share of runs with score >= tau, `[methods, thresholds]`: the mean of the workloads' shares.

    A curve that is nowhere below another's says that its method is as good at every standard; curves that cross
    say that which is better depends on what counts (Dolan and More 2002; Agarwal et al. 2021, section 4.2).

    Args:
        strata: the scores, one array `[methods, seeds]` a workload.
        thresholds: tau, `[thresholds]`.
    """
    return np.asarray(np.mean([_reached(stratum, thresholds).mean(axis=1) for stratum in strata], axis=0))


def profile_band(
    strata: Sequence[Array],
    thresholds: Array,
    *,
    resamples: int = PROFILE_RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> tuple[Array, Array]:
    """Return the pointwise bootstrap band of `performance_profile` as (low, high), each `[methods, thresholds]`.

    Seeds are drawn with replacement within each workload, the same ones for all methods.
    """
    rng = np.random.default_rng(seed)
    methods = strata[0].shape[0]
    total = np.zeros((resamples, methods * len(thresholds)))
    for stratum in strata:
        seeds = stratum.shape[1]
        counts = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=resamples).astype(np.float64)
        reached = _reached(stratum, thresholds).transpose(1, 0, 2).reshape(seeds, -1)
        total += counts @ reached / seeds
    low, high = percentile_interval((total / len(strata)).reshape(resamples, methods, len(thresholds)), confidence)
    return low, high


def _reached(stratum: Array, thresholds: Array) -> Array:
    """Return `[methods, seeds, thresholds]`: 1 where the run reaches the threshold."""
    return np.asarray(stratum[:, :, None] >= thresholds, dtype=np.float64)
