"""How much a method's result depends on the seed: its bad tail, its spread, and what picking the best seed gains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.statistics.scores import is_failure
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Over the seeds of one method on one workload, failed runs at the untrained generator's distance."""

    cvar25: float
    """CVaR_25: the mean of the worst quarter of the seeds, rounded up."""
    best_seed_gain: float
    """Median less minimum: what quoting the best seed alone would gain."""
    relative: float | None
    """(Q75 - Q25) / median; none where the median is 0."""


def spread(distances: Sequence[float]) -> Spread | None:
    """Return the spread of last distances; None without any."""
    if not distances:
        return None
    ordered = np.sort(np.asarray(distances, dtype=np.float64))
    worst = -(-len(ordered) // 4)
    lower, middle, upper = (float(value) for value in np.percentile(ordered, [25.0, 50.0, 75.0]))
    return Spread(
        cvar25=float(ordered[-worst:].mean()),
        best_seed_gain=middle - float(ordered[0]),
        relative=(upper - lower) / middle if middle else None,
    )


def distance_with_failures(record: Record) -> float | None:
    """Return the last distance of a run; where the loss failed, the untrained generator's; none where it is unknown."""
    return record.metrics.get("distance_init" if is_failure(record) else "distance")
