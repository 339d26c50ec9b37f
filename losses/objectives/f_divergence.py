"""The f-GAN family: the variational bound of an f-divergence D_f(P_data || P_G), on logits.

Legend: v = a logit; T = g_f(v), the activation that brings v into the domain of the conjugate f*; E = batch mean.
Every member is L_D = -E T(a) + E f*(T(b)). The generator minimizes -E T(b) (the paper's section 3.2, our default), or
-E f*(T(b)) where `saturating`. Exponentials go on as their tangent beyond the exponent `limit`, so that gradients stay
finite and alive: this clamp is part of the loss.

Source of all: Nowozin, Cseke and Tomioka, f-GAN, NeurIPS 2016, arXiv:1606.00709, tables 2 and 6.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from losses.hyperparameters import parameter
from losses.numerics import exp_with_tangent
from losses.objectives.logistic import BceMm, BceNs
from losses.parts import Objective
from losses.registry import register

_LOG_2: Final = 0.6931471805599453
_LIMIT: Final = 15.0
_FAR: Final = 30.0


class FDivergence(Objective):
    """The two losses, from T and from f* after T."""

    @abstractmethod
    def activation(self, v: Tensor) -> Tensor:
        """Return T(v)."""

    @abstractmethod
    def conjugate(self, v: Tensor) -> Tensor:
        """Return f*(T(v))."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.conjugate(fake_logits).mean() - self.activation(real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -self.activation(fake_logits).mean()


class TwoGenerators(FDivergence):
    """A member whose generator may minimize either of the two; it has the field `saturating`."""

    saturating: bool

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        chosen = self.conjugate if self.saturating else self.activation
        return -chosen(fake_logits).mean()


@final
@register("fgan_kl")
@dataclass(frozen=True)
class FganKl(TwoGenerators):
    """The Kullback-Leibler divergence of the data from the model.

    Formula:
        T(v) = v, f*(T(v)) = exp(v - 1)
        L_D = -E a + E exp(b - 1)
        L_G = -E b, or -E exp(b - 1) if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.
        limit: the exponent beyond which the exponential goes on as its tangent.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)
    limit: float = parameter(_LIMIT, gt=0)

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate(self, v: Tensor) -> Tensor:
        return exp_with_tangent(v - 1, self.limit)


@final
@register("fgan_rkl")
@dataclass(frozen=True)
class FganRkl(TwoGenerators):
    """The reverse Kullback-Leibler divergence: it seeks modes rather than covering them.

    Formula:
        T(v) = -exp(-v), f*(T(v)) = v - 1
        L_D = E exp(-a) + E b - 1
        L_G = E exp(-b), or 1 - E b if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes; here that is the tame choice.
        limit: the exponent beyond which the exponential goes on as its tangent.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)
    limit: float = parameter(_LIMIT, gt=0)

    def activation(self, v: Tensor) -> Tensor:
        return -exp_with_tangent(-v, self.limit)

    def conjugate(self, v: Tensor) -> Tensor:
        return v - 1


@final
@register("fgan_js")
@dataclass(frozen=True)
class FganJs(TwoGenerators):
    """The Jensen-Shannon divergence. Its gradients are those of bce_ns, or of bce_mm if saturating: an alias.

    Formula:
        T(v) = log 2 - sp(-v), f*(T(v)) = sp(v) - log 2
        L_D = E sp(-a) + E sp(b) - 2 log 2
        L_G = E sp(-b) - log 2, or log 2 - E sp(b) if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)

    @property
    def alias(self) -> Objective:
        return BceMm() if self.saturating else BceNs()

    def activation(self, v: Tensor) -> Tensor:
        return _LOG_2 - softplus(-v)

    def conjugate(self, v: Tensor) -> Tensor:
        return softplus(v) - _LOG_2


@final
@register("fgan_gan")
@dataclass(frozen=True)
class FganGan(TwoGenerators):
    """The divergence behind the original game: bce_ns, or bce_mm if saturating, under another name. An alias.

    Formula:
        T(v) = -sp(-v), f*(T(v)) = sp(v)
        L_D = E sp(-a) + E sp(b)
        L_G = E sp(-b), or -E sp(b) if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)

    @property
    def alias(self) -> Objective:
        return BceMm() if self.saturating else BceNs()

    def activation(self, v: Tensor) -> Tensor:
        return -softplus(-v)

    def conjugate(self, v: Tensor) -> Tensor:
        return softplus(v)


