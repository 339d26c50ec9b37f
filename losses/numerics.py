"""The numerically safe pieces that several losses share.

Legend: g is an input gradient of shape [B, ...]; n is its Euclidean norm per sample, over everything but B.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_TINY = 1e-8
"""Added to squares under a root: what is zero has slopes of 1e4 at most, instead of infinite ones."""


def in_full_precision(tensor: Tensor) -> Tensor:
    """Return the tensor in float32, or in float64 if it has that already. Half precisions are widened."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def autocast_dtype(device: str) -> torch.dtype | None:
    """Return what autocast computes in on this kind of device, or None where it is off."""
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def refuse_float16(images: Tensor) -> None:
    """Raise ValueError where gradients by these images would be taken in float16, whose range they leave."""
    if torch.float16 in (images.dtype, autocast_dtype(images.device.type)):
        raise ValueError("input gradients overflow and vanish in float16: train in bfloat16 or float32")


def squared_norms(g: Tensor) -> Tensor:
    """Return n^2 per sample, shape [B]. Free of square roots, so smooth everywhere."""
    # Without flattening, which would copy images that lie channels last, and their gradients back.
    return g.square().sum(dim=tuple(range(1, g.dim()))) if g.dim() > 1 else g.square()


def norms(g: Tensor) -> Tensor:
    """Return n per sample, shape [B], with zero (not NaN) derivatives of every order where g = 0."""
    return root(squared_norms(g))


def root(squared: Tensor) -> Tensor:
    """Return the square root, with zero (not NaN or infinite) derivatives of every order at 0."""
    positive = squared > 0
    # The inner `where` keeps the square root away from 0: masking only its result would still give 0 * inf = NaN.
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


def exp_with_tangent(t: Tensor, limit: float) -> Tensor:
    """Return exp(t) up to `limit` and its tangent beyond, so that value and gradient stay finite and alive."""
    return expm1_with_tangent(t, limit) + 1


def expm1_with_tangent(t: Tensor, limit: float) -> Tensor:
    """Return exp_with_tangent(t, limit) - 1, with all its digits near t = 0."""
    # Not by clamp, whose derivative at the limit itself is 0.
    within = torch.where(t > limit, limit, t)
    return torch.expm1(within) + torch.exp(within) * torch.where(t > limit, t - limit, 0.0)


def check_pairs(name: str, real: Tensor, fake: Tensor) -> None:
    """Raise ValueError unless the i-th real can be paired with the i-th fake. Broadcasting would pair them silently."""
    if real.shape != fake.shape:
        raise ValueError(
            f"{name} pairs real with fake: expected equal shapes, got {tuple(real.shape)} and {tuple(fake.shape)}"
        )


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return |x_i - y_j|^2, [B, C], for x [B, d] and y [C, d]: non-negative, and smooth where two points coincide.

    The differences are taken one by one, at the price of B * C * d numbers of memory: |x|^2 + |y|^2 - 2<x, y> cancels
    to noise (even to negative numbers) for points that are near each other and far from the origin. `losses.pairs`
    takes them of some rows at a time.
    """
    return (x.unsqueeze(1) - y.unsqueeze(0)).square().sum(dim=2)


def rational_quadratic(squared: Tensor, alphas: Sequence[float]) -> Tensor:
    """Return the kernel values sum over alpha of (1 + s / (2 alpha))^-alpha for squared distances s, elementwise."""
    return torch.stack([torch.exp(-alpha * torch.log1p(squared / (2 * alpha))) for alpha in alphas]).sum(dim=0)


def gaussian(squared: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return the kernel values sum over sigma of exp(-s / (2 sigma^2)) for squared distances s, elementwise."""
    return torch.stack([torch.exp(squared * (-0.5 / sigma**2)) for sigma in sigmas]).sum(dim=0)


def mean_off_diagonal(square: Tensor) -> Tensor:
    """Return the mean of a square matrix over the pairs i != j; ValueError where there are none."""
    count = square.shape[0]
    if count < 2:
        raise ValueError("a mean over pairs of different samples needs at least two samples in the batch")
    return (square.sum() - square.diagonal().sum()) / (count * (count - 1))


def covariance(x: Tensor) -> Tensor:
    """Return the covariance [d, d] of the rows of x [B, d], of the population: repeating the batch changes nothing."""
    return second_moment(x - x.mean(dim=0))


def second_moment(x: Tensor) -> Tensor:
    """Return the mean of r r^T over the rows r of x [B, d]."""
    return x.T @ x / x.shape[0]


def unit(x: Tensor) -> Tensor:
    """Return each row of x [B, d] at length 1. Rows much shorter than 1e-4 count as zero, with bounded gradients."""
    return x * (squared_norms(x) + _TINY).rsqrt().unsqueeze(1)


def deviation(x: Tensor, dim: int) -> Tensor:
    """Return the standard deviation of the population, smooth (and 1e-4, not 0) where nothing varies."""
    return (x.var(dim=dim, correction=0) + _TINY).sqrt()


def required_reals(name: str, real: Tensor | None) -> Tensor:
    """Return the real logits of a generator's loss that compares with them; ValueError where there are none."""
    if real is None:
        raise ValueError(f"{name} compares with real images in the generator's loss too: pass real_logits")
    return real
