"""Terms that hold the critic's values near something: near zero, or near where the other batch has lately been.

Legend: a, b = the critic on the real and the generated images; m_r, m_f = running means of a and b.
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
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("drift")
@dataclass(frozen=True)
class Drift(Regularizer):
    """Keeps the critic's values of real images from drifting away where only differences count.

    Meant for `wasserstein`, whose loss does not change when a constant is added to the critic.

    Formula:
        weight * E a^2

    Parameters:
        weight: factor in front of the term (the paper's epsilon_drift).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: normalizing each batch by itself already ties its values down.

    Source:
        Karras et al., Progressive Growing of GANs, ICLR 2018, arXiv:1710.10196.
    """

    phase: ClassVar[Phase] = "discriminator"
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(0.001, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return context.real_critic.square().mean()


@final
@register("lecam")
@dataclass(frozen=True)
class LeCam(Regularizer):
    """LeCam: real values should not rise above where fake ones lately were, nor fake ones fall below the real ones.

    The paper's equation squares the whole difference; the relu is the authors' code's, who confirmed it. Their
    PyTorch code and StudioGAN start the running means at an arbitrary value and rely on a late start to forget it.
    Here they are divided by the weight they have collected, as in Adam and in the authors' TensorFlow code, so no
    starting value is ever in them. They are collected from the first step, the present batch included (as a constant),
    and the term is 0 before `start`, which the TensorFlow code does not have.

    Formula:
        weight * (E relu(a - m_f)^2 + E relu(m_r - b)^2), m = mean of the batch means with weights decay^age

    Parameters:
        weight: factor in front of the term (the paper's lambda; that of BigGAN on CIFAR, far less for StyleGAN2).
        decay: what a batch's share in the running means is multiplied by at each later batch (StudioGAN's and the
            authors' TensorFlow code's; their PyTorch code has 0.9).
        start: the step from which the term acts.
        every: compute the term and collect the means on every k-th step only, with the weight multiplied by k.

    BatchNorm:
        degraded: normalizing each batch by itself hides the shift of means that it compares.

    Source:
        Tseng et al., Regularizing GANs under Limited Data, CVPR 2021, arXiv:2104.03310.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state", "step"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"derivative": "the present batch counts in the running means, but as a constant"}
    )
    weight: float = parameter(0.3, ge=0)
    decay: float = parameter(0.99, ge=0, lt=1)
    start: int = parameter(1000, ge=0)
    every: int = parameter(1, ge=1)

    @property
    def reads_step(self) -> bool:
        return self.start > 0

    def __call__(self, context: Context) -> Tensor:
        a, b = context.real_critic, context.fake_critic
        real_mean, fake_mean = self._means(context, *map(context.over_micro_batches, (a.mean(), b.mean())))
        value = relu(a - fake_mean).square().mean() + relu(real_mean - b).square().mean()
        # A start at 0 does not look at the count, so that a step can be captured and replayed.
        return 0.0 * value if self.reads_step and context.step < self.start else value

    @torch.no_grad()
    def _means(self, context: Context, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Collect the two means of a batch and return the running means."""
        collected = context.get_state("collected", torch.zeros_like(real))
        sums = [context.get_state(f"{name}_sum", torch.zeros_like(real)) for name in ("real", "fake")]
        for total, mean in zip((collected, *sums), (torch.ones_like(real), real, fake), strict=True):
            total.lerp_(mean, 1 - self.decay)
        # New tensors: what the graph keeps must not be what the next step changes in place.
        return sums[0] / collected, sums[1] / collected
