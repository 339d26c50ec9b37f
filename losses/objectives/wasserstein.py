"""The Kantorovich dual of the Wasserstein distance. Meaningless without something that bounds the critic's slope."""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from losses.kinds import BatchNorm, Objective
from losses.registry import register


@final
@register("wasserstein")
@dataclass(frozen=True)
class Wasserstein(Objective):
    """The difference of the critic's means; add weight_clip or gp1, or the critic grows without bound.

    Formula:
        L_D = E b - E a
        L_G = -E b

    BatchNorm:
        degraded: normalising the real and the fake batch each by itself hides the shift of means that it compares.

    Source:
        Arjovsky et al., Wasserstein GAN, ICML 2017, arXiv:1701.07875, equation 2 and algorithm 1.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
