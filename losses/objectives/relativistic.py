"""Relativistic losses: is this real image more real than that generated one?"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn.functional import softplus

from losses.kinds import Objective
from losses.numerics import check_pairs
from losses.registry import register


@final
@register("rp_bce")
@dataclass(frozen=True)
class RpBce(Objective):
    """The paired relativistic logistic loss: the i-th real logit against the i-th fake one.

    Formula:
        L_D = E sp(b - a)
        L_G = E sp(a - b)

    BatchNorm:
        ok: the loss reads each pair by itself.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019, arXiv:1807.00734 (there: RSGAN).
    """

    needs_real_in_generator: ClassVar[bool] = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        check_pairs(self.name, real_logits, fake_logits)
        return softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        if real_logits is None:
            raise ValueError(f"{self.name} compares with real images in the generator's loss too: pass real_logits")
        check_pairs(self.name, real_logits, fake_logits)
        return softplus(real_logits - fake_logits).mean()
