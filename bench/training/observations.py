"""What an update leaves behind to be watched: one row of numbers on the device, and what many rows say, on the host.

A row holds what the update has at hand, so that watching adds few operators to a step. Medians, shares and comparisons
are made of all rows of a block at once, where they hold up nothing.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from losses.pairs import share_above

DEAD_SIGNAL: Final = 1e-6
"""A sample whose B * |dL_G/dx_f| is below this is dead: it teaches the generator nothing."""

_SCALARS: Final = 3
"""Numbers of a row that are not one a sample."""

_GROUPS: Final = 4
"""Numbers of a discriminator's row for each pair of a real and a fake input."""


def observe_discriminator(
    loss: Tensor,
    gradient_norm: Tensor,
    diversity: Tensor,
    critics: tuple[Tensor, Tensor],
    logits: tuple[Tensor, Tensor],
) -> Tensor:
    """Return one row of a discriminator's update, [3 + 4n], of n real and n fake inputs.

    Args:
        loss: L_D, a scalar.
        gradient_norm: of the discriminator's parameters, a scalar.
        diversity: tr Cov(fake batch) / tr Cov(real batch), a scalar.
        critics: the critic on the reals and on the fakes, [n] each.
        logits: those of the reals and of the fakes, [n] or [n, outputs], with their retained gradients.
    """
    real, fake = (_gradient_at(each) for each in logits)
    return torch.hstack([loss.detach(), gradient_norm, diversity, *critics, real, fake])


def observe_generator(loss: Tensor, gradient_norm: Tensor, fake_images: Tensor, fake_logits: Tensor) -> Tensor:
    """Return one row of a generator's update, [3 + B]: the images and logits carry retained gradients."""
    assert fake_images.grad is not None
    received = torch.linalg.vector_norm(_rows(fake_images.grad), dim=1)
    return torch.hstack([loss.detach(), gradient_norm, _gradient_at(fake_logits).sum(), received])


def discriminator_statistics(rows: Tensor) -> dict[str, Tensor]:
    """Return what rows of discriminator updates, [S, 3 + 4n], say, by the names of monitors: each [S]."""
    loss, gradient_norm, diversity = rows[:, :_SCALARS].unbind(dim=1)
    a, b, *_ = rows[:, _SCALARS:].unflatten(1, (_GROUPS, -1)).unbind(dim=1)
    return {
        "discriminator_loss": loss,
        "discriminator_gradient_norm": gradient_norm,
        "logit_gap": a.mean(dim=1) - b.mean(dim=1),
        "discriminator_accuracy": share_above(a, b),
        "diversity_ratio": diversity,
    }


def logit_slopes(rows: Tensor) -> Tensor:
    """Return B * |dL_D/dlogit| of the reals and then of the fakes, [S, 2n], of rows of discriminator updates.

    A vector head has the norm over its outputs; a packed input counts as one of the B.
    """
    slopes: Tensor = rows[:, _SCALARS:].unflatten(1, (_GROUPS, -1))[:, 2:]
    return (slopes * slopes.shape[2]).flatten(1)


def generator_statistics(rows: Tensor) -> dict[str, Tensor]:
    """Return what rows of generator updates, [S, 3 + B], say, by the names of monitors: each [S]."""
    loss, gradient_norm, weight = rows[:, :_SCALARS].unbind(dim=1)
    signals = rows[:, _SCALARS:] * (rows.shape[1] - _SCALARS)
    return {
        "generator_loss": loss,
        "generator_gradient_norm": gradient_norm,
        "generator_signal": signals.median(dim=1).values,
        "generator_weight": weight,
        "generator_dead_fraction": share_below(signals, DEAD_SIGNAL),
    }


def share_below(values: Tensor, limit: Tensor | float) -> Tensor:
    """Return the share of each row, [S, n], below a limit; NaN if a value is not finite, which 0 * value passes on."""
    shares: Tensor = torch.where(values < limit, 1.0, 0.0 * values).mean(dim=1)
    return shares


def total_variance(images: Tensor) -> Tensor:
    """Return the trace of a batch's covariance matrix, a scalar in float32."""
    rows = _rows(images)
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


def _rows(images: Tensor) -> Tensor:
    """Return one row a sample in float32, without a copy where images lie channels last."""
    return images.float().movedim(1, -1).flatten(1)


def _gradient_at(logits: Tensor) -> Tensor:
    """Return |dL/dlogit|, [n], from the gradient that the logits retained."""
    # A loss that does not read these logits leaves them without a gradient.
    gradient = torch.zeros_like(logits) if logits.grad is None else logits.grad.float()
    slopes: Tensor = gradient.abs() if gradient.dim() == 1 else torch.linalg.vector_norm(gradient, dim=1)
    return slopes
