"""Zero-centered penalties: the discriminator should be flat on the data. They take the squared norm, without a root."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import squared_norms
from losses.objectives.kernel import gaussian_mmd
from losses.parts import Regularizer
from losses.registry import register
from losses.regularizers.gradient_penalty import between
from losses.types import BatchNorm, Need, Phase


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
    gamma: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    @property
    def coefficient(self) -> float:
        return self.gamma / 2

    def __call__(self, context: Context) -> Tensor:
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
    gamma: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    @property
    def coefficient(self) -> float:
        return self.gamma / 2

    def __call__(self, context: Context) -> Tensor:
        return squared_norms(context.fake_gradient).mean()


@final
@register("gp0")
@dataclass(frozen=True)
class Gp0(Regularizer):
    """A flat discriminator at random points of the lines between a real and a generated image.

    The norm is squared without taking its root first: the root of a public code (GAN_stability) has no derivative
    where the discriminator is flat, which is where the term leads.

    Formula:
        weight * E n(x)^2, x = e x_r + (1 - e) x_f, e ~ U[0, 1) drawn once a sample

    Parameters:
        weight: factor in front of the term (the paper's lambda, 100 as recalled; 10 in the public code, as here).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Thanh-Tung et al., Improving Generalization and Stability of GANs, ICLR 2019, arXiv:1902.03984.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    weight: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return squared_norms(context.critic_gradient(between(context, self.name))).mean()


@final
@register("js_reg")
@dataclass(frozen=True)
class JsReg(Regularizer):
    """The penalty that small noise on both distributions amounts to in the Jensen-Shannon game (Roth et al.).

    R1 and R2 weighted by how unsure the discriminator is of each image; the weights are differentiated too. The paper
    lets gamma fade over the training; here it stays.

    Formula:
        gamma/2 * (E (1 - sigmoid(a))^2 n(x_r)^2 + E sigmoid(b)^2 n(x_f)^2)

    Parameters:
        gamma: the paper's factor, the variance of the noise; note the half.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Roth et al., Stabilizing Training of GANs through Regularization, NeurIPS 2017, arXiv:1705.09367. The default
        gamma is recalled.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient", "fake_gradient", "logit_per_image"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    gamma: float = parameter(0.1, ge=0)
    every: int = parameter(1, ge=1)

    @property
    def coefficient(self) -> float:
        return self.gamma / 2

    def __call__(self, context: Context) -> Tensor:
        unsure_of_real = torch.sigmoid(-context.real_critic).square()
        unsure_of_fake = torch.sigmoid(context.fake_critic).square()
        real = (unsure_of_real * squared_norms(context.real_gradient)).mean()
        return real + (unsure_of_fake * squared_norms(context.fake_gradient)).mean()


@final
@register("smmd")
@dataclass(frozen=True)
class ScaledMmd(Regularizer):
    """The scaled MMD's scale: the distance counts for less where the discriminator is steep. Add it to `mmd_gaussian`.

    A factor cannot be a term, so the term is what the factor takes away: together they are the authors' loss,
    -MMD^2/(1 + scale S). It has therefore no weight, and no lazy form. In their code the generator's MMD^2 has the
    factor too, where it is a constant that Adam all but divides out; here it has none.

    Formula:
        MMD^2_k(a, b) - MMD^2_k(a, b)/(1 + scale S), S = E n(x_r)^2, k(x, y) = exp(-(x - y)^2/2), unbiased

    Parameters:
        scale: how much the squared slope counts beside the kernel's own value, 1; 10 in the authors' runs.

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Arbel et al., On Gradient Regularizers for MMD GANs, NeurIPS 2018, arXiv:1805.11565; scale and kernel of the
        authors' code, whose factor is 1/(1 + 10 S).
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"repeated batch": "the unbiased estimate leaves out i = j, but not the pairs of a sample with its copy"}
    )
    scale: float = parameter(10.0, ge=0)

    @property
    def every(self) -> int:
        return 1

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_logits, context.fake_logits
        if real.dim() > 1:
            raise ValueError(f"{self.name} scales the MMD of one logit a sample: got {real.shape[1]} outputs")
        slope = self.scale * context.whole(squared_norms(context.real_gradient)).mean()
        return gaussian_mmd(real, fake) * slope / (1 + slope)