@final
@register("fgan_pearson")
@dataclass(frozen=True)
class FganPearson(TwoGenerators):
    """The Pearson chi-squared divergence. Saturating, its generator is pushed the wrong way where b < -2.

    Formula:
        T(v) = v, f*(T(v)) = v^2/4 + v
        L_D = -E a + E (b^2/4 + b)
        L_G = -E b, or -E (b^2/4 + b) if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"signs": "the conjugate has its minimum at -2: the discriminator pulls a fake logit of -3 back"}
    )
    saturating: bool = parameter(False)

    def activation(self, v: Tensor) -> Tensor:
        return v

    def conjugate(self, v: Tensor) -> Tensor:
        return v.square() / 4 + v


@final
@register("fgan_neyman")
@dataclass(frozen=True)
class FganNeyman(TwoGenerators):
    """The Neyman chi-squared divergence.

    Formula:
        T(v) = 1 - exp(-v), f*(T(v)) = 2 - 2 exp(-v/2)
        L_D = E exp(-a) - 2 E exp(-b/2) + 1
        L_G = E exp(-b) - 1, or 2 E exp(-b/2) - 2 if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.
        limit: the exponent beyond which the exponentials go on as their tangents.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)
    limit: float = parameter(_LIMIT, gt=0)

    def activation(self, v: Tensor) -> Tensor:
        return 1 - exp_with_tangent(-v, self.limit)

    def conjugate(self, v: Tensor) -> Tensor:
        return 2 - 2 * exp_with_tangent(-v / 2, self.limit)


@final
@register("fgan_hellinger2")
@dataclass(frozen=True)
class FganHellinger2(TwoGenerators):
    """The squared Hellinger distance; its discriminator has the exponential loss of boosting.

    Formula:
        T(v) = 1 - exp(-v), f*(T(v)) = exp(v) - 1
        L_D = E exp(-a) + E exp(b) - 2
        L_G = E exp(-b) - 1, or 1 - E exp(b) if saturating

    Parameters:
        saturating: whether the generator minimizes what the discriminator maximizes.
        limit: the exponent beyond which the exponentials go on as their tangents.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 2.
    """

    saturating: bool = parameter(False)
    limit: float = parameter(_LIMIT, gt=0)

    def activation(self, v: Tensor) -> Tensor:
        return 1 - exp_with_tangent(-v, self.limit)

    def conjugate(self, v: Tensor) -> Tensor:
        return exp_with_tangent(v, self.limit) - 1


@final
@register("fgan_tv")
@dataclass(frozen=True)
class FganTv(FDivergence):
    """The total variation distance. Both players lose their gradient where the discriminator is sure of itself.

    Formula:
        T(v) = f*(T(v)) = 1/2 tanh(v)
        L_D = 1/2 E tanh(b) - 1/2 E tanh(a)
        L_G = -1/2 E tanh(b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 6.
    """

    def activation(self, v: Tensor) -> Tensor:
        return 0.5 * torch.tanh(v)

    def conjugate(self, v: Tensor) -> Tensor:
        return 0.5 * torch.tanh(v)


@final
@register("fgan_alpha")
@dataclass(frozen=True)
class FganAlpha(TwoGenerators):
    """Amari's alpha-divergence; alpha 1/2 is twice the squared Hellinger distance, alpha 2 half of Pearson's.

    Formula:
        f(u) = (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1))
        alpha < 1: T(v) = 1/(1 - alpha) - sp(-v), f*(T(v)) = (((1 - alpha) sp(-v))^(alpha/(alpha - 1)) - 1) / alpha
        alpha > 1: T(v) = v, f*(T(v)) = (relu((alpha - 1) v + 1)^(alpha/(alpha - 1)) - 1) / alpha
        L_D = -E T(a) + E f*(T(b))
        L_G = -E T(b), or -E f*(T(b)) if saturating

    Parameters:
        alpha: above 0, and not 1, whose limit is fgan_kl. Close to 1 from above the power overflows.
        saturating: whether the generator minimizes what the discriminator maximizes.
        limit: below alpha 1, the exponent beyond which the power goes on as the tangent of its exponential.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Nowozin et al., f-GAN, NeurIPS 2016, arXiv:1606.00709, table 6.
    """

    alpha: float = parameter(0.5, gt=0)
    saturating: bool = parameter(False)
    limit: float = parameter(_LIMIT, gt=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha == 1:
            raise ValueError("fgan_alpha(alpha=1): the limit is fgan_kl; write that")

    def activation(self, v: Tensor) -> Tensor:
        return v if self.alpha > 1 else 1 / (1 - self.alpha) - softplus(-v)

    def conjugate(self, v: Tensor) -> Tensor:
        power = self.alpha / (self.alpha - 1)
        if self.alpha > 1:
            return (((self.alpha - 1) * v + 1).relu() ** power - 1) / self.alpha
        # The base vanishes exponentially, so the power is taken through its logarithm.
        exponent = power * (math.log(1 - self.alpha) + _log_softplus(-v))
        return (exp_with_tangent(exponent, self.limit) - 1) / self.alpha


def _log_softplus(t: Tensor) -> Tensor:
    """Return log sp(t), which is t itself where exp(t) is too small to tell."""
    return torch.where(t < -_FAR, t, torch.log(softplus(t.clamp(min=-_FAR))))
