"""By how much one sample lies above another: Hodges and Lehmann's estimate, its exact interval, the detectable shift.

All of it inverts the rank tests of `bench.statistics.exact`, so that estimate, interval and test never disagree. Of two
samples the n m differences new_j - base_i are looked at, of pairs the n (n + 1) / 2 means of two of their differences
(Walsh averages). The shift is their median, which one wild value cannot move; the interval lies between two of them.

Source:
    Hodges and Lehmann, Annals of Mathematical Statistics 34 (1963); Lehmann, Nonparametrics (1975), sections 2.5, 4.4.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np

from bench.statistics.intervals import CONFIDENCE, Array

_COUNTED: Final = 100
"""Up to so many values the null distribution is counted; beyond, the normal approximation is as good."""

_DRAWS: Final = 2_000
_DRAWN: Final = 40
"""Above so many values on a side the detectable shift follows from the normal approximation."""

POWER: Final = 0.8
"""The share of comparisons that find a shift of the detectable size."""


def estimate(base: Array, new: Array, *, paired: bool, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Return by how much `new` lies above `base`, and the interval; an end without a bound is infinite.

    Args:
        base: finite values.
        new: finite values, where `paired` at the same places as in `base`.
        paired: whether pairs are looked at, or all differences.
        confidence: of the interval, which holds at least so often.
    """
    shifts = _walsh(new - base) if paired else np.sort(np.subtract.outer(new, base), axis=None)
    least = _critical(len(base), len(new), (1.0 - confidence) / 2.0, paired=paired)
    center = float(np.median(shifts))
    if least is None:
        return center, -math.inf, math.inf
    return center, float(shifts[len(shifts) - least]), float(shifts[least - 1])


@lru_cache(maxsize=256)
def needed_shift(base: int, new: int, level: float, *, paired: bool) -> tuple[Array, Array] | None:
    """Return draws of the least shift that a rank test at `level` finds, and of the estimate's own error beside it.

    In standard deviations of normal values (where `paired`, of their differences); `None` where no shift is ever found.
    The detectable shift is the quantile `POWER` of the first. Of each draw the test's count of wins grows with the
    shift, and reaches the critical one at one of the differences: no search is needed.
    """
    least = _critical(base, new, level, paired=paired)
    if least is None:
        return None
    rng = np.random.default_rng(0)
    if max(base, new) > _DRAWN:
        error = rng.standard_normal(_DRAWS) * _standard_error(base, new, paired=paired)
        return _standard_error(base, new, paired=paired) * NormalDist().inv_cdf(1.0 - level) - error, error
    needed, errors = np.empty(_DRAWS), np.empty(_DRAWS)
    for draw in range(_DRAWS):
        if paired:
            differences = _walsh(rng.standard_normal(new))
        else:
            differences = np.sort(np.subtract.outer(rng.standard_normal(new), rng.standard_normal(base)), axis=None)
        # So many of the differences must be above 0 after the shift.
        needed[draw] = -differences[len(differences) - least]
        errors[draw] = np.median(differences)
    return needed, errors


def _walsh(differences: Array) -> Array:
    one, other = np.triu_indices(len(differences))
    return np.sort((differences[one] + differences[other]) / 2.0)


def _standard_error(base: int, new: int, *, paired: bool) -> float:
    """Of the estimate from normal values of deviation 1: 3 / pi is the efficiency of ranks there."""
    return math.sqrt(math.pi / 3.0 * (1.0 / new if paired else 1.0 / base + 1.0 / new))


@lru_cache(maxsize=256)
def _critical(base: int, new: int, level: float, *, paired: bool) -> int | None:
    """Return the least count of wins that is rarer than `level` where nothing differs; `None` where none is."""
    tail = _signed_tail(new) if paired else _wins_tail(base, new)
    if tail is None:
        count = new * (new + 1) / 2.0 if paired else float(base * new)
        variance = new * (new + 1) * (2 * new + 1) / 24.0 if paired else base * new * (base + new + 1) / 12.0
        return min(int(count), math.ceil(count / 2.0 + 0.5 + NormalDist().inv_cdf(1.0 - level) * math.sqrt(variance)))
    rare = np.flatnonzero(tail < level)
    return int(rare[0]) if len(rare) else None


def _wins_tail(base: int, new: int) -> Array | None:
    """Return P(wins >= u) for u = 0 .. base new, without ties."""
    if base + new > _COUNTED:
        return None
    ways = np.zeros((new + 1, base * new + new * (new + 1) // 2 + 1))
    ways[0, 0] = 1.0
    for rank in range(1, base + new + 1):
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    return _tail(ways[-1, new * (new + 1) // 2 :])


def _signed_tail(pairs: int) -> Array | None:
    if pairs > _COUNTED:
        return None
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, pairs + 1):
        ways[rank:] += ways[:-rank].copy()
    return _tail(ways)


def _tail(ways: Array) -> Array:
    return np.asarray(np.cumsum(ways[::-1])[::-1] / ways.sum(), dtype=np.float64)
