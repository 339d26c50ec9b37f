"""Ties between the slopes of the critic on the two batches."""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, norms
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("diggan")
@dataclass(frozen=True)
class DigGan(Regularizer):
    """DigGAN: the critic should be as steep on the real images as on the generated ones, however steep that is.

    The i-th real image is paired with the i-th generated one, as in the authors' code. That code also averages the
    norms, half and half, with those of the sample of the same index one batch before, and computes the term at the
    first of its four critic steps only; both are left out here.

    Formula:
        weight * E (n(x_f) - n(x_r))^2 over the pairs of the batch

    Parameters:
        weight: factor in front of the term (1000 on all of CIFAR-10, 10000 on a tenth of it; 10 with diffaug).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Fang et al., DigGAN: Discriminator gradIent Gap Regularization for GAN Training with Limited Data, NeurIPS 2022,
        arXiv:2211.14694, and its authors' public code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient", "fake_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(1000.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_gradient, context.fake_gradient
        check_pairs(self.name, real, fake)
        return (norms(fake) - norms(real)).square().mean()
