"""Each image against the whole other batch, through a log-sum-exp. Their values depend on the batch size.

Legend: lse(t) = log of the sum over the batch of exp(t); B = batch size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from losses.numerics import required_reals
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm

_GROWS: Final = MappingProxyType({"repeated batch": "a log-sum-exp grows with the batch: compare at equal batch sizes"})


@final
@register("dual_contrastive")
@dataclass(frozen=True)
class DualContrastive(Objective):
    """Tell one real image from all generated ones, and one generated image from all real ones.

    Formula:
        L_D = E_i sp(lse(b) - a_i) + E_j sp(lse(-a) + b_j)
        L_G = E_j sp(lse(a) - b_j) + E_i sp(lse(-b) + a_i)

    BatchNorm:
        degraded: it compares logits across two batches that were normalized apart.

    Source:
        Yu et al., Dual Contrastive Loss and Attention for GANs, ICCV 2021, arXiv:2103.16748, equations 2 to 4 (numbers
        recalled).
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    waived: ClassVar[Mapping[str, str]] = _GROWS

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _contrast(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return _contrast(fake_logits, required_reals(self.name, real_logits))


def _contrast(up: Tensor, down: Tensor) -> Tensor:
    raised = softplus(down.logsumexp(dim=0) - up).mean()
    return raised + softplus((-up).logsumexp(dim=0) + down).mean()


@final
@register("softmax_gan")
@dataclass(frozen=True)
class SoftmaxGan(Objective):
    """One softmax over both batches: the discriminator puts its mass on the reals, the generator wants it even.

    Formula:
        L_D = lse(a and b together) - E a
        L_G = lse(a and b together) - 1/2 (E a + E b)

    BatchNorm:
        degraded: it compares logits across two batches that were normalized apart.

    Source:
        Lin, Softmax GAN, 2017, arXiv:1704.06191, equations 3 and 4 (numbers recalled).
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    waived: ClassVar[Mapping[str, str]] = _GROWS

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return torch.cat([real_logits, fake_logits]).logsumexp(dim=0) - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        real = required_reals(self.name, real_logits)
        return torch.cat([real, fake_logits]).logsumexp(dim=0) - 0.5 * (real.mean() + fake_logits.mean())
