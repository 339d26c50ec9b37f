"""An objective at chosen logits: its value at zero, its push on a losing generator, its curves.

Everything is computed in float64 with a batch of 8, except curves that show a defect of float32.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from losses import Objective

BATCH: Final = 8
LIMIT: Final = 30
WINNING: Final = 3.0
"""The discriminator wins: real logits at this, fake ones at minus this."""

VANISHING: Final = 0.1
EXPLODING: Final = 10.0

IN_SINGLE_PRECISION: Final = frozenset({"bce_ns_eps"})
"""Drawn in float32, because the defect to be shown is one of that precision."""

_STEP: Final = 0.25
_DIGEST_FLOOR: Final = 1e-6
"""Machines differ in the last bits of an exponential, which is all that is left where two numbers cancel."""


@dataclass(frozen=True)
class Curve:
    """One loss as a function of one logit, all others being 0, and its gradient by it."""

    label: str
    values: tuple[float, ...]
    gradients: tuple[float, ...]


def logits() -> tuple[float, ...]:
    """Return the logits at which curves are taken: middles of steps, for at a kink the slope is only a convention."""
    count = round(2 * LIMIT / _STEP)
    return tuple(-LIMIT + _STEP * (index + 0.5) for index in range(count))


def reading_at_zero(objective: Objective) -> float:
    """Return L_D where the discriminator answers 0 to everything."""
    zero = _batch(objective, 0.0, torch.float64)
    return float(objective.discriminator(zero, zero))


def push(objective: Objective) -> float | None:
    """Return the sum over the batch of dL_G/db where the discriminator clearly wins; None for a vector head.

    L_G is a mean, so this is the mean slope of a sample. The more negative, the stronger the generator is pushed.
    """
    if objective.outputs > 1:
        return None
    real = _batch(objective, WINNING, torch.float64)
    fake = _batch(objective, -WINNING, torch.float64).requires_grad_()
    return _slope(objective.generator(fake, real), fake)


def in_words(signal: float) -> str:
    """Say what a push amounts to, where that is worth a word."""
    if signal > 0:
        return "the wrong way"
    if signal == 0:
        return "none"
    if -signal < VANISHING:
        return "vanishing"
    return "exploding" if -signal > EXPLODING else ""


@cache
def curves(objective: Objective, dtype: torch.dtype | None = None) -> tuple[Curve, ...]:
    """Return the three curves of a scalar objective: L_D by a real logit, L_D by a fake one, L_G by the latter.

    One logit of the batch moves, and every other one of both batches stays at 0. A loss is a batch mean, so what the
    one logit does is counted for the whole batch: an objective that reads the logits one by one shows its plain terms.
    """
    chosen = dtype or (torch.float32 if objective.name in IN_SINGLE_PRECISION else torch.float64)
    still = _batch(objective, 0.0, chosen)
    return (
        _curve("L_D by a", lambda a: objective.discriminator(a, still), chosen),
        _curve("L_D by b", lambda b: objective.discriminator(still, b), chosen),
        _curve("L_G by b", lambda b: objective.generator(b, still), chosen),
    )


def _curve(label: str, loss: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Curve:
    first_moves = torch.tensor(logits(), dtype=dtype).outer(torch.eye(BATCH, dtype=dtype)[0])
    gradients, values = torch.vmap(torch.func.grad_and_value(loss))(first_moves)
    at_rest = loss(torch.zeros(BATCH, dtype=dtype))
    return Curve(
        label,
        tuple((at_rest + BATCH * (values - at_rest)).tolist()),
        tuple((BATCH * gradients[:, 0]).tolist()),
    )


def digest(objective: Objective) -> str:
    """Return a fingerprint of the curves, the same on every machine: of their numbers in float64, rounded."""
    numbers = [
        rounded(number)
        for curve in curves(objective, torch.float64)
        for series in (curve.values, curve.gradients)
        for number in series
    ]
    precision = "float32" if objective.name in IN_SINGLE_PRECISION else "float64"
    return hashlib.sha256(" ".join([precision, *numbers]).encode()).hexdigest()[:16]


def rounded(number: float) -> str:
    """Round to four significant digits, and to millionths where that is coarser.

    The edges between two results lie at odd places: halves and powers of ten are values that losses really take, and
    on an edge the last bit, in which machines differ, would decide.
    """
    if abs(number) < _DIGEST_FLOOR:
        return "0"
    step = max(10.0 ** (math.floor(math.log10(abs(number) * 1.0137)) - 3), _DIGEST_FLOOR)
    return f"{math.floor(number / step + 0.382)}e{round(math.log10(step))}"


def _batch(objective: Objective, logit: float, dtype: torch.dtype) -> Tensor:
    shape = (BATCH,) if objective.outputs == 1 else (BATCH, objective.outputs)
    return torch.full(shape, logit, dtype=dtype)


def _slope(value: Tensor, by: Tensor) -> float:
    if not value.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(value, by, allow_unused=True)
    return 0.0 if gradient is None else float(gradient.sum())
