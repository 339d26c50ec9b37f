"""The status of a run, from its distances: exactly one, and never a matter of taste."""

import math
from collections.abc import Sequence

from bench.config.protocol import FAILURE_SHARE
from bench.store.record import Status


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
