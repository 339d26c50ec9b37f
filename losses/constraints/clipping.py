"""Clamping the discriminator's weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from losses.hyperparameters import parameter
from losses.parts import Constraint
from losses.registry import register
from losses.types import BatchNorm

NORM_LAYERS: Final = (_NormBase, nn.GroupNorm, nn.LayerNorm)
"""Batch, instance, group and layer normalization: their affine parameters scale, rather than weigh, the features."""


@final
@register("weight_clip")
@dataclass(frozen=True)
class WeightClip(Constraint):
    """Clamps the critic's parameters into a box after each of its steps, which bounds its slope.

    Formula:
        theta <- min(c, max(-c, theta)) for every parameter theta of D, after each step of D

    Parameters:
        c: half the side of the box.
        clip_norm_affine: whether gains and biases of normalization layers are clamped too, as the paper's code does
            (a gain of 1 becomes c).

    BatchNorm:
        degraded: it divides out the very scale that the clip bounds.

    Source:
        Arjovsky et al., Wasserstein GAN, ICML 2017, arXiv:1701.07875, algorithm 1.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    c: float = parameter(0.01, gt=0)
    clip_norm_affine: bool = parameter(True)

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        # The weights as they start need not lie in the box: they are noted, and `check` finds them as they were.
        _note(discriminator)
        return discriminator

    @property
    def samplewise(self) -> bool:
        return True

    def check(self, discriminator: nn.Module) -> None:
        noted = next((module for module in discriminator.modules() if _NOTE in vars(module)), None)
        if noted is None:
            raise ValueError(
                "weight_clip has not been told of this discriminator: call method.wrap(discriminator) once, and "
                "method.after_step(discriminator) after each step of its optimizer, or use losses.Criterion"
            )
        # Counts of changes in place are known to the host: a loop that clips after every step reads no weight here.
        before, now = vars(noted)[_NOTE], _versions(noted)
        if before != now:
            is_a_copy = before.keys() != now.keys()  # of a discriminator that was noted; its own weights begin here
            if not is_a_copy and any(bool((weights.detach().abs() > self.c).any()) for weights in self._clipped(noted)):
                raise ValueError(
                    f"weight_clip(c={self.c:g}): weights have left the box since it was last applied: call "
                    f"method.after_step(discriminator) after each step of its optimizer, or use losses.Criterion; "
                    f"after you have set weights yourself, call criterion.constrain()"
                )
            _note(noted)

    @torch.no_grad()
    def after_step(self, discriminator: nn.Module) -> None:
        for parameters in self._clipped(discriminator):
            parameters.clamp_(-self.c, self.c)
        for module in discriminator.modules():
            if _NOTE in vars(module):
                _note(module)

    def _clipped(self, discriminator: nn.Module) -> Iterator[nn.Parameter]:
        for module in discriminator.modules():
            if self.clip_norm_affine or not isinstance(module, NORM_LAYERS):
                yield from module.parameters(recurse=False)


_NOTE: Final = "_weights_when_clipped"


def _note(discriminator: nn.Module) -> None:
    """Remember how often each weight had been changed in place when the constraint was last applied."""
    vars(discriminator)[_NOTE] = _versions(discriminator)


def _versions(discriminator: nn.Module) -> dict[int, int]:
    """Return torch's count of changes in place of each weight, by the identity of its tensor."""
    return {id(parameters): parameters._version for parameters in discriminator.parameters()}
