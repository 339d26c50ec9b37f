"""Terms that tie the difference of two critic values to how far apart the two images are.

Legend: a_i, b_i = the critic on the i-th real and the i-th generated image; d, Delta = their distance in pixels.
"""

from dataclasses import dataclass
from typing import ClassVar, Final, final

from torch import Tensor
from torch.nn.functional import relu

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, in_full_precision
from losses.parts import Regularizer
from losses.registry import register
from losses.types import Need, Phase

_LEAST_DISTANCE: Final = 1e-6
"""Stands in for the distance of two equal images, by which gan_qp divides."""


@final
@register("gan_qp")
@dataclass(frozen=True)
class GanQp(Regularizer):
    """GAN-QP's quadratic potential: the critic's difference on a pair costs its square. Add it to `wasserstein`.

    The pairs are the i-th real with the i-th generated image. The paper's generator loss is E (a - b), whose gradient
    is that of the -E b of `wasserstein`.

    Formula:
        E (a - b)^2 / (2 lam d), d = mean |x_r - x_f| over the pixels (norm 1) or its root mean square (norm 2)

    Parameters:
        lam: the steepest slope that the optimal critic has (the paper's lambda), in units of d.
        norm: which mean of the pixel differences is the distance, 1 or 2.
        every: compute the term on every k-th step only, multiplied by k.

    BatchNorm:
        ok: the term reads each pair by itself.

    Source:
        Su, GAN-QP, 2018, arXiv:1811.07296, and its author's public code.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"logit_per_image"})
    lam: float = parameter(10.0, gt=0)
    norm: int = parameter(1, choices=(1, 2))
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        differences = _pixel_differences(context, self.name)
        distance = differences.mean(1) if self.norm == 1 else differences.square().mean(1).sqrt()
        gap = context.real_critic - context.fake_critic
        return (gap.square() / (2 * self.lam * distance.clamp(min=_LEAST_DISTANCE))).mean()


@final
@register("lsgan_qi")
@dataclass(frozen=True)
class LsganQi(Regularizer):
    """The loss-sensitive GAN's margin: a real beats its fake partner by their distance. Add it to `loss_sensitive`.

    The pairs are the i-th real with the i-th generated image. The paper's loss function of an image is minus the logit
    here, because logits are large on real images.

    Formula:
        weight * E relu(scale Delta - a + b), Delta = sum |x_r - x_f| over the pixels

    Parameters:
        weight: factor in front of the term (the paper's lambda; 1 in the author's code).
        scale: how wide a margin a unit of distance asks for.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the term reads each pair by itself.

    Source:
        Qi, Loss-Sensitive Generative Adversarial Networks on Lipschitz Densities, IJCV 2020, arXiv:1701.06264,
        and its author's public code, where the 0.0002 scales the margin.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"logit_per_image"})
    weight: float = parameter(1.0, ge=0)
    scale: float = parameter(2e-4, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        margin = self.scale * _pixel_differences(context, self.name).sum(1)
        return relu(margin - context.real_critic + context.fake_critic).mean()


def _pixel_differences(context: Context, part: str) -> Tensor:
    """Return |x_r - x_f| pixel by pixel, [B, pixels]."""
    real, fake = context.real_images.detach(), context.fake_images.detach()
    check_pairs(part, real, fake)
    return in_full_precision(real - fake).abs().flatten(1)
