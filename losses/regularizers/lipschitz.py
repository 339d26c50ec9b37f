"""Penalties on how steep the critic is at worst: the steepest point, a high power of the slope, a direction sought out.

Legend: a, b = the critic on the real and the generated images; xi = the length of the step that looks for a direction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import relu

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import in_full_precision, norms, squared_norms
from losses.parts import Regularizer
from losses.registry import register
from losses.regularizers.gradient_penalty import between
from losses.types import BatchNorm, Need, Phase


@final
@register("maxgp")
@dataclass(frozen=True)
class MaxGp(Regularizer):
    """The Lipschitz GAN's penalty: the steepest of the random points between real and generated images.

    Only one sample of the batch feels it, so its strength depends on the batch size.

    Formula:
        weight * max_i n(x_i)^2, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Zhou et al., Lipschitz Generative Adversarial Nets, ICML 2019, arXiv:1902.05687.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return context.whole(squared_norms(context.critic_gradient(between(context, self.name)))).amax()


@final
@register("wdiv")
@dataclass(frozen=True)
class WDiv(Regularizer):
    """The Wasserstein divergence's penalty: a high power of the slope between real and generated images.

    It is written for the objective `wasserstein`, whose divergence it completes. The power is taken of n^2, without a
    root.

    Formula:
        weight * E n(x)^power, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's k).
        power: exponent of the slope (the paper's p).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Wu et al., Wasserstein Divergence for GANs, ECCV 2018, arXiv:1712.01026.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(2.0, ge=0)
    power: float = parameter(6.0, ge=2)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return squared_norms(context.critic_gradient(between(context, self.name))).pow(self.power / 2).mean()


@final
@register("alp")
@dataclass(frozen=True)
class Alp(Regularizer):
    """Adversarial Lipschitz penalty: the difference quotient toward the point where the critic changes most.

    The direction is found by one step of power iteration and then held constant, so nothing is differentiated twice.
    Where that step finds the critic flat, its random starting direction is kept. The authors' code clips every point
    to [-1, 1]; here points are free, so that the distance is e exactly.

    Formula:
        weight * E relu(|D(x) - D(x + e r)| / e - 1)^2, x = reals and fakes together, e ~ U[shortest, longest) drawn
        once a sample, r = g / ||g||, g = gradient by q of |D(x) - D(x + xi q)| at a random unit q

    Parameters:
        weight: factor in front of the term (the paper's lambda, 100 as recalled; 10 in the authors' code).
        xi: length of the step that looks for the direction.
        shortest: the least distance between the two points.
        longest: the greatest distance between the two points.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient that points the way does not exist for one image when samples look at each other.

    Source:
        Terjék, Adversarial Lipschitz Regularization, ICLR 2020, arXiv:1907.05681; xi and the range of the distance are
        those of the author's code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient", "logit_per_image"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"derivative": "the direction is a function of the weights, but is held constant"}
    )
    weight: float = parameter(100.0, ge=0)
    xi: float = parameter(10.0, gt=0)
    shortest: float = parameter(0.1, gt=0)
    longest: float = parameter(10.0, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        images = torch.cat([context.real_images, context.fake_images]).detach()
        values = torch.cat([context.real_critic, context.fake_critic])
        direction = self._direction(context, images, values.detach())
        distance = self.shortest + (self.longest - self.shortest) * context.uniform_per_sample(direction)
        moved = context.critic((images + distance * direction).to(images.dtype))
        return relu((values - moved).abs() / distance.flatten() - 1).square().mean()

    def _direction(self, context: Context, images: Tensor, values: Tensor) -> Tensor:
        """Return the unit vectors along which the critic changes most, by one step of power iteration."""
        start = _unit(context.normal_like(in_full_precision(images)))
        points = (images + self.xi * start).to(images.dtype).requires_grad_()
        gradient = context.input_gradient(points, (context.critic(points) - values).abs()).detach()
        return torch.where(_per_sample(norms(gradient), images) > 0, _unit(gradient), start)


def _unit(g: Tensor) -> Tensor:
    """Return the vectors at unit length; a zero stays zero."""
    n = _per_sample(norms(g), g)
    return g / torch.where(n > 0, n, 1.0)


def _per_sample(numbers: Tensor, images: Tensor) -> Tensor:
    """Shape one number a sample [B] to multiply the images [B, ...]."""
    return numbers.view(-1, *(1,) * (images.dim() - 1))
