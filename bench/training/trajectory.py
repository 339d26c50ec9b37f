"""What the evaluations say of a run: its status, which is exactly one and never a matter of taste, and its course.

F_e is the primary distance at evaluation e = 1 ... E; F_init, at e = 0, is the untrained generator's, which is no
checkpoint. A distance that is missing, not finite or not positive has no logarithm: it is left out, and what cannot
be said without it is `None`.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, TypeGuard

from bench.config.protocol import FAILURE_SHARE, TARGET_SCORE
from bench.store.record import Evaluation, Status

REGRESSION_FACTOR: Final = 1.5
"""A run has regressed where its distance stays above so many times its best."""

COLLAPSE_SHARE: Final = 0.9
"""Modes are lost where an evaluation finds fewer than this share of the most found so far."""


def status_of(distances: Sequence[float | None], first_nonfinite_step: int | None) -> Status:
    """Judge a run by the primary distance at each evaluation, the untrained generator's first.

    With F_init the untrained generator's distance: `nonfinite` if a loss, a gradient norm or a sample was not finite;
    `not_learned` if no later distance is at most F_init / 2; `diverged` if one was, but the last is not; else `ok`.
    """
    if first_nonfinite_step is not None or any(distance is None for distance in distances):
        return "nonfinite"
    finite = [distance for distance in distances if distance is not None]
    threshold = FAILURE_SHARE * finite[0]
    if min(finite[1:], default=math.inf) > threshold:
        return "not_learned"
    return "diverged" if finite[-1] > threshold else "ok"


def late_regression(distances: Sequence[float | None]) -> float | None:
    """Return log(F_last / F_best) over the trained evaluations: 0 if the last is the best, `None` if undefined."""
    trained = [distance for distance in distances[1:] if distance is not None and distance > 0]
    if not trained or distances[-1] is None or distances[-1] <= 0:
        return None
    return math.log(distances[-1] / min(trained))


def trajectory_metrics(evaluations: Sequence[Evaluation], primary: str, floor: float | None) -> dict[str, float | None]:
    """Return the measures of the course of a run, from its evaluations, the untrained generator's first.

    Args:
        evaluations: in the order of steps.
        primary: the metric that is the distance.
        floor: the distance of real data.
    """
    steps = [evaluation.step for evaluation in evaluations]
    distances = [evaluation.metrics.get(primary) for evaluation in evaluations]
    return {
        "best_step": best_step(steps, distances),
        "late_regression": late_regression(distances),
        "late_regression_onset": late_regression_onset(steps, distances),
        "time_to_target": time_to_target(steps, distances, floor),
        "auc_log_distance": auc_log_distance(steps, distances),
        "oscillation": oscillation(distances),
        "collapse_onset": collapse_onset(steps, [evaluation.metrics.get("modes") for evaluation in evaluations]),
    }


def best_step(steps: Sequence[int], distances: Sequence[float | None]) -> int | None:
    """Return the step of the smallest F_e, the first of equals."""
    trained = _trained(steps, distances)
    return min(trained, key=lambda point: point[1])[0] if trained else None


def late_regression_onset(steps: Sequence[int], distances: Sequence[float | None]) -> int | None:
    """Return the first step after the best from which on F_e > 1.5 * F_best to the end; `None` if the end is not.

    A last evaluation that is missing leaves it open, as it does the late regression.
    """
    trained = _trained(steps, distances)
    if not trained or trained[-1][0] != steps[-1]:
        return None
    best = min(distance for _, distance in trained)
    onset = None
    for step, distance in reversed(trained):
        if distance <= REGRESSION_FACTOR * best:
            break
        onset = step
    return onset


def time_to_target(steps: Sequence[int], distances: Sequence[float | None], floor: float | None) -> int | None:
    """Return the first evaluated step with F_e at most F_init^(1 - y) * F_floor^y, where y is `TARGET_SCORE`.

    That is the distance at which a run scores y. `None` for a run that never comes there (right-censored at its last
    step), and where 0 < F_floor < F_init does not hold.
    """
    initial = distances[0] if distances else None
    if not _positive(initial) or not _positive(floor) or floor >= initial:
        return None
    target = initial ** (1 - TARGET_SCORE) * floor**TARGET_SCORE
    return next((step for step, distance in _trained(steps, distances) if distance <= target), None)


def auc_log_distance(steps: Sequence[int], distances: Sequence[float | None]) -> float | None:
    """Return (1/T) * integral of log F dt by the trapezoid rule, from the first trained evaluation to the last, at T.

    `None` for fewer than two. As in the definition, the time before the first counts in T and not in the integral:
    it compares runs whose evaluations are at the same steps.
    """
    trained = _trained(steps, distances)
    if len(trained) < 2:
        return None
    area = sum((t1 - t0) * (math.log(f0) + math.log(f1)) / 2 for (t0, f0), (t1, f1) in pairwise(trained))
    return area / trained[-1][0]


def oscillation(distances: Sequence[float | None]) -> float | None:
    """Return the median of |log F_{e+1} - log F_e| over e > E/2; `None` if no such pair is complete."""
    second_half = distances[(len(distances) - 1) // 2 + 1 :]
    changes = [abs(math.log(f1 / f0)) for f0, f1 in pairwise(second_half) if _positive(f0) and _positive(f1)]
    return median(changes) if changes else None


def collapse_onset(steps: Sequence[int], modes: Sequence[float | None]) -> int | None:
    """Return the step of the first of two evaluations in a row with modes_e < 0.9 * (most modes up to e).

    The untrained generator's modes do not count, and evaluations without a number of modes are left out. `None` if
    there are no two such evaluations, or no modes.
    """
    most = 0.0
    suspected: int | None = None
    for step, count in list(zip(steps, modes, strict=True))[1:]:
        if count is None or not math.isfinite(count):
            continue
        most = max(most, count)
        if count >= COLLAPSE_SHARE * most:
            suspected = None
        elif suspected is not None:
            return suspected
        else:
            suspected = step
    return None


def _trained(steps: Sequence[int], distances: Sequence[float | None]) -> list[tuple[int, float]]:
    points = list(zip(steps, distances, strict=True))[1:]
    return [(step, distance) for step, distance in points if _positive(distance)]


def _positive(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and value > 0
