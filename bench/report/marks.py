"""Marks that some losses leave in every run, so that the monitors of another loss do not pass for theirs.

All are facts about means, and so hold for the mean over a block of steps. Let a and b be the logits, sp the softplus
and s the logistic function, gap = E a - E b, and w = E |dL_G/db|, the weight of the generator's loss.

    linear      L_G = -E b          w = 1
    logistic    L_G = E sp(-b)      w = E s(-b) < 1; L_G = E -log(1 - s(-b)) >= -log(1 - w), by Jensen's inequality
    minimax     L_G = -E sp(b)      w = E s(b) < 1;  L_G <= log(1 - w), likewise
    squares     L_G = E (b - c)^2/2, w = E |b - c|;  L_G >= w^2/2

    logistic    L_D = E sp(-a) + E sp(b) >= 2 sp(-gap/2), by Jensen's inequality
    hinge       L_D = E relu(1 - a) + E relu(1 + b) >= max(0, 2 - gap)
    Wasserstein L_D = -gap

Penalties add what is not negative to the discriminator's loss, so that the last is a lower bound beside one.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from bench.config.trial import has_parts_from_elsewhere, part_names
from bench.report import methods
from bench.store.record import Record

SLACK: Final = 1e-4
"""Weights and losses are sums in single precision."""

_PENALTIES: Final = frozenset({"r1", "r2", "gp1", "dragan"})
"""Parts that add to the discriminator's loss alone, and nothing negative."""

Fits = Callable[[float, float], bool]
"""Of a player's loss and the weight of the generator's, or the gap of the discriminator's logits."""


def _atleast(least: Callable[[float], float]) -> Fits:
    return lambda loss, other: loss >= least(other) - SLACK * max(1.0, abs(loss))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _surprise(weight: float) -> float:
    """Return -log(1 - w), or less where w is so near to 1 that single precision does not tell."""
    return -math.log(max(10 * SLACK, 1.0 - weight))


def _linear(_: float, weight: float) -> bool:
    return abs(weight - 1.0) <= SLACK


def _logistic(loss: float, weight: float) -> bool:
    return 0.0 <= weight <= 1.0 + SLACK and _atleast(_surprise)(loss, weight)


def _minimax(loss: float, weight: float) -> bool:
    return 0.0 <= weight <= 1.0 + SLACK and _atleast(_surprise)(-loss, weight)


_GENERATOR: Final[Mapping[str, Fits]] = {
    "wasserstein": _linear,
    "hinge": _linear,
    "bce_ns": _logistic,
    "rp_bce": _logistic,
    "bce_mm": _minimax,
    "lsgan": _atleast(lambda weight: weight * weight / 2),
}

_DISCRIMINATOR: Final[Mapping[str, Fits]] = {
    "wasserstein": _atleast(lambda gap: -gap),
    "hinge": _atleast(lambda gap: max(0.0, 2.0 - gap)),
    "bce_ns": _atleast(lambda gap: 2.0 * _softplus(-gap / 2)),
    "bce_mm": _atleast(lambda gap: 2.0 * _softplus(-gap / 2)),
}


def marks(record: Record) -> Iterator[str]:
    """Yield what the monitors of a run show that its loss cannot have left, if anything."""
    objective, *beside = part_names(record.spec.method)
    if not _plain(record, beside):
        return
    training = record.history.training
    for player, fits, other in (
        ("generator", _GENERATOR.get(objective), "generator_weight"),
        ("discriminator", _discriminator(objective, beside), "logit_gap"),
    ):
        if fits is None:
            continue
        for loss, value in zip(training.get(f"{player}_loss", []), training.get(other, []), strict=False):
            if loss is not None and value is not None and not fits(loss, value):
                yield f"has monitors that {objective} cannot leave: {player}_loss {loss:.6g} at {other} {value:.6g}"
                break


def _discriminator(objective: str, beside: list[str]) -> Fits | None:
    if objective == "wasserstein" and not _PENALTIES & {*beside}:
        return lambda loss, gap: abs(loss + gap) <= SLACK * max(1.0, abs(loss))
    return _DISCRIMINATOR.get(objective)


def _plain(record: Record, beside: list[str]) -> bool:
    """Say whether nothing stands beside the objective but penalties that are known here, and limits on weights."""
    constraints = {entry.name for entry in methods.parts() if entry.kind == "constraint"}
    shipped = not has_parts_from_elsewhere(record.components)
    return shipped and record.spec.precision == "fp32" and {*beside} <= _PENALTIES | constraints
