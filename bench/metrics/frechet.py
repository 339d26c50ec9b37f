"""The Fréchet distance between two sets of features, in double precision.

FD = |m - n|^2 + tr(A + B - 2 (A B)^(1/2)) is the squared 2-Wasserstein distance of the Gaussians N(m, A) and N(n, B)
(Dowson and Landau, 1982). In Inception's features it is called FID (Heusel et al., 2017); here it never is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Moments:
    """The mean [d] and covariance [d, d] of a set of features, float64, the latter over N - 1."""

    mean: Tensor
    covariance: Tensor


def moments(features: Tensor) -> Moments:
    """Return the moments of features [N, d], N >= 2. Centred before multiplying, so nothing cancels."""
    exact = features.double()
    mean = exact.mean(0)
    centred = exact - mean
    return Moments(mean, centred.T @ centred / (len(features) - 1))


def square_root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of a positive semi-definite matrix; eigenvalues below 0 are rounding errors."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0.0).sqrt()) @ vectors.T
    return root


def frechet_distance(reference: Moments, root: Tensor, other: Moments) -> float:
    """Return the Fréchet distance of `other` to a reference whose covariance has the symmetric square root `root`.

    tr (A B)^(1/2) is the sum of the square roots of the eigenvalues of A^(1/2) B A^(1/2), which unlike A B is
    symmetric. The reference's root comes from outside because it is computed once, the rest at every evaluation.
    """
    product = root @ other.covariance @ root
    values = torch.linalg.eigvalsh((product + product.T) / 2)
    cross = values.clamp(min=0.0).sqrt().sum()
    gap = (reference.mean - other.mean).square().sum()
    distance = gap + reference.covariance.trace() + other.covariance.trace() - 2.0 * cross
    return max(0.0, float(distance))


def fd_bias(covariance: Tensor, count: int, other_count: int) -> float:
    """Return the Fréchet distance to be expected between two finite samples of one and the same distribution.

    For Gaussians with covariance eigenvalues l and sample sizes N and M, to first order,
    E FD = b (1/N + 1/M) with b = tr S + 1/2 sum_ij l_i l_j / (l_i + l_j) + 1/4 tr S:
    the error of the mean, and that of the covariance. Useful as a floor where N and M are much larger than d.
    """
    values = torch.linalg.eigvalsh(covariance).clamp(min=0.0)
    sums = values[:, None] + values[None, :]
    products = values[:, None] * values[None, :]
    pairs = torch.where(sums > 0.0, products / sums.clamp(min=torch.finfo(sums.dtype).tiny), 0.0)
    factor = 1.25 * values.sum() + 0.5 * pairs.sum()
    return float(factor) * (1.0 / count + 1.0 / other_count)
