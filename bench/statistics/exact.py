"""Exact tests for few runs: Mann and Whitney's, the signed-rank test and Fisher's. One-sided, and exact with ties.

Runs are few and tie often (all failed runs are equally bad), where normal approximations and tables without ties say
too much. The null distribution of a rank sum is therefore counted: how many of the ways to deal out these very ranks
give at least this sum.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_COUNTED: Final = 100
"""Up to so many values together the ways are counted; beyond, the normal approximation is as good."""


def mann_whitney(base: Sequence[float], new: Sequence[float]) -> float:
    """Return the p-value against `new` being larger than `base`: P(rank sum of `new` >= the one seen | no difference).

    Values may be infinite. Exact for up to 100 values, beyond them by the normal approximation with corrections for
    ties and continuity.

    Source:
        Mann and Whitney, Annals of Mathematical Statistics 18 (1947).

    Raises:
        ValueError: a side has no value.
    """
    if not base or not new:
        raise ValueError("a rank test needs values on both sides")
    ranks = _doubled_ranks([*base, *new])
    seen = int(ranks[len(base) :].sum())
    if len(ranks) > _COUNTED:
        return _normal_tail(ranks, len(new), seen)
    # ways[k, s]: how many choices of k of the ranks have the sum s.
    ways = np.zeros((len(new) + 1, int(ranks.sum()) + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    return _share(ways[-1, seen:], math.comb(len(ranks), len(new)))


def mann_whitney_least(base: int, new: int) -> float:
    """Return the smallest p-value that so many values can give: 1 / C(base + new, new)."""
    if base + new > _COUNTED:
        return math.exp(math.lgamma(base + 1) + math.lgamma(new + 1) - math.lgamma(base + new + 1))
    return 1.0 / math.comb(base + new, new)


def signed_rank(differences: Sequence[float]) -> float:
    """Return the p-value against paired differences being positive; those that are 0 say nothing and are left out.

    Source:
        Wilcoxon, Biometrics Bulletin 1 (1945); zeros as he treats them.
    """
    moved = [value for value in differences if value != 0.0 and not math.isnan(value)]
    if not moved:
        return 1.0
    ranks = _doubled_ranks([abs(value) for value in moved])
    seen = sum(int(rank) for rank, value in zip(ranks, moved, strict=True) if value > 0)
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()
    return _share(ways[seen:], 2 ** len(moved))


def signed_rank_least(pairs: int) -> float:
    """Return the smallest p-value that so many pairs can give: 2^-pairs."""
    return float(2.0**-pairs)


def fisher(base_failures: int, base_runs: int, new_failures: int, new_runs: int) -> float:
    """Return the p-value against `new` failing more often: P(at least so many of the failures fall on `new`).

    Whole numbers make it exact. `scipy.stats.fisher_exact` gives the same to the last digits, but to import it takes
    half a second of every comparison.

    Source:
        Fisher, Journal of the Royal Statistical Society 85 (1922); the hypergeometric tail.

    Raises:
        ValueError: more failures than runs.
    """
    if not (0 <= base_failures <= base_runs and 0 <= new_failures <= new_runs):
        raise ValueError(f"{base_failures}/{base_runs} and {new_failures}/{new_runs} are no counts of failures")
    failures = base_failures + new_failures
    tail = sum(
        math.comb(new_runs, k) * math.comb(base_runs, failures - k)
        for k in range(new_failures, min(new_runs, failures) + 1)
    )
    return tail / math.comb(base_runs + new_runs, failures)


def fisher_least(base_runs: int, new_runs: int) -> float:
    """Return the smallest p-value that so many runs can give: none of `base` fails, and all of `new`."""
    return mann_whitney_least(base_runs, new_runs)


def _share(ways: NDArray[np.float64], total: int) -> float:
    """Return which share of all ways these are; ways beyond 2^53 are rounded, and all of them may come to more."""
    return min(1.0, float(ways.sum() / total))


def _doubled_ranks(values: Sequence[float]) -> NDArray[np.int64]:
    """Return twice the ranks from 1; equal values share their mean rank, which doubling makes whole."""
    array = np.asarray(values, dtype=np.float64)
    ordered = np.sort(array)
    first = np.searchsorted(ordered, array, side="left")
    last = np.searchsorted(ordered, array, side="right")
    return np.asarray(first + last + 1, dtype=np.int64)


def _normal_tail(ranks: NDArray[np.int64], chosen: int, seen: int) -> float:
    total = len(ranks)
    mean = chosen * float(ranks.mean())
    # The variance of a sum drawn without replacement from these very ranks: ties are in it already.
    variance = chosen * (total - chosen) / (total - 1) * float(ranks.var())
    if variance == 0.0:
        return 1.0
    return 0.5 * math.erfc((seen - 1.0 - mean) / math.sqrt(2.0 * variance))
