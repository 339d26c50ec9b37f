"""Several methods against one: Holm's adjustment, and how often a run of the one is better than one of the other."""

from collections.abc import Sequence

import numpy as np

from bench.statistics.intervals import Array


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


def win_values(scores: Array, reference: Array) -> Array:
    """Return a value of each seed whose mean over seeds is how often a run is better than one of the reference.

    The share of all pairs of runs, P(X > Y) + P(X = Y) / 2, is 1/2 where neither is better (Mann and Whitney 1947).
    With w_st = 1 if run s of the method is better than run t of the reference, 1/2 if they are equal, else 0, the
    value of seed s is

        sum_t w_st / n + sum_t w_ts / n - P.

    A seed is in both methods' runs, and this is what it adds to P, to first order; the values' scatter is therefore
    what the interval of P is made of, by `block_intervals`.

    Args:
        scores: `[methods, seeds]`, higher is better.
        reference: `[seeds]`, of the other method at the same seeds.

    Raises:
        ValueError: there is no seed, or their numbers differ.
    """
    if scores.shape[1] != len(reference) or not len(reference):
        raise ValueError(f"two methods are compared on the same seeds, not on {scores.shape[1]} and {len(reference)}")
    values = np.empty_like(scores)
    for index, own in enumerate(scores):
        wins = (own[:, None] > reference) + 0.5 * (own[:, None] == reference)
        values[index] = wins.mean(axis=1) + wins.mean(axis=0) - wins.mean()
    return values
