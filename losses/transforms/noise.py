"""Noise on the discriminator's input."""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.parts import InputTransform
from losses.registry import register
from losses.types import Need, Role


@final
@register("instance_noise")
@dataclass(frozen=True)
class InstanceNoise(InputTransform):
    """Gaussian noise on the discriminator's input, fading linearly, so that the two distributions overlap.

    Formula:
        x + s_t N(0, I), s_t = sigma * max(0, 1 - step / anneal_steps), or sigma throughout when anneal_steps is 0

    Parameters:
        sigma: standard deviation of the noise at step 0, in units of the image (values in [-1, 1]).
        anneal_steps: the step from which there is no noise any more; 0 keeps it constant.

    BatchNorm:
        ok: the noise is drawn for each image by itself.

    Source:
        Sønderby et al., Amortised MAP Inference, ICLR 2017, arXiv:1610.04490; Arjovsky and Bottou, ICLR 2017,
        arXiv:1701.04862. The default sigma is recalled.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"step"})
    sigma: float = parameter(0.1, ge=0)
    anneal_steps: int = parameter(0, ge=0)

    @property
    def reads_step(self) -> bool:
        return self.anneal_steps > 0

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        fading = max(0.0, 1 - context.step / self.anneal_steps) if self.reads_step else 1.0
        if fading == 0:
            return images
        return images + self.sigma * fading * context.normal_like(images)
