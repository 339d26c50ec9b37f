"""The numerically safe pieces that several losses share.

Legend: g is an input gradient of shape [B, ...]; n is its Euclidean norm per sample, over everything but B.
"""

import torch
from torch import Tensor


def in_full_precision(tensor: Tensor) -> Tensor:
    """Return the tensor in float32, or in float64 if it has that already. Half precisions are widened."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def squared_norms(g: Tensor) -> Tensor:
    """Return n^2 per sample, shape [B]. Free of square roots, so smooth everywhere."""
    return g.flatten(start_dim=1).square().sum(dim=1)


def norms(g: Tensor) -> Tensor:
    """Return n per sample, shape [B], with zero (not NaN) derivatives of every order where g = 0."""
    squared = squared_norms(g)
    positive = squared > 0
    # The inner `where` keeps the square root away from 0: masking only its result would still give 0 * inf = NaN.
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def check_pairs(name: str, real: Tensor, fake: Tensor) -> None:
    """Raise ValueError unless the i-th real can be paired with the i-th fake. Broadcasting would pair them silently."""
    if real.shape != fake.shape:
        raise ValueError(
            f"{name} pairs real with fake: expected equal shapes, got {tuple(real.shape)} and {tuple(fake.shape)}"
        )
