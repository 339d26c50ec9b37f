"""The Kantorovich dual of the Wasserstein distance. Meaningless without something that bounds the critic's slope."""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from losses.hyperparameters import parameter
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm


@final
@register("wasserstein")
@dataclass(frozen=True)
class Wasserstein(Objective):
    """The difference of the critic's means; add weight_clip or gp1, or the critic grows without bound.

    Formula:
        L_D = E b - E a
        L_G = -E b

    BatchNorm:
        degraded: normalizing the real and the fake batch each by itself hides the shift of means that it compares.

    Source:
        Arjovsky et al., Wasserstein GAN, ICML 2017, arXiv:1701.07875, equation 2 and algorithm 1.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


@final
@register("w_imbalanced")
@dataclass(frozen=True)
class WassersteinImbalanced(Objective):
    """The critic's difference of means with the real mean at another weight; like `wasserstein` it needs a bound.

    Formula:
        L_D = E b - gamma E a
        L_G = -E b

    Parameters:
        gamma: weight of the real term.

    BatchNorm:
        degraded: normalizing the real and the fake batch each by itself hides the shift of means that it compares.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    gamma: float = parameter(0.9, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - self.gamma * real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


@final
@register("loss_sensitive")
@dataclass(frozen=True)
class LossSensitive(Objective):
    """The half of the loss-sensitive GAN that reads logits one by one.

    Unusable alone: the fakes enter the discriminator's loss through the margin, `loss_sensitive + lsgan_qi`. With
    `real` at 0 it is the generator's half alone, for terms that are the discriminator's whole loss, such as `coulomb`.

    Formula:
        L_D = -real E a
        L_G = -E b

    Parameters:
        real: weight of the real term: 1 in the paper's formula, 0 by default in the author's code.

    BatchNorm:
        degraded: normalizing the real batch by itself fixes the very mean that it raises.

    Source:
        Qi, Loss-Sensitive GANs on Lipschitz Densities, IJCV 2020, arXiv:1701.06264, equations 4 and 5 (recalled).
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    real: float = parameter(0.0, ge=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -self.real * real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
