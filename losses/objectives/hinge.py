"""Hinge losses: the discriminator stops pushing once a logit is past its margin."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import relu

from losses.kinds import Objective
from losses.registry import register


@final
@register("hinge")
@dataclass(frozen=True)
class Hinge(Objective):
    """A margin of 1 on either side for the discriminator, and a linear generator.

    Formula:
        L_D = E relu(1 - a) + E relu(1 + b)
        L_G = -E b

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Lim and Ye, Geometric GAN, 2017, arXiv:1705.02894; used by Miyato et al., ICLR 2018, arXiv:1802.05957.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
