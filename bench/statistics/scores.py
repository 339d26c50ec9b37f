"""The score of one run: between 0 (untrained or failed) and 1 (as good as real data).

The rule has a version, which the record's protocol decides (`bench.config.protocol.scoring_version`):

    1   mode workloads are scored by their modes alone.
    2   fidelity enters the score of mode workloads; the generator's moving average has a score, too.
"""

import math
from collections.abc import Mapping
from typing import Final

from bench.config.protocol import AVERAGE, FAILURE_SHARE, scoring_version
from bench.config.workload import Workload
from bench.statistics.damage import damage, file_of
from bench.statistics.scales import no_scale
from bench.store.record import Record

RAW: Final = ""
"""What the names of the raw generator's metrics begin with: nothing."""


def is_result(record: Record) -> bool:
    """Say whether the record tells something about its loss; a lost process or a timeout does not."""
    return not record.is_lost


def is_failure(record: Record) -> bool:
    """Say whether the loss failed: it trained, and ended non-finite, diverged or never learned."""
    return is_result(record) and record.status != "ok"


def score(record: Record, workload: Workload) -> float:
    """Return the score y of a run in [0, 1], higher is better. A failed run scores 0.

    Workloads scored by distance:  y = clip[(log F_init - log F_last) / (log F_init - log F_floor), 0, 1],
    so that halving the distance is worth the same everywhere between the untrained generator and real data.
    Workloads scored by modes:     y = modes/K * max(0, 1 - KL(p || uniform) / ln K) * fidelity,
    with the `fidelity` of this module; under scoring version 1 without it.

    Raises:
        ValueError: the record is no result (timeout, error), or is damaged; or real data give its workload no scale.
    """
    _check(record, workload)
    return 0.0 if is_failure(record) else _score(record, workload, RAW)


def average_score(record: Record, workload: Workload) -> float | None:
    """Return the same score of the moving average of the generator's weights, from the metrics called `ema_...`.

    The floors, the ceilings and the untrained generator are shared. The average fails by its own distance at the end,
    whatever has become of the raw generator: it scores 0 unless its samples were finite and F_last <= F_init / 2.
    None where the record lacks the metrics, as all those of scoring version 1 do.

    Raises:
        ValueError: as for `score`.
    """
    _check(record, workload)
    if scoring_version(record.protocol_version) == "1":
        return None
    if record.status == "nonfinite":  # the run stopped there, and left no average
        return 0.0
    if f"{AVERAGE}distance" not in record.metrics:
        return None
    distance, initial = record.metrics[f"{AVERAGE}distance"], record.metrics.get("distance_init")
    if distance is None or initial is None or distance > FAILURE_SHARE * initial:
        return 0.0
    return _score(record, workload, AVERAGE)


def _check(record: Record, workload: Workload) -> None:
    if not is_result(record):
        raise ValueError(f"trial {record.trial_id} ended with {record.status!r}: it has no score, run it again")
    problem = damage(record, workload)
    if problem:
        raise ValueError(problem)


def _score(record: Record, workload: Workload, prefix: str) -> float:
    lacking = no_scale(record, workload)
    if lacking:
        raise ValueError(f"{file_of(record)} cannot be scored on {workload.name}: {lacking.reason}; {lacking.way_out}")
    metrics = record.metrics
    if workload.scored_by == "distance":
        return distance_score(
            _known(metrics, f"{prefix}distance"),
            initial=_known(metrics, "distance_init"),
            floor=_known(metrics, "distance_floor"),
        )
    modes = _known(metrics, f"{prefix}modes")
    # The divergence of an empty histogram does not exist; nothing was found, and the mode count says so with 0.
    divergence = _known(metrics, f"{prefix}kl_uniform") if modes else 0.0
    share = 1.0 if scoring_version(record.protocol_version) == "1" else fidelity(metrics, workload, prefix)
    return mode_score(modes, divergence, workload.modes, share)


def distance_score(distance: float, *, initial: float, floor: float) -> float:
    """Return clip[(log initial - log distance) / (log initial - log floor), 0, 1].

    Raises:
        ValueError: not 0 < floor < initial, and then the workload has no scale to score on; or not distance > 0.
    """
    if not 0.0 < floor < initial:
        raise ValueError(
            f"the distance of real data ({floor:g}) must be positive and below the untrained generator's ({initial:g})"
        )
    if not distance > 0.0:
        raise ValueError(f"a distance of {distance:g} has no logarithm: it must be positive")
    if distance <= floor:
        return 1.0
    return max(0.0, (math.log(initial) - math.log(distance)) / (math.log(initial) - math.log(floor)))


def mode_score(modes: float, divergence: float, total: int, fidelity: float = 1.0) -> float:
    """Return modes/K * max(0, 1 - KL/ln K) * fidelity for K = `total` modes.

    Args:
        modes: how many were found.
        divergence: KL of their histogram from the uniform one, in nats.
        total: how many there are.
        fidelity: how near the samples come to real data, in [0, 1].
    """
    return min(1.0, modes / total) * min(1.0, max(0.0, 1.0 - divergence / math.log(total))) * fidelity


def fidelity(metrics: Mapping[str, float | None], workload: Workload, prefix: str = RAW) -> float:
    """Return how near the samples come to real data, whatever modes they find: a number in [0, 1], 1 for real data.

    In the plane:    min(1, high quality / its ceiling).
    Of images:       min(1, readable / readable of real images) * min(1, coverage / coverage of real images),
    readable being 1 - unreadable. A mode is found by whatever the classifier takes for it. What is no real image is
    seldom read with certainty, and leaves neighborhoods of real images empty. Averages of two do neither so seldom
    that one factor would do; both together do. Precision instead of coverage would let the averages of MNIST pass.
    `tests/helpers/impostors.py` measures who passes; docs/decisions/0006 has the numbers.
    """
    if workload.is_toy:
        return min(1.0, _known(metrics, f"{prefix}high_quality") / _known(metrics, "high_quality_ceiling"))
    readable, real = (1.0 - _known(metrics, name) for name in (f"{prefix}unreadable", "unreadable_floor"))
    coverage = _known(metrics, f"{prefix}coverage") / _known(metrics, "coverage_ceiling")
    return min(1.0, readable / real) * min(1.0, coverage)


def _known(metrics: Mapping[str, float | None], name: str) -> float:
    value = metrics[name]
    assert value is not None, f"{name} was checked"
    return value


def workload_of(record: Record, workloads: Mapping[str, Workload]) -> Workload:
    """Return the record's workload, or raise a `ValueError` that names what is missing."""
    try:
        return workloads[record.spec.workload]
    except KeyError:
        raise ValueError(
            f"trial {record.trial_id} ran on workload {record.spec.workload!r}, which this version does not have"
        ) from None
