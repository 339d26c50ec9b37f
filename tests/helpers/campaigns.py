"""Campaigns of runs whose times are not independent, as no machine's are; drawn from what is published, or as AR(1).

All times are logs of seconds about the median of their cell, so that equal code has equal truth: nothing.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.store.journal import Store
from bench.store.kernels import KernelRecord, KernelStore

PUBLISHED = Path(__file__).parents[2] / "results" / "published"

Times = dict[tuple[str, str], np.ndarray]
"""Log seconds by (workload, method), one a seed."""


@lru_cache
def schedule() -> tuple[tuple[str, str, int], ...]:
    """Return the published runs as (workload, method, seed), in the order in which they were started."""
    records = sorted(Store(PUBLISHED / "classics").records(), key=lambda each: (each.started_at, each.trial_id))
    return tuple((each.spec.workload, each.spec.method_name, each.spec.seed) for each in records)


@lru_cache
def residuals() -> np.ndarray:
    """Return the log seconds of the published runs about the median of their cell, in the order of `schedule`."""
    speeds = {
        (each.spec.workload, each.spec.method_name, each.spec.seed): each.cost["images_per_second"]
        for each in Store(PUBLISHED / "classics").records()
    }
    seconds = {key: -np.log(speed) for key, speed in speeds.items()}
    medians = {
        (workload, method): np.median([value for (*cell, _), value in seconds.items() if cell == [workload, method]])
        for workload, method, _ in seconds
    }
    return np.array([seconds[run] - medians[run[:2]] for run in schedule()])


def lag_1(series: np.ndarray) -> float:
    about = series - series.mean()
    return float((about[1:] * about[:-1]).sum() / (about**2).sum())


def autoregressive(count: int, rng: np.random.Generator, *, lag: float = 0.9) -> np.ndarray:
    """Return a stationary AR(1) series of deviation 1."""
    shocks = rng.standard_normal(count)
    series = np.empty(count)
    series[0] = shocks[0]
    for place in range(1, count):
        series[place] = lag * series[place - 1] + np.sqrt(1 - lag**2) * shocks[place]
    return series


def resampled(series: np.ndarray, rng: np.random.Generator, block: int) -> np.ndarray:
    """Draw a series of equal length from blocks of it, which keep what neighbours share (circular block bootstrap)."""
    starts = rng.integers(len(series), size=-(-len(series) // block))
    places = (starts[:, None] + np.arange(block)).ravel() % len(series)
    return series[places[: len(series)]]


def by_cell(series: np.ndarray) -> Times:
    """Deal a series in the order of `schedule` out to the cells."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for (workload, method, seed), value in zip(schedule(), series, strict=True):
        found.setdefault((workload, method), {})[seed] = float(value)
    return {cell: np.array([value for _, value in sorted(values.items())]) for cell, values in found.items()}


@lru_cache
def kernels() -> Sequence[KernelRecord]:
    return KernelStore(PUBLISHED / "kernels").records()
