"""Joining several samples to one input of the discriminator."""

from dataclasses import dataclass
from typing import final

from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.parts import InputTransform
from losses.registry import register
from losses.types import Role


@final
@register("pack")
@dataclass(frozen=True)
class Pack(InputTransform):
    """PacGAN: the discriminator judges several samples at once, so that a lack of variety shows in a single input.

    Neighbors of the batch are joined along the channels: samples 0 to m - 1 make the first input. The discriminator's
    first layer has m times the channels, and there is one logit a pack. The batches must be drawn independently and be
    fresh in every step: of two public codes, one draws its packs of real images once for the whole training and the
    other shows the generator's step the fakes of the discriminator's step.

    Formula:
        D(x_1, ..., x_m): [B, C, H, W] -> [B/m, m C, H, W], and points [B, d] -> [B/m, m d]

    Parameters:
        size: m, how many samples make one input; it must divide the batch size.

    BatchNorm:
        ok: a pack is one sample of the discriminator's batch.

    Source:
        Lin et al., PacGAN: The Power of Two Samples in Generative Adversarial Networks, NeurIPS 2018, arXiv:1712.04086.
        The default is the smallest of its sizes.
    """

    size: int = parameter(2, ge=1)

    @property
    def pack(self) -> int:
        return self.size

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        batch, channels, *sides = images.shape
        if batch % self.size:
            raise ValueError(f"pack(size={self.size}) joins {self.size} samples to one: {batch} samples do not divide")
        return images.reshape(batch // self.size, self.size * channels, *sides)
