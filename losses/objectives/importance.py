"""Losses that read the density ratio off the discriminator: log p_data/p_G is estimated by the logit."""

from dataclasses import dataclass
from typing import final

from torch import Tensor
from torch.nn.functional import relu, softmax

from losses.hyperparameters import parameter
from losses.objectives.logistic import binary_cross_entropy
from losses.parts import Objective
from losses.registry import register


@final
@register("bgan")
@dataclass(frozen=True)
class Bgan(Objective):
    """Boundary-seeking GAN for continuous data: fakes are drawn to the boundary b = 0 and not beyond it.

    The authors' code shifts b by a running estimate of log Z and leaves out the half; the paper's form is this one.

    Formula:
        L_D = E sp(-a) + E sp(b)
        L_G = 1/2 E b^2, which is 1/2 E [log sigmoid(b) - log(1 - sigmoid(b))]^2

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Hjelm et al., Boundary-Seeking GANs, ICLR 2018, arXiv:1702.08431, section 3 (continuous case, recalled).
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return binary_cross_entropy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return 0.5 * fake_logits.square().mean()


@final
@register("kl_wgan")
@dataclass(frozen=True)
class KlWgan(Objective):
    """KL-WGAN: fakes count by their estimated density ratio, which is the softmax of the batch's logits.

    The weights are differentiated too, as in the authors' released code. So a fake whose logit is more than the
    temperature below the weighted mean is pushed down, not up: its weight shrinks faster than its logit grows.

    Formula:
        w = B softmax(b / temperature)
        L_D = E relu(1 - a) + E relu(1 + w b)
        L_G = -E w b

    Parameters:
        temperature: divides the logits in the weights; the authors' CIFAR-10 runs have 5.

    BatchNorm:
        ok: the margins are fixed, and the weights compare fakes with fakes alone.

    Source:
        Song and Ermon, Bridging the Gap Between f-GANs and Wasserstein GANs, ICML 2020, arXiv:1910.09779.
    """

    temperature: float = parameter(1.0, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return relu(1 - real_logits).mean() + relu(1 + self._weighted(fake_logits)).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -self._weighted(fake_logits).mean()

    def _weighted(self, logits: Tensor) -> Tensor:
        return softmax(logits / self.temperature, dim=0) * logits.shape[0] * logits
