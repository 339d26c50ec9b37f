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
    """
    (gradient,) = input_gradients([images], [critic])
    return gradient


def input_gradients(batches: Sequence[Tensor], critics: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return what `input_gradient` returns for each batch of images and its critic values, from one backward pass."""
    with mark(INPUT_GRADIENT):
        gradients = torch.autograd.grad([critic.sum() for critic in critics], batches, create_graph=True)
    return tuple(map(in_full_precision, gradients))
