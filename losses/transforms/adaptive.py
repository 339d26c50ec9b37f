"""Transforms whose strength follows how sure the discriminator is of the real images.

Legend: p = the strength in force, from 0 to 1, a probability in ada and apa; r = E sign(a), the overfitting heuristic,
1 when every real logit is positive; u = draws from U[0, 1); s = standard normal draws; `on` = which operations a sample
undergoes.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs
from losses.parts import InputTransform
from losses.pixel_shifts import eighth, flipped, shifted, whole_moves, whole_numbers
from losses.registry import register
from losses.transforms.augmentation import (
    check_images,
    per_sample,
    precise,
    saturated,
    scaled_and_rotated,
    turned,
)
from losses.types import Need, Role

OPERATIONS: Final = ("flip", "quarter turn", "translation", "scale", "rotation", "brightness", "contrast", "saturation")


@dataclass(frozen=True)
class AdaptiveTransform(InputTransform):
    """The controller that ada, apa and diffusion share: p climbs while r stays above the target, and falls below it.

    State, all on the device: `probability`, the sum of r over the batches since p last moved, and their count.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"state"})
    target: float = parameter(0.6, ge=-1, le=1)
    interval: int = parameter(4, ge=1)
    speed: float = parameter(500.0, gt=0)

    def probability(self, context: Context) -> Tensor:
        """Return p, a scalar."""
        return context.get_state("probability", torch.zeros((), device=context.device, dtype=torch.float32))

    @torch.no_grad()
    def observe(self, real_logits: Tensor, fake_logits: Tensor, context: Context) -> None:
        p = self.probability(context)
        total = context.get_state("sign_sum", torch.zeros_like(p))
        batches = context.get_state("batches", torch.zeros_like(p))
        total.add_(context.over_micro_batches(context.critic_of(real_logits).sign().mean()))
        batches.add_(1)
        due = batches >= self.interval
        stride = context.batch_size * self.interval / (1000 * self.speed)
        moved = (p + stride * (total / batches - self.target).sign()).clamp(0, 1)
        p.copy_(torch.where(due, moved, p))
        total.masked_fill_(due, 0)
        batches.masked_fill_(due, 0)


