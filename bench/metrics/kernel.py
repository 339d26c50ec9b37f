"""The kernel distance (Bińkowski et al., 2018): an unbiased estimate of the squared MMD under a cubic kernel.

Being unbiased it can be used with few samples, and comes out slightly negative when the two sets cannot be told apart.
"""

import math

import torch
from torch import Tensor

BLOCK = 1000
"""Most samples of either set that are compared at once."""


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared MMD between features [n, d] and [m, d] under k(x, y) = (x.y / d + 1)^3.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j), in double precision.
    """
    first, second = first.double(), second.double()

    def within(features: Tensor) -> Tensor:
        kernel = _kernel(features, features)
        return (kernel.sum() - kernel.trace()) / (len(features) * (len(features) - 1))

    return (within(first) + within(second) - 2.0 * _kernel(first, second).mean()).item()


def kid(fakes: Tensor, reals: Tensor, block: int = BLOCK) -> float:
    """Return the mean squared MMD over disjoint blocks of both sets [n, d] and [m, d], n and m at least 2.

    Every sample of the smaller set is used once, and as many of the larger as fill the blocks.
    """
    blocks = math.ceil(min(len(fakes), len(reals)) / block)
    fakes, reals = fakes[: blocks * block], reals[: blocks * block]
    pairs = zip(fakes.tensor_split(blocks), reals.tensor_split(blocks), strict=True)
    return torch.tensor([squared_mmd(*pair) for pair in pairs], dtype=torch.float64).mean().item()
