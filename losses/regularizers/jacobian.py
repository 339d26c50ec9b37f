"""Terms on the generator's slope: how far the image moves when the latent does.

Legend: J = the Jacobian of G at a latent z, pixels by latent dimensions; a sample's own, as far as samples do not look
at each other. A BatchNorm inside the generator couples them, and then J is the response of the whole batch's images to
one latent, and a moved batch is normalized anew.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import functional

from losses.context import Context
from losses.gradients import input_gradient
from losses.hyperparameters import parameter
from losses.numerics import norms
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("gp_pathlen")
@dataclass(frozen=True)
class PathLength(Regularizer):
    """Path length: a step of the latent should move the image equally far wherever, and in whatever direction.

    StyleGAN2's regularizer, on z instead of its intermediate latent. As in the authors' code, the running mean a
    starts at 0, takes in the present batch before it is compared with (and that share of it carries a gradient), and
    moves on due steps only. Their code also halves the batch for this term, which is left out.

    Formula:
        a <- a + decay (E |J^T y| - a), y ~ N(0, I) / sqrt(H W)
        weight * E (|J^T y| - a)^2

    Parameters:
        weight: factor in front of the term.
        decay: the share of a new batch in the running mean, as in the authors' code; that of lecam and accuracy_gate is
            the share that is kept.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the discriminator plays no part; that of a generator makes J the batch's response to one latent.

    Source:
        Karras et al., Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020, arXiv:1912.04958, equation 4
        (number recalled), and the authors' code.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"second_latents", "input_gradient", "state"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(2.0, ge=0)
    decay: float = parameter(0.01, gt=0, le=1)
    every: int = parameter(4, ge=1)

    def __call__(self, context: Context) -> Tensor:
        latents = context.latents.detach().requires_grad_()
        images = context.generator(latents)
        y = context.normal_like(images) / math.sqrt(images[0, 0].numel())
        products = norms(input_gradient(latents, (images * y).flatten(1).sum(dim=1)))  # J^T y, itself differentiable
        lengths = context.whole(products)
        kept = context.get_state("mean_length", torch.zeros_like(lengths.mean()))
        mean = torch.lerp(kept.clone(), lengths.mean(), self.decay)  # a clone, because what is kept changes below
        with torch.no_grad():
            kept.lerp_(context.over_micro_batches(lengths.mean()), self.decay)
        return (lengths - mean).square().mean()


@final
@register("jacobian_clamp")
@dataclass(frozen=True)
class JacobianClamp(Regularizer):
    """Jacobian clamping: the quotient of the image's step and the latent's should stay within two bounds.

    Steps have the length sigma exactly. Norms, unlike those of dsgan, grow with the number of pixels, so the bounds are
    for images of the paper's size (32 x 32 and up). A fully collapsed sample (Q = 0) pays but feels no gradient.

    Formula:
        weight * E (relu(Q - upper)^2 + relu(lower - Q)^2), Q = |G(z) - G(z')| / |z - z'|, z' = z + sigma eta/|eta|

    Parameters:
        weight: factor in front of the term.
        lower: the quotient below which the generator is too flat (recalled).
        upper: the quotient above which it is too steep (recalled).
        sigma: the length of the step in the latent (recalled).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the discriminator plays no part; that of a generator normalizes the moved batch anew.

    Source:
        Odena et al., Is Generator Conditioning Causally Related to GAN Performance?, ICML 2018, arXiv:1802.08768,
        section 4 (recalled).
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"second_latents"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(1.0, ge=0)
    lower: float = parameter(1.0, ge=0)
    upper: float = parameter(20.0, gt=0)
    sigma: float = parameter(1.0, gt=0)
    every: int = parameter(1, ge=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lower > self.upper:
            raise ValueError(f"jacobian_clamp: expected lower <= upper, got {self.lower:g} and {self.upper:g}")

    def __call__(self, context: Context) -> Tensor:
        eta = context.normal_like(context.latents).flatten(1)
        step = self.sigma * functional.normalize(eta).view_as(context.latents)
        moved = context.generator(context.latents + step)
        quotient = norms(context.fake_images - moved) / self.sigma
        return ((quotient - self.upper).relu().square() + (self.lower - quotient).relu().square()).mean()
