"""Absolute differences instead of squares: an equal push at every distance from the target."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

from torch import Tensor

from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm


@final
@register("absolute")
@dataclass(frozen=True)
class Absolute(Objective):
    """Absolute distances to the targets 1 and 0.

    Formula:
        L_D = E |1 - a| + E |b|
        L_G = E |1 - b|

    BatchNorm:
        ok: the loss reads each logit by itself.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"signs": "past its targets 1 and 0 the discriminator pulls a logit back"}
    )

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (1 - real_logits).abs().mean() + fake_logits.abs().mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return (1 - fake_logits).abs().mean()


@final
@register("asymmetric")
@dataclass(frozen=True)
class Asymmetric(Objective):
    """Real logits are pinned at 0 and fake ones pushed down without end.

    Unbounded below: like `wasserstein` it needs something that bounds the critic's slope.

    Formula:
        L_D = E |a| + E b
        L_G = -E b

    BatchNorm:
        degraded: normalizing each batch by itself hides the shift of means that it lives on.

    Source:
        Dong and Yang, Towards a Deeper Understanding of Adversarial Losses, 2019, arXiv:1901.08753.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"signs": "it pins real logits at 0, so a positive one is pulled back"}
    )

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return real_logits.abs().mean() + fake_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return -fake_logits.mean()