@final
@register("ada")
@dataclass(frozen=True)
class Ada(AdaptiveTransform):
    """Adaptive discriminator augmentation: real and fake are augmented with a probability that tracks overfitting.

    A reduced pipeline, without the paper's anisotropic scaling, second rotation, fractional translation, luma flip, hue
    rotation, filters, noise and cutout. Each operation of each sample is on with probability p by itself, and then
    draws its strength, which may be none. The single rotation has probability p; the paper gives either of its two
    1 - sqrt(1 - p). Whole-pixel moves are equally likely; the authors' code rounds a uniform draw of up to 1/8 of the
    side, which halves the chance of the two longest. What moves in is 0, the middle gray, where the paper mirrors the
    image at its border. p is cut off at 1, and at p = 0 images pass unchanged to the last bit. Nothing is clipped to
    [-1, 1]. Quarter turns need square images, saturation needs three channels; without them the operation is left out,
    its draws are not.

    Formula:
        p <- clip(p + sign(r - target) B interval / (1000 speed), 0, 1) every `interval` updates of D, p_0 = 0
        r = the mean of E sign(a) over these updates, of the critic on the images that D was shown as real
        x <- flip, quarter turn (each equally likely), whole-pixel move up to 1/8 of the side, magnify by 2^(0.2 s),
        rotate by U[-pi, pi), add 0.2 s, multiply by 2^(0.5 s), multiply color by 2^s; s ~ N(0, 1) each

    Parameters:
        target: the r at which p rests.
        interval: updates of the discriminator from one move of p to the next.
        speed: thousands of real images in which p could climb from 0 to 1.

    BatchNorm:
        ok: an image is changed by its own draws.

    Source:
        Karras et al., Training Generative Adversarial Networks with Limited Data, NeurIPS 2020, arXiv:2006.06676,
        sections 2 and 3, appendix B (recalled). Strengths and controller as in the authors' code.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"state", "image_shape"})

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        batch, channels, height, width = check_images(self.name, images)
        like = precise(images)
        gates, u = context.uniform(batch, len(OPERATIONS) + 5, like=like).split([len(OPERATIONS), 5], dim=1)
        s = context.normal_like(like.expand(batch, 4))
        on = dict(zip(OPERATIONS, (gates < self.probability(context)).unbind(1), strict=True))

        def if_on(operation: str, strength: Tensor, idle: float) -> Tensor:
            return torch.where(on[operation], strength, idle)

        images = flipped(images, on["flip"] & (u[:, 0] < 0.5))
        if height == width:
            images = turned(images, if_on("quarter turn", whole_numbers(u[:, 1], 4), 0))
        dx, dy = whole_moves(u[:, 2], eighth(width)), whole_moves(u[:, 3], eighth(height))
        images = shifted(images, if_on("translation", dx, 0), if_on("translation", dy, 0))
        scale = if_on("scale", (0.2 * s[:, 0]).exp2(), 1)
        angle = if_on("rotation", math.pi * (2 * u[:, 4] - 1), 0)
        sampled = (on["scale"] | on["rotation"])[:, None, None, None]
        images = torch.where(sampled, scaled_and_rotated(images, scale, angle), images)
        images = images + per_sample(if_on("brightness", 0.2 * s[:, 1], 0), images)
        images = images * per_sample(if_on("contrast", (0.5 * s[:, 2]).exp2(), 1), images)
        if channels == 3:
            colored = on["saturation"][:, None, None, None]
            images = torch.where(colored, saturated(images, s[:, 3].exp2()), images)
        return images


@final
@register("apa")
@dataclass(frozen=True)
class Apa(AdaptiveTransform):
    """Adaptive pseudo augmentation: some of the real images of the discriminator's step are fakes in disguise.

    A real image makes way for the fake image of its index; the generator's step sees none of it. (The authors' code
    takes the fakes of the last generator's step, which are others than those judged as fakes.) r is measured on what
    was shown as real, the fakes in disguise included, which holds p back by itself. p is cut off at 1. A penalty on the
    slope at the real images finds no slope at those replaced. Put it before transforms that change shapes, such as
    pack, and before those that must treat the fakes in disguise like the rest, such as ada.

    Formula:
        x_r <- x_f with probability p, by itself for each sample, in the discriminator's phase
        p <- clip(p + sign(r - target) B interval / (1000 speed), 0, 1) every `interval` updates of D, p_0 = 0
        r = the mean of E sign(a) over these updates

    Parameters:
        target: the r at which p rests.
        interval: updates of the discriminator from one move of p to the next.
        speed: thousands of real images in which p could climb from 0 to 1.

    BatchNorm:
        ok: which images are replaced does not depend on the others.

    Source:
        Jiang et al., Deceive D: Adaptive Pseudo Augmentation for GAN Training with Limited Data, NeurIPS 2021,
        arXiv:2111.06849. Defaults of the authors' code, which are those of ada.
    """

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        if role != "real" or context.phase != "discriminator":
            return images
        fakes = context.fake_images.detach()
        check_pairs(self.name, images, fakes)
        replaced = context.uniform_per_sample(images) < self.probability(context)
        return torch.where(replaced, fakes.to(images.dtype), images)


@final
@register("diffusion")
@dataclass(frozen=True)
class Diffusion(AdaptiveTransform):
    """Diffusion-GAN's noise: real and fake are taken some steps along a chain that grows as D becomes surer.

    Half of the images stay as they are. Each of the others goes t steps, and late steps are likelier than early ones.
    The chain's length T follows p, and its last step always replaces the share beta_end, as in the authors' code. That
    code draws 32 values of t whenever p moves and picks from them; here every image draws its own. The paper also tells
    the discriminator t, for which it would need another input. One that is not told is the plug-in variant of the
    authors' code, which their projected GAN uses. At p = 0 there is some noise already, that of the shortest chain.

    Formula:
        T = shortest + round(p (longest - shortest)); t = 0 with probability 1/2, else P(t) = 2 (t - 1) / (T (T - 1))
        beta_s from beta_start at s = 1 to beta_end at s = T, evenly; A_t = product of 1 - beta_s over s = 1 to t
        x <- sqrt(A_t) x + sqrt(1 - A_t) sigma N(0, I)
        p <- clip(p + sign(r - target) B interval / (1000 speed), 0, 1) every `interval` updates of D, p_0 = 0
        r = the mean of E sign(a) over these updates, of the critic on the images that D was shown as real

    Parameters:
        target: the r at which p rests.
        interval: updates of the discriminator from one move of p to the next.
        speed: thousands of real images in which p could climb from 0 to 1.
        sigma: standard deviation of the noise where nothing of the image is left, in units of the image.
        shortest: the least length of the chain.
        longest: the greatest length of the chain.
        beta_start: share of the variance that the first step replaces.
        beta_end: share of the variance that the last step replaces.

    BatchNorm:
        ok: an image is changed by its own draws.

    Source:
        Wang et al., Diffusion-GAN: Training GANs with Diffusion, ICLR 2023, arXiv:2206.02262; defaults and the law of t
        are those of the authors' code.
    """

    speed: float = parameter(100.0, gt=0)
    sigma: float = parameter(0.05, ge=0)
    shortest: int = parameter(10, ge=1)
    longest: int = parameter(1000, ge=1)
    beta_start: float = parameter(1e-4, ge=0, lt=1)
    beta_end: float = parameter(0.02, ge=0, lt=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shortest > self.longest:
            raise ValueError(f"diffusion: expected shortest <= longest, got {self.shortest} and {self.longest}")

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        moves, position = context.uniform(2, images.shape[0], like=precise(images)).unbind(0)
        length = self.shortest + torch.round(self.probability(context) * (self.longest - self.shortest))
        # The least t at which the sum of P from 1 to t, which is t (t - 1) / (T (T - 1)), exceeds the draw.
        t = ((1 + (1 + 4 * position * length * (length - 1)).sqrt()) / 2).floor() + 1
        t = torch.where(moves < 0.5, 0, torch.minimum(t, length))
        kept = self._log_kept(length)[t.long()].view(-1, *(1,) * (images.dim() - 1))  # log A_t
        signal, noise = (0.5 * kept).exp(), (-kept.expm1()).sqrt()
        return signal.to(images.dtype) * images + (self.sigma * noise).to(images.dtype) * context.normal_like(images)

    def _log_kept(self, length: Tensor) -> Tensor:
        """Return log A_t for t = 0 to `longest` of a chain of a length that is on the device; beyond it, anything."""
        step = torch.arange(self.longest, device=length.device, dtype=length.dtype)
        share = (step / (length - 1).clamp(min=1)).clamp(max=1)
        log = torch.log1p(-(self.beta_start + (self.beta_end - self.beta_start) * share))
        return torch.cat([torch.zeros_like(log[:1]), log.cumsum(0)])
