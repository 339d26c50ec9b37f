"""What the monitors say of a run: scalars from every step's values, once they are on the host.

Steps whose value is not finite are left out of a share or a mean. What a run is too short for, or never measured, is
`None`.
"""

import math
from typing import Final

from torch import Tensor

from bench.training.monitors import MONITORS, REFERENCE_STEPS

VANISHING: Final = 1e-4
EXPLODING: Final = 1e4
"""The generator's signal has vanished or exploded at a step where it is below or above so many times its reference,
the median over the run's first `REFERENCE_STEPS` steps."""

VERDICT_SHARE: Final = 0.01
"""The share of steps from which on a run counts as one whose signal vanished, or exploded."""

DIVERSITY_ALARM: Final = 0.1
"""A generated batch with less than this share of the real batch's variance has collapsed."""


def stability_metrics(values: Tensor) -> dict[str, float | None]:
    """Return the measures of a whole run.

    Args:
        values: [steps, len(MONITORS)] on the host, the steps in order.
    """
    monitors = dict(zip(MONITORS, values.double().unbind(dim=1), strict=True))
    signal = _finite(monitors["generator_signal"])
    diversity = _finite(monitors["diversity_ratio"])
    ratio_d, ratio_g = (_mean(monitors[f"{player}_update_ratio"]) for player in ("discriminator", "generator"))
    gap = monitors["logit_gap"]
    second_half = gap[len(gap) // 2 :]
    return {
        "signal_first": _median(monitors["generator_signal"][:REFERENCE_STEPS]),
        "signal_last": _median(monitors["generator_signal"][-REFERENCE_STEPS:]),
        **signal_extremes(signal, _median(monitors["generator_signal"][:REFERENCE_STEPS])),
        "generator_dead_fraction": _mean(monitors["generator_dead_fraction"]),
        "discriminator_saturation": _mean(monitors["discriminator_saturation"]),
        "discriminator_spike_rate": _mean(monitors["discriminator_gradient_spike"]),
        "generator_spike_rate": _mean(monitors["generator_gradient_spike"]),
        "discriminator_update_ratio": ratio_d,
        "generator_update_ratio": ratio_g,
        "update_ratio_quotient": ratio_g / ratio_d if ratio_g is not None and ratio_d else None,
        "diversity_collapse_share": _mean((diversity < DIVERSITY_ALARM).double()),
        "logit_gap_autocorrelation": autocorrelation(second_half),
        "logit_gap_deviation": deviation(second_half),
    }


def signal_extremes(signal: Tensor, reference: float | None) -> dict[str, float | None]:
    """Return how often the signal, [steps], had vanished or exploded, and the two verdicts, 1 or 0.

    A signal of exactly 0 has vanished whatever the reference is; against a reference of 0 nothing can explode, so
    that half is `None`.
    """
    vanishing = exploding = None
    if reference is not None:
        vanishing = _mean(((signal < VANISHING * reference) | (signal == 0)).double())
    if reference:
        exploding = _mean((signal > EXPLODING * reference).double())
    return {
        "signal_vanishing_share": vanishing,
        "signal_vanished": _verdict(vanishing),
        "signal_exploding_share": exploding,
        "signal_exploded": _verdict(exploding),
    }


def autocorrelation(series: Tensor) -> float | None:
    """Return sum_t (x_t - m)(x_{t+1} - m) / sum_t (x_t - m)^2, with m the mean: the correlation at lag 1.

    Near 1 for a slow drift or swing, 0 for noise, near -1 for a flip at each step. `None` for fewer than three values,
    for values that do not vary, and where one is not finite, for then neighbours are missing.
    """
    centred = series - series.mean()
    energy = float(centred.square().sum())
    if len(series) < 3 or not math.isfinite(energy) or energy == 0:
        return None
    return float((centred[:-1] * centred[1:]).sum()) / energy


def deviation(series: Tensor) -> float | None:
    """Return the standard deviation (divisor n - 1); `None` for fewer than two values or where one is not finite."""
    if len(series) < 2:
        return None
    spread = float(series.std())
    return spread if math.isfinite(spread) else None


def _verdict(share: float | None) -> float | None:
    return None if share is None else float(share >= VERDICT_SHARE)


def _finite(values: Tensor) -> Tensor:
    return values[values.isfinite()]


def _mean(values: Tensor) -> float | None:
    finite = _finite(values)
    return float(finite.mean()) if len(finite) else None


def _median(values: Tensor) -> float | None:
    finite = _finite(values)
    return float(finite.median()) if len(finite) else None
