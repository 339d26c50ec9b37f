"""The kernel distance (Bińkowski et al., 2018): an unbiased estimate of the squared MMD under a cubic kernel.

The estimate is unbiased, so it can be used with few samples. It comes out slightly negative if the two sets cannot be
told apart. In Inception's features it is called KID.
"""

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor

from bench.metrics.order import shuffled

BLOCK = 1000
"""The most samples of either set that are compared at once."""

SUBSETS: Final = 100
SUBSET_SIZE: Final = 1000
SUBSET_SEED: Final = 2020
"""KID's subsets, as torch-fidelity draws them."""


def _cubic_kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1.0) ** 3


def squared_mmd(first: Tensor, second: Tensor) -> float:
    """Return the unbiased squared MMD between features [n, d] and [m, d] under k(x, y) = (x.y / d + 1)^3.

    mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{ij} k(x_i, y_j), in double precision.
    """
    first, second = first.double(), second.double()

    def within(features: Tensor) -> Tensor:
        # Left out before the sum: for features of 1e6 the diagonal is 1e30, and subtracting it would lose all digits.
        others = _cubic_kernel(features, features).fill_diagonal_(0.0)
        return others.sum() / (len(features) * (len(features) - 1))

    return (within(first) + within(second) - 2.0 * _cubic_kernel(first, second).mean()).item()


def kernel_distance(fakes: Tensor, reals: Tensor, block: int = BLOCK) -> float:
    """Return the mean squared MMD over disjoint blocks of both sets [n, d] and [m, d], n and m at least 2.

    Every sample of the smaller set is used once, and as many of the larger set as fill the blocks. Both sets are first
    put into a fixed random order, because a block of samples that came sorted by class is far from any other.
    """
    blocks = math.ceil(min(len(fakes), len(reals)) / block)
    fakes = shuffled(fakes, "kernel-distance/fakes", blocks * block)
    reals = shuffled(reals, "kernel-distance/reals", blocks * block)
    pairs = zip(fakes.tensor_split(blocks), reals.tensor_split(blocks), strict=True)
    return torch.tensor([squared_mmd(*pair) for pair in pairs], dtype=torch.float64).mean().item()


def kid(
    fakes: Tensor,
    reals: Tensor,
    device: torch.device,
    *,
    subsets: int = SUBSETS,
    size: int = SUBSET_SIZE,
    seed: int = SUBSET_SEED,
) -> float:
    """Return the mean squared MMD of random subsets of features [N, d] and [M, d], N and M at least 2.

    A subset is smaller than `size` if either set has fewer features.
    """
    size = min(size, len(fakes), len(reals))
    draws = np.random.RandomState(seed)

    def drawn(features: Tensor) -> Tensor:
        return features[torch.from_numpy(draws.choice(len(features), size, replace=False))].to(device)

    distances = [squared_mmd(drawn(fakes), drawn(reals)) for _ in range(subsets)]
    return float(np.mean(distances))
