"""Point estimates and intervals: medians, percentiles of replicates, and Clopper-Pearson."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONFIDENCE: Final = 0.95


def percentile_interval(replicates: Array, confidence: float = CONFIDENCE) -> tuple[Array, Array]:
    """Return the percentile interval over the first axis as (low, high)."""
    tail = 100.0 * (1.0 - confidence) / 2.0
    low, high = np.percentile(replicates, [tail, 100.0 - tail], axis=0)
    return low, high


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
    """Return the median, with missing values as the largest; `None` if the median itself is missing."""
    filled = [math.inf if value is None or not math.isfinite(value) else value for value in values]
    if not filled:
        return None
    ordered = sorted(filled)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return middle if math.isfinite(middle) else None


def median(values: Iterable[float | None]) -> float | None:
    """Return the median of the finite values; `None` if there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(known)) if known else None
