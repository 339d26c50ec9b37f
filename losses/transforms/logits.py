"""What the objective reads instead of all logits: fewer of them, or the same ones with a weaker gradient.

Legend: a, b = critic on real and fake, [B]; k = how many logits are read, or the weight of the fake ones.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from losses.context import Context
from losses.hyperparameters import parameter
from losses.pairs import mean_sign
from losses.parts import LogitTransform
from losses.registry import register
from losses.types import Need, Phase


@final
@register("topk")
@dataclass(frozen=True)
class TopK(LogitTransform):
    """The generator learns from its best samples only: the objective reads the k highest fake logits.

    k falls from the whole batch to a share of it. Real logits, where the objective reads as many, are taken at the same
    indices, so that pairs stay pairs. The paper counts epochs; `period` says how many steps take the place of one.

    Formula:
        L_G reads b_(1) >= ... >= b_(k) alone, k = max(ceil(share B), floor(B gamma^floor(step / period)))

    Parameters:
        share: the part of the batch at which k stops falling (the paper's nu).
        gamma: the factor on k from one period to the next.
        period: generator steps in a period.

    BatchNorm:
        ok: the selection happens after the discriminator.

    Source:
        Sinha et al., Top-k Training of GANs, NeurIPS 2020, arXiv:2002.06224. Gamma and share are recalled.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"step"})
    share: float = parameter(0.5, gt=0, le=1)
    gamma: float = parameter(0.99, gt=0, le=1)
    period: int = parameter(500, ge=1)

    def kept(self, batch: int, step: int) -> int:
        """Return k."""
        # The allowance keeps 0.07 * 100, a little above 7, from becoming 8, and 0.57 * 100, a little below 57, from 56.
        least = math.ceil(self.share * batch - 1e-9)
        return max(1, least, math.floor(batch * self.gamma ** (step // self.period) + 1e-9))

    def __call__(self, real: Tensor | None, fake: Tensor, context: Context) -> tuple[Tensor | None, Tensor]:
        # A scalar head is ranked by its logits: asking for its critic would run the discriminator on the reals.
        ranked = (fake if fake.dim() == 1 else context.critic_of(fake)).detach()
        best = ranked.topk(self.kept(len(fake), context.step)).indices
        if real is not None and len(real) == len(fake):
            real = real.index_select(0, best)
        return real, fake.index_select(0, best)


@final
@register("accuracy_gate")
@dataclass(frozen=True)
class AccuracyGate(LogitTransform):
    """The discriminator stops learning from the objective while it ranks real above fake too reliably.

    Pairs that are equal count half, so that a flat critic is at chance. The average starts at chance, 1/2, without a
    correction of its bias, and takes the present batch in before the gate is read. The values stay what they were and
    only the gradient goes. The optimizer still steps: Adam's momentum goes on, and regularizers keep pulling.

    Formula:
        A = mean over i, j of [a_i > b_j] + [a_i = b_j] / 2;  E <- decay E + (1 - decay) A, E_0 = 1/2
        L_D reads the logits, without their gradient while E > threshold

    Parameters:
        threshold: the average ranking accuracy above which the gate is shut; at 1 it never is.
        decay: how much of the average stays from one update of the discriminator to the next.

    BatchNorm:
        ok: the gate stands after the discriminator.

    Source:
        This library; it turns a widespread habit, skipping steps of a discriminator that is too accurate, into a
        gradient gate. The imbalance that it answers: Arjovsky and Bottou, ICLR 2017, arXiv:1701.04862.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state"})
    threshold: float = parameter(0.8, ge=0, le=1)
    decay: float = parameter(0.9, ge=0, lt=1)

    def __call__(self, real: Tensor | None, fake: Tensor, context: Context) -> tuple[Tensor | None, Tensor]:
        a, b = context.real_critic.detach(), context.fake_critic.detach()
        ranking = (mean_sign(a, b) + 1) / 2
        average = context.get_state("accuracy", torch.full_like(ranking, 0.5))
        average.lerp_(context.over_micro_batches(ranking).to(average.dtype), 1 - self.decay)
        is_open = average <= self.threshold
        if real is not None:
            real = torch.where(is_open, real, real.detach())
        return real, torch.where(is_open, fake, fake.detach())


@final
@register("began_balance")
@dataclass(frozen=True)
class BeganBalance(LogitTransform):
    """BEGAN's controller on any objective: fakes push the discriminator less while they are recognized too easily.

    The paper's energy is the reconstruction error of an autoencoder, held at E e_f = gamma E e_r with gamma below 1.
    Ours is softplus(-critic), for a discriminator of logits. It is larger on fakes as soon as the discriminator is any
    good, so a gamma below 1 would drive k to 0 for ever. Hence a gamma above 1, the ratio that the discriminator may
    reach before k falls; at chance, a = b = 0, both energies are log 2 and k rises. k starts at 1, the plain objective,
    where the paper starts at 0. It is moved after its use; the values of the logits stay what they were.

    Formula:
        L_D reads b with its gradient multiplied by k_t, and a as it is
        k_t+1 = clip(k_t + rate (gamma E e_r - E e_f), 0, 1), k_0 = 1, e_r = softplus(-a), e_f = softplus(-b)

    Parameters:
        gamma: the ratio E e_f / E e_r at which k rests.
        rate: the step of k (the paper's lambda_k, there 0.001).

    BatchNorm:
        ok: the controller stands after the discriminator.

    Source:
        Berthelot et al., BEGAN: Boundary Equilibrium Generative Adversarial Networks, 2017, arXiv:1703.10717, section
        3.4, for the controller; this library for its use on logits, and for both defaults.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state"})
    gamma: float = parameter(3.0, gt=0)
    rate: float = parameter(0.01, ge=0)

    def __call__(self, real: Tensor | None, fake: Tensor, context: Context) -> tuple[Tensor | None, Tensor]:
        a, b = context.real_critic.detach(), context.fake_critic.detach()
        stored = context.get_state("k", torch.ones((), device=b.device, dtype=b.dtype))
        k = stored.clone()  # the graph keeps this one; the stored one is changed in place below
        # A difference of equals is exactly 0, so that the value is the logit itself to the last bit.
        weakened = fake.detach() + k * (fake - fake.detach())
        with torch.no_grad():
            imbalance = self.gamma * softplus(-a).mean() - softplus(-b).mean()
            stored.copy_((k + self.rate * context.over_micro_batches(imbalance)).clamp(0, 1))
        return real, weakened
