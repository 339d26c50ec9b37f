"""One-centred penalties: the slope of the discriminator should meet a target at points near or between the data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import relu

from losses.kinds import BatchNorm, Need, Phase, Regularizer, parameter
from losses.numerics import check_pairs, norms
from losses.registry import register

if TYPE_CHECKING:
    from losses.context import Context


@final
@register("gp1")
@dataclass(frozen=True)
class Gp1(Regularizer):
    """WGAN-GP: unit slope at random points of the lines between a real and a generated image.

    Formula:
        weight * E (n(x) - target)^2, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        target: the slope asked for.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, arXiv:1704.00028, equation 3.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, minimum=0)
    target: float = parameter(1.0, minimum=0)
    every: int = parameter(1, minimum=1)

    def __call__(self, context: "Context") -> Tensor:
        return (norms(context.slope(between(context, self.name))) - self.target).square().mean()


@final
@register("dragan")
@dataclass(frozen=True)
class Dragan(Regularizer):
    """DRAGAN: unit slope near the real data, at real images moved by noise. The generated images play no part.

    The public codes disagree about the noise. This is that of the authors' notebook and of StudioGAN: s is the
    standard deviation of the whole real batch (of the population, so that repeating the batch changes nothing), u is
    drawn for each pixel, e once a sample. Since u >= 0 it also brightens. It is neither torchgan's (e for each pixel),
    nor compare_gan's (centred, clipped), nor dan's (Gaussian with standard deviation 0.1).

    Formula:
        weight * E (n(x) - k)^2, x = x_r + e s/2 u, s = std(x_r), e ~ U[0, 1), u ~ U[0, 1)

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        k: the slope asked for.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Kodali et al., On Convergence and Stability of GANs, 2017, arXiv:1705.07215.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, minimum=0)
    k: float = parameter(1.0, minimum=0)
    every: int = parameter(1, minimum=1)

    def __call__(self, context: "Context") -> Tensor:
        real = context.real_images.detach()
        e = context.uniform_per_sample(real)
        u = context.uniform(*real.shape, like=real)
        points = real + e * (0.5 * context.whole(real).std(correction=0)) * u
        return (norms(context.slope(points)) - self.k).square().mean()


@final
@register("gp1_onesided")
@dataclass(frozen=True)
class Gp1OneSided(Regularizer):
    """WGAN-LP: a slope of at most one at random points of the lines between a real and a generated image.

    The hinge is squared, as in the paper. A public code (dan) leaves the square out, which pushes as hard on a slope
    barely too steep as on one far too steep.

    Formula:
        weight * E relu(n(x) - target)^2, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's lambda; 5 to 10, recalled).
        target: the slope from which the term pushes.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Petzka et al., On the regularization of Wasserstein GANs, ICLR 2018, arXiv:1709.08894. The default weight is
        recalled.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, minimum=0)
    target: float = parameter(1.0, minimum=0)
    every: int = parameter(1, minimum=1)

    def __call__(self, context: "Context") -> Tensor:
        return relu(norms(context.slope(between(context, self.name))) - self.target).square().mean()


@final
@register("local_gp")
@dataclass(frozen=True)
class LocalGp(Regularizer):
    """Unit slope near the real data, at real images moved by Gaussian noise: DRAGAN with the noise of dan's code.

    The one-sided form squares its hinge here; the public code leaves the square out.

    Formula:
        weight * E (n(x) - k)^2, or weight * E relu(n(x) - k)^2 if one_sided, x = x_r + c N(0, I)

    Parameters:
        weight: factor in front of the term.
        c: standard deviation of the noise, in units of the image (values in [-1, 1]).
        k: the slope asked for, or the steepest allowed.
        one_sided: leave slopes below k alone.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753; after Kodali et
        al., 2017, arXiv:1705.07215.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, minimum=0)
    c: float = parameter(0.1, minimum=0)
    k: float = parameter(1.0, minimum=0)
    one_sided: bool = parameter(False)
    every: int = parameter(1, minimum=1)

    def __call__(self, context: "Context") -> Tensor:
        real = context.real_images.detach()
        excess = norms(context.slope(real + self.c * context.normal_like(real))) - self.k
        return (relu(excess) if self.one_sided else excess).square().mean()


def between(context: "Context", part: str) -> Tensor:
    """Return a random point of the line between each real and its fake image, one coefficient a sample."""
    real, fake = context.real_images.detach(), context.fake_images.detach()
    check_pairs(part, real, fake)
    return torch.lerp(fake, real, context.uniform_per_sample(real))
