"""The original game, on logits: -log sigmoid(t) = sp(-t) and -log(1 - sigmoid(t)) = sp(t).

Never log(sigmoid + epsilon): its gradient dies where the discriminator is confident.
"""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import softplus

from losses.kinds import Objective
from losses.registry import register


def _discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


@final
@register("bce_ns")
@dataclass(frozen=True)
class BceNs(Objective):
    """The non-saturating logistic loss: the generator maximises log D instead of minimising log(1 - D).

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = E sp(-b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661, section 3.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()


@final
@register("bce_mm")
@dataclass(frozen=True)
class BceMm(Objective):
    """The saturating minimax loss: the generator's gradient vanishes where the discriminator is sure.

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = -E sp(b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661, equation 1.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return _discriminator(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -softplus(fake_logits).mean()
