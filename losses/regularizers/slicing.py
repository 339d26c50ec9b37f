"""The direction of the discriminator's last layer, trained on its own.

Legend: D(x) = <w, h(x)>, omega = w/|w|, the direction of the last layer's weight w.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.constraints.normalization import direction_and_length, sliced_weight
from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import in_full_precision
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("san_direction")
@dataclass(frozen=True)
class SanDirection(Regularizer):
    """The slicing GAN's second half: the last layer's direction alone maximizes the difference of means.

    The objective, whichever it is, trains the features and the length of w; this term trains the direction, with the
    features held constant. It needs `san_head`, which keeps the objective's gradient off the direction, and raises
    ValueError without it. The value is the difference of the mean logits, of which a bias is no part.

    Formula:
        weight * |w| (E <omega, h(x_f)> - E <omega, h(x_r)>), with h and |w| held constant

    Parameters:
        weight: factor in front of the term; 1 in the paper and in the authors' code.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: normalizing the real and the fake batch each by itself hides the shift of means that it compares.

    Source:
        Takida et al., SAN: Inducing Metrizability of GAN with Discriminative Normalized Linear Layer, ICLR 2024,
        arXiv:2301.12811, and the authors' simple-san.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"weights", "weight_gradient"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    requires: ClassVar[tuple[str, ...]] = ("san_head",)
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"derivative": "the features and the length are held constant in it, as published"}
    )
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        weight = sliced_weight(context.parameters)
        if weight is None:
            raise ValueError(
                f"{self.name} trains the direction of a last layer that is divided into direction and length: "
                f"add san_head, and let the discriminator be wrapped by it"
            )
        difference = context.fake_logits.mean() - context.real_logits.mean()
        # By san_head's gradient this is omega <omega, E h(x_f) - E h(x_r)>, and a function of omega alone.
        (along,) = torch.autograd.grad(difference, weight, create_graph=True)
        direction, length = direction_and_length(weight.detach())
        return length * (in_full_precision(along) * direction).sum()
