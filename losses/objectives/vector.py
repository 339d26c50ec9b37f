"""Discriminators that answer with a distribution or with a point of space instead of a number."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from losses.hyperparameters import parameter
from losses.numerics import check_pairs, norms, required_reals
from losses.parts import Objective
from losses.registry import register


@final
@register("realness")
@dataclass(frozen=True)
class Realness(Objective):
    """RealnessGAN: the discriminator answers with a distribution over outcomes, matched to one anchor for each side.

    The anchors are ours: A1 skewed to the real end and A0 its mirror image, in closed form where the authors' code
    histograms a thousand normal and a thousand uniform numbers. Outcome k stands at u_k = (k + 1/2)/n.
    The generator leaves A0 and goes to the paired real, or to A1. The authors' first public code lacked the way from
    A0, which the paper has and their commit "fix G loss function" (2020-02-21) added. Their code also resamples the
    logits in the discriminator's step, which is left out.

    Formula:
        p(x) = softmax(D(x)), A1_k ~ u_k^skew (1 - u_k), A0_k ~ (1 - u_k)^skew u_k, both summing to 1
        L_D = E KL(A1 || p(x_r)) + E KL(A0 || p(x_f))
        L_G = E KL(p(x_r) || p(x_f)) - E KL(A0 || p(x_f)); if not relativistic E KL(A1 || p(x_f)) - E KL(A0 || p(x_f))

    Parameters:
        outcomes: n, the width of the discriminator's vector head.
        skew: how far the anchors lean to their ends; 1 would make them equal.
        relativistic: whether the generator matches the paired real image rather than the anchor.

    BatchNorm:
        ok: the loss reads each sample's outputs by themselves.

    Source:
        Xiangli et al., Real or Not Real, that is the Question, ICLR 2020, arXiv:2002.05512, its generators that are
        matched to reals and to the anchor.
    """

    revision: ClassVar[int] = 2
    needs_real_in_generator: ClassVar[bool] = True
    outcomes: int = parameter(51, ge=2)
    skew: float = parameter(4.0, gt=1)
    relativistic: bool = parameter(True)

    @property
    def outputs(self) -> int:
        return self.outcomes

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real, fake = self._log_anchors(real_logits)
        return _divergence(real, real_logits) + _divergence(fake, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        real = required_reals(self.name, real_logits)
        goal, start = self._log_anchors(fake_logits)
        if self.relativistic:
            check_pairs(self.name, real, fake_logits)
            goal = log_softmax(real, dim=1)
        return _divergence(goal, fake_logits) - _divergence(start, fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The expected outcome, in [0, 1]."""
        return logits.softmax(dim=1) @ self._outcomes(logits)

    def _outcomes(self, like: Tensor) -> Tensor:
        return (torch.arange(self.outcomes, device=like.device, dtype=like.dtype) + 0.5) / self.outcomes

    def _log_anchors(self, like: Tensor) -> tuple[Tensor, Tensor]:
        u = self._outcomes(like)
        if self.skew * math.log(2 * self.outcomes) > _log_of_zero(like.dtype):
            # The power is 0 at the near end, whose logarithm times 0 is NaN. Elsewhere it stays, bit for bit.
            real = log_softmax(self.skew * u.log() + torch.log1p(-u), dim=0)
        else:
            powers = u**self.skew * (1 - u)
            real = (powers / powers.sum()).log()
        return real, real.flip(0)


def _log_of_zero(dtype: torch.dtype) -> float:
    """Return the x from which on exp(-x) is rounded to 0: half of the least number above it."""
    limits = torch.finfo(dtype)
    return -math.log(limits.tiny) - math.log(limits.eps / 2)


def _divergence(log_probability: Tensor, logits: Tensor) -> Tensor:
    """Return E KL(exp(log_probability) || softmax(logits)), which is 0 where they are equal.

    Both stand as logarithms, since a probability that underflows has none, and an infinite slope there.
    """
    return (log_probability.exp() * (log_probability - log_softmax(logits, dim=1))).sum(dim=1).mean()


@final
@register("spheregan")
@dataclass(frozen=True)
class SphereGan(Objective):
    """Sphere GAN: the discriminator answers with a point on a sphere, judged by its distance from the north pole.

    Moments of the distance stand in for the Wasserstein critic. The sphere bounds them, so there is no penalty.

    Formula:
        d(p) = arccos((||p||^2 - 1)/(||p||^2 + 1)) = 2 atan2(1, ||p||)
        L_D = -E sum_{r=1..moments} d(D(x_r))^r + E sum_r d(D(x_f))^r
        L_G = -E sum_r d(D(x_f))^r

    Parameters:
        dimension: width of the discriminator's vector head.
        moments: how many powers of the distance are summed.

    BatchNorm:
        ok: the loss reads each sample's outputs by themselves.

    Source:
        Park and Kwon, Sphere Generative Adversarial Network Based on Geometric Moment Matching, CVPR 2019 (its
        projection is used as in the Wasserstein GAN, arXiv:1701.07875). The authors' code has this dimension, sums one
        moment by default and suggests three.
    """

    dimension: int = parameter(1024, ge=2)
    moments: int = parameter(3, ge=1)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self._moments(fake_logits).mean() - self._moments(real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -self._moments(fake_logits).mean()

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The distance from the north pole, in [0, pi]."""
        return _distance_from_pole(logits)

    def _moments(self, points: Tensor) -> Tensor:
        distance = _distance_from_pole(points)
        return torch.stack([distance**power for power in range(1, self.moments + 1)]).sum(dim=0)


def _distance_from_pole(points: Tensor) -> Tensor:
    length = norms(points)
    return 2 * torch.atan2(torch.ones_like(length), length)
