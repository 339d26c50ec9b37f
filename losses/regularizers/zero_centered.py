"""Zero-centred penalties: the discriminator should be flat on the data. They take the squared norm, without a root."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

from torch import Tensor

from losses.kinds import BatchNorm, Need, Phase, Regularizer, parameter
from losses.numerics import squared_norms
from losses.registry import register

if TYPE_CHECKING:
    from losses.context import Context


@final
@register("r1")
@dataclass(frozen=True)
class R1(Regularizer):
    """R1: a flat discriminator on the real images.

    Formula:
        gamma/2 * E n(x_r)^2

    Parameters:
        gamma: the paper's factor; note the half (the authors' code leaves it out, so its 10 is a gamma of 20 here).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Mescheder et al., Which Training Methods for GANs do actually Converge?, ICML 2018, arXiv:1801.04406.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    gamma: float = parameter(10.0, minimum=0)
    every: int = parameter(1, minimum=1)

    @property
    def coefficient(self) -> float:
        return self.gamma / 2

    def __call__(self, context: "Context") -> Tensor:
        return squared_norms(context.real_gradient).mean()


@final
@register("r2")
@dataclass(frozen=True)
class R2(Regularizer):
    """R2: a flat discriminator on the generated images.

    Formula:
        gamma/2 * E n(x_f)^2

    Parameters:
        gamma: the paper's factor; note the half (the authors' code leaves it out, so its 10 is a gamma of 20 here).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Mescheder et al., Which Training Methods for GANs do actually Converge?, ICML 2018, arXiv:1801.04406.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"fake_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    gamma: float = parameter(10.0, minimum=0)
    every: int = parameter(1, minimum=1)

    @property
    def coefficient(self) -> float:
        return self.gamma / 2

    def __call__(self, context: "Context") -> Tensor:
        return squared_norms(context.fake_gradient).mean()
