"""What finite samples of a Gaussian add to the Fréchet distance, by the expansion to first order."""

import torch
from torch import Tensor


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
