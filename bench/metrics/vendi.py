"""The Vendi score: how many samples that have nothing in common would be as diverse as these."""

import torch
from torch import Tensor


def vendi_score(features: Tensor) -> float:
    """Return exp(-sum_i l_i log l_i), l the eigenvalues of K/N, of features [N, d] under the cosine kernel.

    K_ij = x_i.y_j / (|x_i| |x_j|), so that tr K/N = 1 and the score lies between 1 (all alike) and the smaller of N and
    d (all orthogonal). K/N has the eigenvalues of the d x d matrix X^T X / N of normalized rows X, which is what is
    computed, in float64: N may be large. Features that are all zero have no direction; they count as alike, and as
    orthogonal to all others.

    Friedman and Dieng, "The Vendi score", 2023, equation 2, for q = 1.
    """
    exact = features.double()
    lengths = exact.norm(dim=1, keepdim=True)
    silent = lengths == 0.0
    rows = torch.cat([exact / lengths.masked_fill(silent, 1.0), silent.double()], 1)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows)).clamp(min=0.0)
    return (-torch.xlogy(values, values).sum()).exp().item()
