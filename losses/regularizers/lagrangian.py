"""Constraints on the size of the critic, kept by an augmented Lagrangian; for use with `wasserstein`.

Legend: a, b = the critic on the real and the generated images; Omega = the size that should be 1; alpha = the
multiplier, which is not trained but moved after each step; rho = both the strength of the quadratic term and its pace.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import squared_norms
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("fisher")
@dataclass(frozen=True)
class Fisher(Regularizer):
    """Fisher GAN's constraint: unit second moment of the critic over reals and fakes together. Add it to `wasserstein`.

    The two terms share no factor, so there is no weight and the coefficient is 1. The multiplier moves after the value
    has been taken with the old one.

    Formula:
        -alpha (1 - Omega) + rho/2 (Omega - 1)^2, Omega = 1/2 (E a^2 + E b^2);
        then alpha <- alpha - rho (1 - Omega), from 0

    Parameters:
        rho: strength of the quadratic term and step of the multiplier.
        every: compute the term and move the multiplier on every k-th step only, with the term multiplied by k.

    BatchNorm:
        degraded: normalizing the real and the fake batch each by itself fixes the moments that it constrains.

    Source:
        Mroueh and Sercu, Fisher GAN, NeurIPS 2017, arXiv:1705.09675, algorithm 1. The default rho is that of the
        authors' code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    rho: float = parameter(1e-6, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        omega = 0.5 * (context.real_critic.square().mean() + context.fake_critic.square().mean())
        return _augmented_lagrangian(context, omega, self.rho)


@final
@register("sobolev")
@dataclass(frozen=True)
class Sobolev(Regularizer):
    """Sobolev GAN's constraint: unit mean squared slope of the critic over reals and fakes. Add it to `wasserstein`.

    The two terms share no factor, so there is no weight and the coefficient is 1. The multiplier moves after the value
    has been taken with the old one.

    Formula:
        -alpha (1 - Omega) + rho/2 (Omega - 1)^2, Omega = 1/2 (E n(x_r)^2 + E n(x_f)^2);
        then alpha <- alpha - rho (1 - Omega), from 0

    Parameters:
        rho: strength of the quadratic term and step of the multiplier.
        every: compute the term and move the multiplier on every k-th step only, with the term multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Mroueh et al., Sobolev GAN, ICLR 2018, arXiv:1711.04894. The default rho is recalled (the paper tries several;
        the authors' semi-supervised code has 2e-8).
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient", "fake_gradient", "state"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    rho: float = parameter(1e-5, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        slopes = (context.real_gradient, context.fake_gradient)
        real, fake = (context.whole(squared_norms(slope)).mean() for slope in slopes)
        return _augmented_lagrangian(context, 0.5 * (real + fake), self.rho)


def _augmented_lagrangian(context: Context, omega: Tensor, rho: float) -> Tensor:
    alpha = context.get_state("alpha", torch.zeros_like(omega))
    multiplier = alpha.clone()  # the graph keeps this copy, because alpha changes in place below
    short = 1 - omega  # by how much the constraint is missed from below
    value = 0.5 * rho * short.square() - multiplier * short
    with torch.no_grad():
        alpha.sub_(rho * context.over_micro_batches(short))
    return value
