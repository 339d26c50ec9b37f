"""What an update leaves behind to be watched: one row of numbers on the device, and what many rows say, on the host.

A row holds what the update has at hand, so that watching adds few operators to a step. Medians, shares and comparisons
are made of all rows of a block at once, where they hold up nothing.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from losses.pairs import share_above

DEAD_SIGNAL: Final = 1e-6
"""A sample whose B * |dL_G/dx_f| is below this is dead: it teaches the generator nothing."""


class DiscriminatorRow(NamedTuple):
    """What is watched of one update of the discriminator on n real and n fake inputs, or of S of them.

    This is the one place that names the columns: whoever stores rows joins the fields in this order. The first four are
    scalars, or [S]; the others are [n], or [S, n].
    """

    loss: Tensor
    """L_D."""
    gradient_norm: Tensor
    """Of the discriminator's parameters."""
    diversity: Tensor
    """tr Cov(fake batch) / tr Cov(real batch)."""
    update_ratio: Tensor
    """|dtheta| / |theta| of the update; NaN on steps that do not measure it."""
    real_critic: Tensor
    """The objective's critic on the reals."""
    fake_critic: Tensor
    real_slopes: Tensor
    """|dL_D/dlogit| of the reals; over the outputs of a vector head, the norm."""
    fake_slopes: Tensor


class GeneratorRow(NamedTuple):
    """What is watched of one update of the generator on B samples, or of S of them: scalars, or [S], but for `signals`.

    It names the columns as `DiscriminatorRow` does.
    """

    loss: Tensor
    """L_G."""
    gradient_norm: Tensor
    """Of the generator's parameters."""
    weight: Tensor
    """Sum of |dL_G/dlogit| over the fakes."""
    update_ratio: Tensor
    """|dtheta| / |theta| of the update; NaN on steps that do not measure it."""
    signals: Tensor
    """|dL_G/dx_f| of each sample, [B], or [S, B]."""


Row = TypeVar("Row", DiscriminatorRow, GeneratorRow)


def stacked(rows: Sequence[Row]) -> Row:
    """Return S rows as one whose fields are [S] and [S, n]."""
    return type(rows[0])(*(torch.stack(fields) for fields in zip(*rows, strict=True)))


def slopes_at(logits: Tensor) -> Tensor:
    """Return |dL/dlogit|, [n], from the gradient that logits, [n] or [n, outputs], retained."""
    # A loss that does not read these logits leaves them without a gradient.
    gradient = torch.zeros_like(logits) if logits.grad is None else logits.grad.float()
    slopes: Tensor = gradient.abs() if gradient.dim() == 1 else torch.linalg.vector_norm(gradient, dim=1)
    return slopes


def signals_at(fake_images: Tensor) -> Tensor:
    """Return |dL/dx|, [B], from the gradient that images retained."""
    assert fake_images.grad is not None
    signals: Tensor = torch.linalg.vector_norm(_flattened(fake_images.grad), dim=1)
    return signals


def discriminator_statistics(rows: DiscriminatorRow) -> dict[str, Tensor]:
    """Return what S rows of discriminator updates say, by the names of monitors: each [S]."""
    return {
        "discriminator_loss": rows.loss,
        "discriminator_gradient_norm": rows.gradient_norm,
        "logit_gap": rows.real_critic.mean(dim=1) - rows.fake_critic.mean(dim=1),
        "discriminator_accuracy": share_above(rows.real_critic, rows.fake_critic),
        "diversity_ratio": rows.diversity,
    }


def logit_slopes(rows: DiscriminatorRow) -> Tensor:
    """Return B * |dL_D/dlogit| of the reals and then of the fakes, [S, 2n]; a packed input counts as one of the B."""
    return torch.cat([rows.real_slopes, rows.fake_slopes], dim=1) * rows.real_slopes.shape[1]


def generator_statistics(rows: GeneratorRow) -> dict[str, Tensor]:
    """Return what S rows of generator updates say, by the names of monitors: each [S]."""
    signals = rows.signals * rows.signals.shape[1]
    return {
        "generator_loss": rows.loss,
        "generator_gradient_norm": rows.gradient_norm,
        "generator_signal": signals.median(dim=1).values,
        "generator_weight": rows.weight,
        "generator_dead_fraction": share_below(signals, DEAD_SIGNAL),
    }


def share_below(values: Tensor, limit: Tensor | float) -> Tensor:
    """Return the share of each row, [S, n], below a limit; NaN if a value is not finite, which 0 * value passes on."""
    shares: Tensor = torch.where(values < limit, 1.0, 0.0 * values).mean(dim=1)
    return shares


def total_variance(images: Tensor) -> Tensor:
    """Return the trace of a batch's covariance matrix, a scalar in float32."""
    rows = _flattened(images)
    distances = torch.linalg.vector_norm(rows - rows.mean(dim=0), dim=1)
    total: Tensor = distances.square().sum()
    return total / (len(rows) - 1)


def copy_parameters(module: nn.Module) -> list[Tensor]:
    """Return a copy of the parameters, for `update_ratio`."""
    return [parameter.detach().clone() for parameter in module.parameters()]


@torch.no_grad()
def update_ratio(module: nn.Module, before: list[Tensor]) -> Tensor:
    """Return |theta - before| / |before| over all parameters: how far an update moved them."""
    moved = [parameter - old for parameter, old in zip(module.parameters(), before, strict=True)]
    return get_total_norm(moved) / get_total_norm(before)


def _flattened(images: Tensor) -> Tensor:
    """Return one row a sample in float32, without a copy where images lie channels last."""
    return images.float().movedim(1, -1).flatten(1)
