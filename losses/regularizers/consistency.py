"""Asking for equal answers about an image and about another that should mean the same: mirrored, moved, or generated
from a neighboring latent.

Legend: a, b = the critic on the real and the generated images; T x = the image mirrored with probability 1/2 and moved
by whole pixels, up to an eighth of each side (rounded), with zeros in the places left uncovered.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.parts import Regularizer
from losses.pixel_shifts import eighth, flipped, shifted, whole_moves
from losses.registry import register
from losses.types import BatchNorm, Need, Phase, Role


@final
@register("cr")
@dataclass(frozen=True)
class Cr(Regularizer):
    """Consistency regularization: the critic should not see that a real image was mirrored or moved.

    Both answers are differentiated, and D(x_r) is that of the objective's own forward. With random transforms of the
    input the two looks draw them independently. The places that a move uncovers are 0; StudioGAN mirrors the image
    into them.

    Formula:
        weight * E (D(x_r) - D(T x_r))^2, T = mirror with probability 1/2, then move by up to 1/8 of each side

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the statistics of the moved batch differ from those of the batch.

    Source:
        Zhang et al., Consistency Regularization for GANs, ICLR 2020, arXiv:1910.12027.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"image_shape"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _change_under_moves(context, self.name, context.real_images, context.real_critic, "real")


@final
@register("bcr")
@dataclass(frozen=True)
class Bcr(Regularizer):
    """Balanced consistency regularization: neither for real nor for generated images should mirroring or moving show.

    The two weights are inside the value, because a part enters the total with one coefficient, which is 1 here. The
    places that a move uncovers are 0; StudioGAN mirrors the image into them.

    Formula:
        weight_real * E (D(x_r) - D(T x_r))^2 + weight_fake * E (D(x_f) - D(T x_f))^2, T as in cr, drawn for each image

    Parameters:
        weight_real: factor in front of the real half (the paper's lambda_real).
        weight_fake: factor in front of the generated half (the paper's lambda_fake).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the statistics of the moved batch differ from those of the batch.

    Source:
        Zhao et al., Improved Consistency Regularization for GANs, AAAI 2021, arXiv:2002.04724.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"image_shape"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight_real: float = parameter(10.0, ge=0)
    weight_fake: float = parameter(10.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real = _change_under_moves(context, self.name, context.real_images, context.real_critic, "real")
        fake = _change_under_moves(context, self.name, context.fake_images, context.fake_critic, "fake")
        return self.weight_real * real + self.weight_fake * fake


@final
@register("zcr")
@dataclass(frozen=True)
class Zcr(Regularizer):
    """Latent consistency, the discriminator's half: generated images of neighboring latents get equal answers.

    The generator's half, which spreads those images, is a part of its own. A generator with BatchNorm in training mode
    sees one more batch for it.

    Formula:
        weight * E (D(G(z)) - D(G(z + sigma N(0, I))))^2

    Parameters:
        weight: factor in front of the term (the paper's lambda_dis, 5 to 20).
        sigma: standard deviation of the noise on the latents.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the statistics of the second batch differ from those of the first.

    Source:
        Zhao et al., Improved Consistency Regularization for GANs, AAAI 2021, arXiv:2002.04724.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"generator"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(5.0, ge=0)
    sigma: float = parameter(0.05, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        latents = context.latents.detach()
        neighbors = context.generator(latents + self.sigma * context.normal_like(latents))
        output = context.discriminator(neighbors.detach(), "fake")
        return (context.fake_critic - context.critic_of(output.logits)).square().mean()


def flip_and_shift(images: Tensor, context: Context) -> Tensor:
    """Return T x: each image mirrored with probability 1/2 and moved by its own random whole numbers of pixels."""
    height, width = images.shape[2:]
    # Drawn in float32 whatever the images are in: a half precision has too few steps for fair whole numbers.
    u = context.uniform(3, images.shape[0], like=torch.empty((), device=images.device, dtype=torch.float32))
    mirrored = flipped(images, u[0] < 0.5)
    return shifted(mirrored, dx=whole_moves(u[1], eighth(width)), dy=whole_moves(u[2], eighth(height)))


def _change_under_moves(context: Context, part: str, images: Tensor, values: Tensor, role: Role) -> Tensor:
    """Return the mean squared difference between the critic's values and those of the images mirrored and moved."""
    if images.dim() != 4:
        raise ValueError(
            f"{part} mirrors and moves images [B, C, H, W]: got a batch of shape {tuple(images.shape)}, for which "
            f"ar1 and ar2 ask for consistency under noise"
        )
    moved = context.discriminator(flip_and_shift(images.detach(), context), role)
    return (values - context.critic_of(moved.logits)).square().mean()
