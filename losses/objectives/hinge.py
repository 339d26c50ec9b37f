"""Hinge losses: the discriminator stops pushing once a logit is past its margin. They differ in the generator."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import relu, softplus

from losses.hyperparameters import parameter
from losses.parts import Objective
from losses.registry import register


def margins(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return E relu(1 - a) + E relu(1 + b), the discriminator's hinge loss."""
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


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
        return margins(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


@final
@register("hinge_ns")
@dataclass(frozen=True)
class HingeNs(Objective):
    """The hinge discriminator with the non-saturating logistic generator.

    Formula:
        L_D = E relu(1 - a) + E relu(1 + b)
        L_G = E sp(-b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return margins(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()


@final
@register("hinge_mm")
@dataclass(frozen=True)
class HingeMm(Objective):
    """The hinge as a zero-sum game: past the discriminator's margin, at b < -1, the generator gets no gradient.

    Formula:
        L_D = E relu(1 - a) + E relu(1 + b)
        L_G = -E relu(1 + b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return margins(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -relu(1 + fake_logits).mean()


@final
@register("hinge_relu1")
@dataclass(frozen=True)
class HingeRelu1(Objective):
    """The hinge discriminator with a generator that stops at the real margin.

    Formula:
        L_D = E relu(1 - a) + E relu(1 + b)
        L_G = E relu(1 - b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        In the code of Dong and Yang, 2019, arXiv:1901.08753, beside the losses that the paper studies.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return margins(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return relu(1 - fake_logits).mean()


@final
@register("hinge_relu0")
@dataclass(frozen=True)
class HingeRelu0(Objective):
    """The hinge discriminator with a generator that stops at the boundary between real and fake.

    Formula:
        L_D = E relu(1 - a) + E relu(1 + b)
        L_G = E relu(-b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        In the code of Dong and Yang, 2019, arXiv:1901.08753, beside the losses that the paper studies.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return margins(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return relu(-fake_logits).mean()


@final
@register("hinge_imbalanced")
@dataclass(frozen=True)
class HingeImbalanced(Objective):
    """The hinge with the real term at another weight than the fake one.

    Formula:
        L_D = gamma E relu(1 - a) + E relu(1 + b)
        L_G = -E b

    Parameters:
        gamma: weight of the real term.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    gamma: float = parameter(0.9, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.gamma * relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
