"""The original game, on logits: -log sigmoid(t) = sp(-t) and -log(1 - sigmoid(t)) = sp(t).

Never log(sigmoid + epsilon): its gradient dies where the discriminator is confident (see `bce_ns_eps`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

from torch import Tensor
from torch.nn.functional import relu, softplus

from losses.hyperparameters import parameter
from losses.parts import Objective
from losses.registry import register


def binary_cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return E sp(-a) + E sp(b), the discriminator's loss of the original game."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


@final
@register("bce_ns")
@dataclass(frozen=True)
class BceNs(Objective):
    """The non-saturating logistic loss: the generator maximizes log D instead of minimizing log(1 - D).

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = E sp(-b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, arXiv:1406.2661, section 3.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return binary_cross_entropy(real_logits, fake_logits)

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
        return binary_cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -softplus(fake_logits).mean()


@final
@register("bce_linear")
@dataclass(frozen=True)
class BceLinear(Objective):
    """The logistic discriminator with a generator that simply raises its logits, at the same strength everywhere.

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = -E b

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return binary_cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()


@final
@register("bce_relu_g")
@dataclass(frozen=True)
class BceReluG(Objective):
    """The logistic discriminator with a generator that stops once an image counts as real.

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = E relu(-b)

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        In the code of Dong and Yang, 2019, arXiv:1901.08753, beside the losses that the paper studies.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return binary_cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return relu(-fake_logits).mean()


@final
@register("bce_d")
@dataclass(frozen=True)
class BceD(Objective):
    """The logistic discriminator and no adversarial generator: for terms that are the generator's whole loss.

    Without such a term (`fm`, `swg`, `mmd_feat`, ...) the generator does not move.

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = 0

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv:1606.03498, section 3.1.
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return binary_cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return 0 * fake_logits.mean()  # keeps the graph, so that the step is like any other


@final
@register("label_smooth")
@dataclass(frozen=True)
class LabelSmooth(Objective):
    """One-sided label smoothing: real images are to be real with probability `target`, fakes fake for certain.

    Formula:
        L_D = E [t sp(-a) + (1 - t) sp(a)] + E sp(b), t = target
        L_G = E sp(-b)

    Parameters:
        target: the probability asked for on real images; 1 gives bce_ns.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv:1606.03498, section 3.4; the value
        0.9 is recalled.
    """

    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"signs": "beyond the logit of its target, 2.2 for 0.9, the discriminator pulls a real logit back"}
    )
    target: float = parameter(0.9, gt=0, le=1)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        smoothed = self.target * softplus(-real_logits) + (1 - self.target) * softplus(real_logits)
        return smoothed.mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()


@final
@register("bce_imbalanced")
@dataclass(frozen=True)
class BceImbalanced(Objective):
    """The logistic loss with the real term at another weight than the fake one.

    Formula:
        L_D = gamma E sp(-a) + E sp(b)
        L_G = E sp(-b)

    Parameters:
        gamma: weight of the real term; the paper tries 0.5, 0.9, 1.1 and 2.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    gamma: float = parameter(0.9, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.gamma * softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return softplus(-fake_logits).mean()
