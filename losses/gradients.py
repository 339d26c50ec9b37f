"""Gradients of the critic by its input, which stay differentiable."""

from collections.abc import Sequence

import torch
from torch import Tensor

from losses.numerics import in_full_precision
from losses.profiling import INPUT_GRADIENT, mark


def input_gradient(images: Tensor, critic: Tensor) -> Tensor:
    """Return the gradient of each critic value by its own image, shaped like the images, in full precision.

    It is itself differentiable. The gradient of the sum is the per-sample gradient as long as no sample looks at
    another (BatchNorm does).

    Raises:
        ValueError: where the critic does not depend on the images, so that there is no gradient to penalize.
    """
    (gradient,) = input_gradients([images], [critic])
    return gradient


def input_gradients(batches: Sequence[Tensor], critics: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what `input_gradient` returns for each batch of images and its critic values, from one backward pass."""
    with mark(INPUT_GRADIENT):
        _check_graph(all(critic.requires_grad for critic in critics))
        gradients = torch.autograd.grad(
            [critic.sum() for critic in critics], batches, create_graph=True, allow_unused=True
        )
        present = [gradient for gradient in gradients if gradient is not None]
        _check_graph(len(present) == len(batches))
    return tuple(map(in_full_precision, present))


def _check_graph(is_there: bool) -> None:  # noqa: FBT001 - the one thing it is about
    """Raise ValueError where a network has cut its output off from its input."""
    if not is_there:
        raise ValueError(
            "a gradient by a network's input is asked for, and its output does not depend on the input as far as "
            "autograd can tell: let the network run without torch.no_grad(), .detach() and .item() inside"
        )
