"""Paired differences under flipped signs: the exact test of one workload, and the tests of several joined to one.

If two methods are equal, each difference between them at a seed is as likely as its negative (Fisher 1935; Good 2005,
section 3.2). p is the share of all sign patterns under which the mean is at least as far from 0 as it is.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.statistics.intervals import Array

PERMUTATIONS: Final = 100_000
"""How many sign patterns are drawn where there are too many to count them all."""

COUNTED_PAIRS: Final = 30
"""Up to so many pairs that differ, all 2^n sign patterns are counted."""

_CHUNK_VALUES: Final = 2_000_000
_ROUNDING: Final = 1e-9
"""Two sums closer than this share of their scale are equal: the order of summation differs among machines."""


def sign_flips(differences: Array, *, resamples: int = PERMUTATIONS, seed: int = 0) -> Array:
    """Return the two-sided p-values `[methods]` of paired differences `[methods, seeds]` on one workload.

    Up to 30 differences other than 0, all patterns are counted, in the middle: the 2^15 sums of either half, of which
    one half is sorted, say by bisection how many sums of both are far enough. Of more, `resamples` patterns are drawn
    and p = (k + 1) / (R + 1), which is never 0 (Phipson and Smyth 2010). Differences of 0 say nothing.

    Args:
        differences: first minus second method at the same seed, one row per first method.
        resamples: R, the patterns that are drawn where there are too many to count.
        seed: of the random generator; equal seeds give equal bits.

    Raises:
        ValueError: there is no difference, or one that is not finite.
    """
    if differences.ndim != 2 or differences.shape[1] == 0:
        raise ValueError("a paired test needs at least one difference in every workload")
    if not np.isfinite(differences).all():
        raise ValueError("a paired test needs finite differences; give a failed run the worst score instead")
    p_values = np.empty(len(differences))
    moved = np.count_nonzero(differences, axis=1)
    for row in np.flatnonzero(moved <= COUNTED_PAIRS):
        p_values[row] = _counted(differences[row][differences[row] != 0.0])
    many = moved > COUNTED_PAIRS
    if many.any():
        p_values[many] = _drawn(differences[many], resamples, seed)
    return p_values


def _counted(differences: Array) -> float:
    least = abs(float(differences.sum())) - _ROUNDING * float(np.abs(differences).sum())
    if least <= 0.0:
        return 1.0
    middle = len(differences) // 2
    some, others = _sums(differences[:middle]), np.sort(_sums(differences[middle:]))
    above = others.size * some.size - int(np.searchsorted(others, least - some, side="left").sum())
    # The sums are symmetric about 0: as many are far enough below it as above.
    return min(1.0, 2.0 * above / 2.0 ** len(differences))


def _sums(values: Array) -> Array:
    """Return the sums under all 2^n sign patterns."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn(differences: Array, resamples: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    pairs = differences.shape[1]
    totals = differences.sum(axis=1)
    least = np.abs(totals) - _ROUNDING * np.abs(differences).sum(axis=1)
    extreme = np.zeros(len(differences), dtype=np.int64)
    chunk = max(1, _CHUNK_VALUES // pairs)
    for start in range(0, resamples, chunk):
        flipped = rng.integers(2, size=(min(chunk, resamples - start), pairs), dtype=np.uint8).astype(np.float64)
        extreme += np.count_nonzero(np.abs(totals - 2.0 * (flipped @ differences.T)) >= least, axis=0)
    return np.asarray((extreme + 1) / (resamples + 1), dtype=np.float64)


def least_sign_flip(pairs: int, resamples: int = PERMUTATIONS) -> float:
    """Return the smallest two-sided p-value that so many pairs can give: 2 / 2^n, or 1 / (R + 1) if drawn."""
    return 2.0 / 2.0**pairs if pairs <= COUNTED_PAIRS else 1.0 / (resamples + 1)


def joined(p_values: Sequence[Array], signs: Sequence[Array]) -> tuple[Array, Array]:
    """Join the tests of several workloads into one per method, with equal weights.

        z_w = sign_w * Phi^-1(1 - p_w / 2),    Z = sum_w z_w / sqrt(W),    p = 2 Phi(-|Z|)

    Only the evidence of each workload counts, not how widely its scores scatter. p_w = 1 gives z_w = 0, and the least
    p_w a finite one. p_w of few pairs is coarse and, as a p-value may, too large rather than too small; so is p.

    Source:
        Stouffer et al., The American Soldier 1 (1949), in a footnote.

    Args:
        p_values: two-sided, one `[methods]` a workload, in (0, 1].
        signs: of the mean differences, likewise.

    Returns:
        p and Z, each `[methods]`.
    """
    from scipy.special import ndtr, ndtri

    z = np.sum([sign * -ndtri(p / 2.0) for p, sign in zip(p_values, signs, strict=True)], axis=0)
    z = np.asarray(z / np.sqrt(len(p_values)), dtype=np.float64)
    # Of one workload it is that one's p, to the last bit.
    return (np.asarray(p_values[0]) if len(p_values) == 1 else np.asarray(2.0 * ndtr(-np.abs(z)))), z
