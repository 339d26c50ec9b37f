"""Asking for equal answers about an image and noisy copies of it: small slopes without differentiating twice.

Legend: a, b = the critic on the real and the generated images; h = the discriminator's features, flattened.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn.functional import relu

from losses.context import Context
from losses.hyperparameters import parameter
from losses.outputs import Output
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase, Role


@final
@register("ar1")
@dataclass(frozen=True)
class Ar1(Regularizer):
    """Approximated R1: R1's flatness on the real images by a finite difference along random noise.

    For a small sigma the term is sigma^2 E n(x_r)^2, so the defaults weigh like an R1 of gamma 0.02. A random transform
    of the input draws afresh for the noisy copy, and its effect on the critic is then counted too.

    Formula:
        weight * E (D(x_r) - D(x_r + sigma N(0, I)))^2

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        sigma: standard deviation of the noise, in units of the image (values in [-1, 1]).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the noise also moves the batch statistics.

    Source:
        Lin et al., Diffusion Adversarial Post-Training, 2025, arXiv:2501.08316. The defaults are recalled.
    """

    phase: ClassVar[Phase] = "discriminator"
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(100.0, ge=0)
    sigma: float = parameter(0.01, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _change_under_noise(context, context.real_images, context.real_critic, self.sigma, "real")


@final
@register("ar2")
@dataclass(frozen=True)
class Ar2(Regularizer):
    """Approximated R2: R2's flatness on the generated images by a finite difference along random noise.

    For a small sigma the term is sigma^2 E n(x_f)^2, so the defaults weigh like an R2 of gamma 0.02. A random transform
    of the input draws afresh for the noisy copy, and its effect on the critic is then counted too.

    Formula:
        weight * E (D(x_f) - D(x_f + sigma N(0, I)))^2

    Parameters:
        weight: factor in front of the term (the paper's lambda).
        sigma: standard deviation of the noise, in units of the image (values in [-1, 1]).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the noise also moves the batch statistics.

    Source:
        Lin et al., Diffusion Adversarial Post-Training, 2025, arXiv:2501.08316. The defaults are recalled.
    """

    phase: ClassVar[Phase] = "discriminator"
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(100.0, ge=0)
    sigma: float = parameter(0.01, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _change_under_noise(context, context.fake_images, context.fake_critic, self.sigma, "fake")


@final
@register("ct")
@dataclass(frozen=True)
class Ct(Regularizer):
    """CT-GAN's consistency term: two random looks at a real image should agree in the critic and in the features.

    The paper adds it to gp1, and its randomness is dropout inside the critic. The discriminator here is fixed and has
    none, so the two looks drop pixels of its input (each number of the image by itself, the rest scaled up): a
    deviation of this library. Both distances are squared, and the features' is a mean, as in the authors' code; the
    paper's formula leaves the metric open.

    Formula:
        weight * E relu((D(x') - D(x''))^2 + 0.1 mean (h(x') - h(x''))^2 - m), x', x'' = x_r with dropped-out pixels

    Parameters:
        weight: factor in front of the term (the paper's lambda_2).
        m: the disagreement that is let pass (the paper's M').
        dropout: the share of the input's numbers set to zero.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the dropout also moves the batch statistics.

    Source:
        Wei et al., Improving the Improved Training of Wasserstein GANs, ICLR 2018, arXiv:1803.01541; the dropout of the
        input is this library's.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features", "logit_per_image"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    weight: float = parameter(2.0, ge=0)
    m: float = parameter(0.0, ge=0)
    dropout: float = parameter(0.2, ge=0, lt=1)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        first, second = self._look(context), self._look(context)
        logits = context.critic_of(first.logits) - context.critic_of(second.logits)
        features = (context.features_of(first) - context.features_of(second)).flatten(1)
        return relu(logits.square() + 0.1 * features.square().mean(dim=1) - self.m).mean()

    def _look(self, context: Context) -> "Output":
        images = context.real_images.detach()
        kept = context.uniform(*images.shape, like=images) >= self.dropout
        return context.discriminator(images * kept / (1 - self.dropout), "real")


def _change_under_noise(context: Context, images: Tensor, values: Tensor, sigma: float, role: Role) -> Tensor:
    """Return the mean squared difference between the critic's values and those of the images with noise on them."""
    images = images.detach()
    noisy = context.discriminator(images + sigma * context.normal_like(images), role)
    return (values - context.critic_of(noisy.logits)).square().mean()
