"""Integral probability metrics over the head's own coordinates: the distance of means, or of covariances.

Legend: h_r, h_f = the vector heads of the real and of the fake batch, [B, dimension]; C = covariance of a batch.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.hyperparameters import parameter
from losses.numerics import covariance, required_reals, root
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm


@final
@register("mcgan_mean")
@dataclass(frozen=True)
class McganMean(Objective):
    """McGAN by means: the length of the difference of mean embeddings, which the discriminator makes long.

    The paper's inner maximum over a unit vector is taken in closed form, so it needs no weights of its own. The
    embedding must be bounded: `mcgan_mean + weight_clip`.

    Formula:
        L_D = -||E h_r - E h_f||_2
        L_G = ||E h_r - E h_f||_2

    Parameters:
        dimension: width of the discriminator's vector head.

    BatchNorm:
        degraded: normalizing each batch by itself hides the difference of means.

    Source:
        Mroueh, Sercu and Goel, McGan: Mean and Covariance Feature Matching GAN, ICML 2017, arXiv:1702.08398, equation 5
        with q = 2 (number recalled).
    """

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    dimension: int = parameter(16, ge=2)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -_distance_of_means(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return _distance_of_means(required_reals(self.name, real_logits), fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The embedding along the unit vector from the fake mean to the real one: the inner maximizer."""
        difference = real_logits.mean(dim=0) - fake_logits.mean(dim=0)
        length = root(difference.square().sum())
        return logits @ (difference / torch.where(length > 0, length, 1.0))


@final
@register("mcgan_cov")
@dataclass(frozen=True)
class McganCov(Objective):
    """McGAN by covariances: the sum of the singular values of their difference, which the discriminator makes large.

    The paper keeps two learned frames of k directions; here the head has k coordinates and the inner maximum over
    frames is taken in closed form. The embedding must be bounded: `mcgan_cov + weight_clip`.

    Formula:
        L_D = -||C_r - C_f||_* , the sum of all singular values
        L_G = ||C_r - C_f||_*

    Parameters:
        dimension: width of the discriminator's vector head (the paper's k).

    BatchNorm:
        degraded: normalizing each batch by itself hides a difference of scale.

    Source:
        Mroueh, Sercu and Goel, McGan: Mean and Covariance Feature Matching GAN, ICML 2017, arXiv:1702.08398, equation 9
        (number recalled).
    """

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    dimension: int = parameter(16, ge=2)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -_nuclear_norm(covariance(real_logits) - covariance(fake_logits))

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return _nuclear_norm(covariance(required_reals(self.name, real_logits)) - covariance(fake_logits))

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The quadratic form whose mean over a centered batch is the batch's side of the distance."""
        sign = _sign(covariance(real_logits) - covariance(fake_logits))
        centered = logits - 0.5 * (real_logits.mean(dim=0) + fake_logits.mean(dim=0))
        return ((centered @ sign) * centered).sum(dim=1)


def _distance_of_means(real: Tensor, fake: Tensor) -> Tensor:
    return root((real.mean(dim=0) - fake.mean(dim=0)).square().sum())


def _nuclear_norm(symmetric: Tensor) -> Tensor:
    """Return the sum of absolute eigenvalues, as tr(sign(M) M) with the sign held constant.

    The sign is the maximizer over orthogonal matrices, so by the envelope theorem the gradient is exact.
    """
    return (_sign(symmetric) * symmetric).sum()


@torch.no_grad()
def _sign(symmetric: Tensor) -> Tensor:
    """Return the matrix sign by Newton and Schulz: products alone, so nothing waits for the device.

    An eigenvalue grows by a factor 3/2 an iteration until it nears 1. After 40, those below a ten-millionth of the
    Frobenius norm have not arrived, and they do not weigh anything either.
    """
    sign = symmetric / symmetric.square().sum().sqrt().clamp(min=torch.finfo(symmetric.dtype).tiny)
    for _ in range(40):
        sign = 1.5 * sign - 0.5 * sign @ sign @ sign
    return sign
