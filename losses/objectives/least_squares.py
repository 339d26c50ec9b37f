"""Least squares on the raw logits (no sigmoid before the square: that is another, saturating loss)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

from torch import Tensor

from losses.hyperparameters import parameter
from losses.parts import Objective
from losses.registry import register


@final
@register("lsgan")
@dataclass(frozen=True)
class Lsgan(Objective):
    """Least squares toward target labels, with the paper's factor 1/2.

    Formula:
        L_D = 1/2 E (a - b_label)^2 + 1/2 E (b - a_label)^2
        L_G = 1/2 E (b - c_label)^2

    Parameters:
        a: a_label, the discriminator's target on generated images.
        b: b_label, the discriminator's target on real images.
        c: c_label, the value the generator wants for its images; (-1, 1, 0) gives the Pearson divergence.

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Mao et al., Least Squares Generative Adversarial Networks, ICCV 2017, arXiv:1611.04076.
    """

    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"signs": "past its target the discriminator pulls a logit back"}
    )
    a: float = parameter(0.0)
    b: float = parameter(1.0)
    c: float = parameter(1.0)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return 0.5 * (real_logits - self.b).square().mean() + 0.5 * (fake_logits - self.a).square().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return 0.5 * (fake_logits - self.c).square().mean()
