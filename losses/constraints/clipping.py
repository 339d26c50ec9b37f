"""Clamping the discriminator's weights."""

from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from losses.kinds import BatchNorm, Constraint, parameter
from losses.registry import register

NORM_LAYERS: Final = (_NormBase, nn.GroupNorm, nn.LayerNorm)
"""Batch, instance, group and layer normalisation: their affine parameters scale, rather than weigh, the features."""


@final
@register("weight_clip")
@dataclass(frozen=True)
class WeightClip(Constraint):
    """Clamps the critic's parameters into a box after each of its steps, which bounds its slope.

    Formula:
        theta <- min(c, max(-c, theta)) for every parameter theta of D, after each step of D

    Parameters:
        c: half the side of the box.
        clip_norm_affine: whether gains and biases of normalisation layers are clamped too, as the paper's code does
            (a gain of 1 becomes c).

    BatchNorm:
        degraded: it divides out the very scale that the clip bounds.

    Source:
        Arjovsky et al., Wasserstein GAN, ICML 2017, arXiv:1701.07875, algorithm 1.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    c: float = parameter(0.01, above=0)
    clip_norm_affine: bool = parameter(True)

    @torch.no_grad()
    def after_step(self, discriminator: nn.Module) -> None:
        for module in discriminator.modules():
            if self.clip_norm_affine or not isinstance(module, NORM_LAYERS):
                for parameters in module.parameters(recurse=False):
                    parameters.clamp_(-self.c, self.c)
