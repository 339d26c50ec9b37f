"""One-centered penalties: the slope of the discriminator should meet a target at points near or between the data."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import relu

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, norms
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


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
    weight: float = parameter(10.0, ge=0)
    target: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return (norms(context.critic_gradient(between(context, self.name))) - self.target).square().mean()


@final
@register("dragan")
@dataclass(frozen=True)
class Dragan(Regularizer):
    """DRAGAN: unit slope near the real data, at real images moved by noise. The generated images play no part.

    The public codes disagree about the noise. This is that of the authors' notebook and of StudioGAN: s is the
    standard deviation of the whole real batch (of the population, so that repeating the batch changes nothing), u is
    drawn for each pixel, e once a sample. Since u >= 0 it also brightens. It is neither torchgan's (e for each pixel),
    nor compare_gan's (centered, clipped), nor dan's (Gaussian with standard deviation 0.1).

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
    weight: float = parameter(10.0, ge=0)
    k: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real = context.real_images.detach()
        e = context.uniform_per_sample(real)
        u = context.uniform(*real.shape, like=real)
        points = real + e * (0.5 * context.whole(real).std(correction=0)) * u
        return (norms(context.critic_gradient(points)) - self.k).square().mean()


@final
@register("gp1_onesided")
@dataclass(frozen=True)
class Gp1OneSided(Regularizer):
    """WGAN-LP: a slope of at most one at random points of the lines between a real and a generated image.

    The hinge is squared, as in the paper. A public code (dan) leaves the square out, as `gp1_hinge` does, which pushes
    as hard on a slope barely too steep as on one far too steep.

    Formula:
        weight * E relu(n(x) - target)^2, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's lambda; 10 in an author's CIFAR-10 code).
        target: the slope from which the term pushes.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Petzka et al., On the regularization of Wasserstein GANs, ICLR 2018, arXiv:1709.08894.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, ge=0)
    target: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return relu(norms(context.critic_gradient(between(context, self.name))) - self.target).square().mean()


@final
@register("gp1_linf")
@dataclass(frozen=True)
class Gp1Linf(Regularizer):
    """A largest derivative by any one pixel of at most one, between real and generated images.

    A bound on the Linf norm of the gradient is a margin between the classes in the L1 norm: it asks that no single
    pixel decide. The paper's hinge is not squared, in difference to that of `gp1_onesided`. The author's script takes
    the largest derivative with its sign, because a switch is the wrong way round; the paper and the code that goes with
    it take the largest absolute one, as here.

    Formula:
        weight * E relu(m(x) - target), or weight * E (m(x) - target)^2 without hinge, m(x) = max_j |dD(x)/dx_j|,
        x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the author's code has 20).
        target: the largest derivative allowed, or the one asked for.
        hinge: leave what is below the target alone, and push equally hard on all that is above.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Jolicoeur-Martineau and Mitliagkas, Gradient penalty from a maximum margin perspective, 2019, arXiv:1910.06922,
        and its author's public code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(20.0, ge=0)
    target: float = parameter(1.0, ge=0)
    hinge: bool = parameter(True)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        derivatives = context.critic_gradient(between(context, self.name)).abs()
        return _penalty(derivatives.amax(dim=_all_but_batch(derivatives)) - self.target, hinge=self.hinge)


@final
@register("gp1_l1")
@dataclass(frozen=True)
class Gp1L1(Regularizer):
    """An L1 norm of the gradient of at most one, between real and generated images.

    A bound on the L1 norm of the gradient is a margin between the classes in the Linf norm. The L1 norm of d
    derivatives is up to sqrt(d) times the Euclidean one, so the same target is a far narrower one. The author calls it
    the worst of the three norms.

    Formula:
        weight * E relu(s(x) - target), or weight * E (s(x) - target)^2 without hinge, s(x) = sum_j |dD(x)/dx_j|,
        x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the author's code has 20).
        target: the norm allowed, or the one asked for.
        hinge: leave what is below the target alone, and push equally hard on all that is above.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Jolicoeur-Martineau and Mitliagkas, Gradient penalty from a maximum margin perspective, 2019, arXiv:1910.06922,
        and its author's public code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(20.0, ge=0)
    target: float = parameter(1.0, ge=0)
    hinge: bool = parameter(True)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        derivatives = context.critic_gradient(between(context, self.name)).abs()
        return _penalty(derivatives.sum(dim=_all_but_batch(derivatives)) - self.target, hinge=self.hinge)


@final
@register("gp1_hinge")
@dataclass(frozen=True)
class Gp1Hinge(Regularizer):
    """A slope of at most one between real and generated images, by a hinge without a square.

    `gp1_onesided` squares the hinge. Here a slope barely too steep is pushed back as hard as one far too steep.

    Formula:
        weight * E relu(n(x) - target), x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the author's code has 20).
        target: the slope from which the term pushes.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Jolicoeur-Martineau and Mitliagkas, Gradient penalty from a maximum margin perspective, 2019, arXiv:1910.06922,
        and its author's public code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(20.0, ge=0)
    target: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _penalty(norms(context.critic_gradient(between(context, self.name))) - self.target, hinge=True)


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
    weight: float = parameter(10.0, ge=0)
    c: float = parameter(0.1, ge=0)
    k: float = parameter(1.0, ge=0)
    one_sided: bool = parameter(False)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real = context.real_images.detach()
        excess = norms(context.critic_gradient(real + self.c * context.normal_like(real))) - self.k
        return (relu(excess) if self.one_sided else excess).square().mean()


def between(context: Context, part: str) -> Tensor:
    """Return a random point of the line between each real and its fake image, one coefficient a sample."""
    real, fake = context.real_images.detach(), context.fake_images.detach()
    check_pairs(part, real, fake)
    return torch.lerp(fake, real, context.uniform_per_sample(real))


def _all_but_batch(g: Tensor) -> tuple[int, ...]:
    return tuple(range(1, g.dim()))


def _penalty(excess: Tensor, *, hinge: bool) -> Tensor:
    """Return the mean of what is above 0, or that of the squares."""
    return (relu(excess) if hinge else excess.square()).mean()
