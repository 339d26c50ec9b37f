"""What the quality gate reads of a cell: one value per run, where smaller is better.

A run's value is log F of its last evaluation, or 1 - y where the workload scores modes. A failed run ranks behind all
others; where a number is needed it counts as untrained (log F_init, or 1), as it does in the score.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from bench.config.workload import Workload
from bench.statistics.gates.verdicts import RATIO_BOUND, SCORE_BOUND
from bench.statistics.intervals import Array
from bench.statistics.location_shifts import POWER, needed_shift
from bench.statistics.scores import is_failure, score
from bench.store.record import Record

_ROUNDING: Final = 1e-12

_NORMAL_DISTANCE: Final = math.sqrt(2.0) * NormalDist().inv_cdf(0.75)
"""The median distance of two values that are normal with deviation 1."""


@dataclass(frozen=True)
class Sample:
    """The values of one cell on one side, smaller is better, in the order of the seeds."""

    seeds: tuple[int, ...]
    ranked: tuple[float, ...]
    """For tests: the value of a failed run is infinite."""
    counted: Array
    """For the effect: a failed run is as bad as an untrained generator."""

    @property
    def learned(self) -> Array:
        """The values of the runs that did not fail."""
        return self.counted[np.isfinite(self.ranked)]

    @property
    def failures(self) -> float:
        """The share of failed runs."""
        return 1.0 - len(self.learned) / len(self.seeds)


def sample(records: Mapping[int, Record], workload: Workload, untrained: float | None) -> Sample:
    """Return the values of a cell's runs; `untrained` is log F of the untrained generator, for failed runs."""
    ranked, counted = [], []
    for record in records.values():
        if workload.scored_by == "modes":
            value = 1.0 - score(record, workload)
            worst = 1.0
        else:
            worst = math.inf if untrained is None else untrained
            value = worst if is_failure(record) else _log_distance(record)
        failed = is_failure(record)
        ranked.append(math.inf if failed else value)
        counted.append(worst if failed else value)
    return Sample(tuple(records), tuple(ranked), np.array(counted))


def tolerance(workload: Workload) -> float:
    """Return the difference up to which values count as equal, plus a rounding, since scores lie on a grid."""
    return (SCORE_BOUND if workload.scored_by == "modes" else math.log(RATIO_BOUND)) + _ROUNDING


def untrained_distance(records: Sequence[Record]) -> float | None:
    """Log of the untrained generator's median distance, or `None` where no run has measured it."""
    known = [record.metrics.get("distance_init") for record in records]
    logs = [math.log(value) for value in known if value is not None and math.isfinite(value) and value > 0]
    return float(np.median(logs)) if logs else None


def center(sample: Sample, *, ratio: bool) -> float:
    """Return the median distance or score."""
    middle = float(np.median(sample.counted))
    return math.exp(middle) if ratio else 1.0 - middle


def detectable(
    base: Sample, new: Sample, level: float, workload: Workload, *, paired: bool, screen: bool
) -> float | None:
    """Return the effect that the test would find four times in five, if runs scatter as these do, and normally."""
    spread = _scatter(base, new, paired=paired)
    drawn = needed_shift(len(base.seeds), len(new.seeds), level, paired=paired)
    if spread is None or drawn is None:
        return None
    needed, error = drawn
    bound = tolerance(workload)
    # The screen looks for any shift, and at an estimate beyond the bound; the verdict for a shift beyond it.
    shifts = np.maximum(spread * needed, bound - spread * error) if screen else bound + spread * needed
    shift = float(np.quantile(shifts, POWER))
    if workload.scored_by == "modes":
        return shift if shift <= 1.0 else None
    return math.exp(shift) if shift < math.log(np.finfo(np.float64).max) else None


def _scatter(base: Sample, new: Sample, *, paired: bool) -> float | None:
    """Return the standard deviation within the sides, or of the differences of pairs, which one wild run cannot move.

    The median distance of two runs of a side, over what it is for normal values of deviation 1 (Shamos 1976). Failed
    runs are left out; `None` where no side has two that learned.
    """
    if paired:
        moved = [b - a for a, b in zip(base.ranked, new.ranked, strict=True) if math.isfinite(a) and math.isfinite(b)]
        sides = [np.array(moved)]
    else:
        sides = [base.learned, new.learned]
    apart = [np.abs(np.subtract.outer(side, side))[np.triu_indices(len(side), k=1)] for side in sides]
    distances = np.concatenate(apart)
    return float(np.median(distances)) / _NORMAL_DISTANCE if len(distances) else None


def _log_distance(record: Record) -> float:
    distance = record.metrics["distance"]
    assert distance is not None, "damaged records are refused"
    return math.log(distance)
