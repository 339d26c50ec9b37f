"""Means over workloads of means over seeds, with their intervals: workloads are blocks of equal weight.

Nothing is pooled: a workload whose runs scatter widely, or that all methods find easy, decides no more than another.
Failed runs are in the mean with their 0 and are never trimmed away.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.statistics.intervals import CONFIDENCE, Array

_NO_SCATTER: Final = 1e-12
"""A standard error of a score below this is the rounding of a sum: the runs are equal."""


def block_means(blocks: Sequence[Array]) -> Array:
    """Return each method's mean over workloads of its mean over seeds, `[methods]`, of one `[methods, seeds]` each."""
    return np.asarray(np.mean([block.mean(axis=1) for block in blocks], axis=0), dtype=np.float64)


def block_intervals(blocks: Sequence[Array], confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Return the intervals of `block_means` as (low, high), each `[methods]`, for means of values in [0, 1].

    With m_w and s_w the mean and deviation of the n_w runs on workload w of W, v_w = s_w^2 / (n_w W^2) and
    v = sum_w v_w:

        mean_w m_w -+ t(f) sqrt(v),    f = v^2 / sum_w v_w^2 / (n_w - 1),

    t the two-sided quantile of Student's distribution and f its degrees of freedom after Satterthwaite; of one
    workload this is the usual interval of a mean. Clipped to [0, 1]. Both ends are nan where no run differs from
    another: such runs, as when all have failed, show no scatter to judge by, and a width of 0 would claim certainty.

    Source:
        Student, Biometrika 6 (1908); Satterthwaite, Biometrics Bulletin 2 (1946).

    Raises:
        ValueError: a workload has a single seed, which has no deviation.
    """
    from scipy.special import stdtrit  # a quarter of a second that help and `list` do not pay

    if min(block.shape[1] for block in blocks) < 2:
        raise ValueError("an interval of a mean needs at least two seeds of every workload")
    count = len(blocks)
    shares = np.array([block.var(axis=1, ddof=1) / block.shape[1] / count**2 for block in blocks])
    spare = np.array([[block.shape[1] - 1] for block in blocks])
    variance = shares.sum(axis=0)
    scatters = variance > _NO_SCATTER**2
    freedom = np.where(scatters, variance, 1.0) ** 2 / np.where(scatters, (shares**2 / spare).sum(axis=0), 1.0)
    half = np.where(scatters, stdtrit(freedom, 0.5 + confidence / 2.0) * np.sqrt(variance), np.nan)
    means = block_means(blocks)
    return np.clip(means - half, 0.0, 1.0), np.clip(means + half, 0.0, 1.0)
