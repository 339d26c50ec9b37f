"""What not to write, kept as a measured reference. No other part may take the logarithm of a probability."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from losses.hyperparameters import parameter
from losses.parts import Objective
from losses.registry import register


@final
@register("bce_ns_eps")
@dataclass(frozen=True)
class BceNsEps(Objective):
    """A reference of a defect: cross-entropy on probabilities with an epsilon in the logarithm, as often written.

    It agrees with bce_ns while logits are small and then goes blind. In float32 with 1e-8 the generator's gradient is
    half of what it should be at b = -18.4 and gone below -25, and the discriminator gets none at all from fakes above
    17, so that it cannot recover from being wrong. A loss that stands still at 18.42 or 13.82 is this one.

    Formula:
        L_D = -E log(sigmoid(a) + epsilon) - E log(1 - sigmoid(b) + epsilon)
        L_G = -E log(sigmoid(b) + epsilon)

    Parameters:
        epsilon: what is added inside the logarithm.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        The loss of Goodfellow et al., NeurIPS 2014, arXiv:1406.2661, in the form of many public codes.
    """

    epsilon: float = parameter(1e-8, gt=0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real, fake = real_logits.sigmoid(), fake_logits.sigmoid()
        return -(real + self.epsilon).log().mean() - (1 - fake + self.epsilon).log().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -(fake_logits.sigmoid() + self.epsilon).log().mean()
