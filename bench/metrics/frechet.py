"""The Fréchet distance between two sets of features, in double precision.

FD = |m - n|^2 + tr(A + B - 2 (A B)^(1/2)) is the squared 2-Wasserstein distance of the Gaussians N(m, A) and N(n, B)
(Dowson and Landau, 1982). In Inception's features and only there it is called FID (Heusel et al., 2017).
"""

import itertools
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_LARGE: Final = 1024
"""From this many dimensions on the square root is triangular, and products with it take a third of the time."""

_BLOCKS: Final = 8


@dataclass(frozen=True, eq=False)
class Moments:
    """The mean [d] and covariance [d, d] of a set of features, float64, the latter over N - 1."""

    mean: Tensor
    covariance: Tensor


def moments(features: Tensor) -> Moments:
    """Return the moments of features [N, d], N >= 2. Centered before multiplying, so nothing cancels."""
    exact = features.double()
    mean = exact.mean(0)
    centered = exact - mean
    return Moments(mean, centered.T @ centered / (len(features) - 1))


def moments_in_blocks(features: Tensor, device: torch.device, block: int = 8192) -> Moments:
    """Return the moments of features [N, d], N >= 2, without holding all of them on a device in double precision."""
    mean = features.mean(0, dtype=torch.float64).to(device)
    products = torch.zeros(len(mean), len(mean), dtype=torch.float64, device=device)
    for part in features.split(block):
        centered = part.to(device).double() - mean
        products += centered.T @ centered
    return Moments(mean, products / (len(features) - 1))


def square_root(covariance: Tensor) -> Tensor:
    """Return a root R of a positive semi-definite matrix A [d, d], R R^T = A; eigenvalues below 0 are rounding errors.

    Below 1,024 dimensions it is the symmetric root. From there on it is a lower triangular one, like a Cholesky factor,
    but it also exists for singular matrices.
    """
    values, vectors = torch.linalg.eigh(covariance)
    scaled = vectors * values.clamp(min=0.0).sqrt()
    if len(covariance) >= _LARGE:
        triangle: Tensor = torch.linalg.qr(scaled.T, mode="r").R.T.contiguous()
        return triangle
    root: Tensor = scaled @ vectors.T
    return root


def _product(root: Tensor, covariance: Tensor) -> Tensor:
    """Return R^T B R [d, d] for a symmetric or lower triangular R; at least its lower triangle is filled."""
    if len(root) < _LARGE or bool(root.triu(1).any()):
        product = root @ covariance @ root
        return (product + product.T) / 2
    # Zero blocks of the triangle are left out, and so is what is known by symmetry.
    edges = [len(root) * step // _BLOCKS for step in range(_BLOCKS + 1)]
    spans = list(itertools.pairwise(edges))
    right = torch.cat([covariance[:, start:] @ root[start:, start:end] for start, end in spans], 1)
    product = torch.zeros_like(root)
    for start, end in spans:
        product[start:end, :end] = root[start:, start:end].T @ right[start:, :end]
    return product


def frechet_distance(reference: Moments, root: Tensor, other: Moments) -> float:
    """Return the Fréchet distance of `other` to a reference whose covariance has the `square_root` `root`.

    tr (A B)^(1/2) is the sum of the square roots of the eigenvalues of R^T B R with A = R R^T. Unlike A B, that matrix
    is symmetric. The caller gives the reference's root because it is computed once, the rest at every evaluation.
    """
    values = torch.linalg.eigvalsh(_product(root, other.covariance), UPLO="L")
    cross = values.clamp(min=0.0).sqrt().sum()
    gap = (reference.mean - other.mean).square().sum()
    distance = gap + reference.covariance.trace() + other.covariance.trace() - 2.0 * cross
    return max(0.0, float(distance))
