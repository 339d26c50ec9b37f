"""The score of one run: between 0 (untrained or failed) and 1 (as good as real data). Protocol, section 8."""

import math
from collections.abc import Mapping

from bench.config.workload import Workload
from bench.store.record import INFRASTRUCTURE_STATUSES, Record


def is_result(record: Record) -> bool:
    """Say whether the record tells something about its loss; a lost process or a timeout does not."""
    return record.status not in INFRASTRUCTURE_STATUSES


def is_failure(record: Record) -> bool:
    """Say whether the loss failed: it trained, and ended non-finite, diverged or never learned."""
    return is_result(record) and record.status != "ok"


def score(record: Record, workload: Workload) -> float:
    """Return the score y of a run in [0, 1], higher is better. A failed run scores 0.

    Workloads scored by distance:  y = clip[(log F_init - log F_last) / (log F_init - log F_floor), 0, 1],
    so that halving the distance is worth the same everywhere between the untrained generator and real data.
    Workloads scored by modes:     y = modes/K * max(0, 1 - KL(p || uniform) / ln K).

    Raises:
        ValueError: the record is no result (timeout, error), or a successful record lacks what the score needs.
    """
    if not is_result(record):
        raise ValueError(f"trial {record.trial_id} ended with {record.status!r}: it has no score, run it again")
    if is_failure(record):
        return 0.0
    if workload.scored_by == "modes":
        return mode_score(_needed(record, "modes"), _divergence(record), workload.modes)
    return distance_score(
        _needed(record, "distance"), initial=_needed(record, "distance_init"), floor=_needed(record, "distance_floor")
    )


def distance_score(distance: float, *, initial: float, floor: float) -> float:
    """Return clip[(log initial - log distance) / (log initial - log floor), 0, 1].

    Raises:
        ValueError: not 0 < floor < initial; then the workload has no scale to score on.
    """
    if not 0.0 < floor < initial:
        raise ValueError(
            f"the distance of real data ({floor:g}) must be positive and below the untrained generator's ({initial:g})"
        )
    if distance <= floor:
        return 1.0
    return max(0.0, (math.log(initial) - math.log(distance)) / (math.log(initial) - math.log(floor)))


def mode_score(modes: float, divergence: float, total: int) -> float:
    """Return modes/K * max(0, 1 - KL/ln K) for K = `total` modes and KL the divergence from uniform, in nats."""
    return min(1.0, modes / total) * min(1.0, max(0.0, 1.0 - divergence / math.log(total)))


def _needed(record: Record, metric: str) -> float:
    value = record.metrics.get(metric)
    if value is None or not math.isfinite(value):
        raise ValueError(f"trial {record.trial_id} ended ok but has no finite metric {metric!r}: its record is damaged")
    return value


def _divergence(record: Record) -> float:
    """The divergence of an empty histogram does not exist; nothing was found, and the mode count says so with 0."""
    if record.metrics.get("modes") == 0:
        return 0.0
    return _needed(record, "kl_uniform")


def workload_of(record: Record, workloads: Mapping[str, Workload]) -> Workload:
    """Return the record's workload, or raise a `ValueError` that names what is missing."""
    try:
        return workloads[record.spec.workload]
    except KeyError:
        raise ValueError(
            f"trial {record.trial_id} ran on workload {record.spec.workload!r}, which this version does not have"
        ) from None
