"""Diversity terms: different latents should give different images, and the fakes should vary as much as the reals.

Legend: z_1 = the latents of the fakes, z_2 = fresh ones from the term's own stream, standard normal unless the caller's
`sample_latents` draws them; |.|_1 = mean absolute value over pixels or over latent dimensions; h_r, h_f = features that
the discriminator has of the reals and the fakes, flattened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, deviation, in_full_precision, unit
from losses.pairs import mean_within
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase

_GAP: Final = 1e-3
"""Eigenvalues (of a kernel with trace B) nearer than this count as equal when eigenvectors are differentiated."""


@final
@register("msgan")
@dataclass(frozen=True)
class ModeSeeking(Regularizer):
    """Mode seeking: distant latents should give distant images, measured by the ratio of the mean distances.

    The ratio is one of batch means, as in the authors' code, and not a mean of ratios a sample, whose inverse a single
    pair of equal images would rule. The authors' DCGAN code also judges both batches in each player's loss, which
    doubles them; here they stay.
    The inverse grows without limit as the generator collapses, up to 1e5, and with it the gradient. Where all latents
    meet their equals, as those of a small discrete law may, there is nothing to compare and the term is 0.

    Formula:
        weight / (E |G(z_1) - G(z_2)|_1 / E |z_1 - z_2|_1 + 1e-5)

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the discriminator plays no part.

    Source:
        Mao et al., Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis, CVPR 2019,
        arXiv:1903.05628.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"second_latents"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        images, latents = _distances(context)
        differ = latents.mean() > 0
        # The inner `where` keeps the division away from 0: masking only its result would still give 0 * inf = NaN.
        inverse = 1 / (images.mean() / torch.where(differ, latents.mean(), 1.0) + 1e-5)
        return torch.where(differ, inverse, 0.0)


@final
@register("dsgan")
@dataclass(frozen=True)
class DiversitySensitive(Regularizer):
    """Diversity sensitivity: raise the distance of images for the distance of their latents, up to a bound, a sample.

    Both distances are means, over pixels and over latent dimensions, so that the bound does not depend on the image's
    size. Two natural images in [-1, 1] differ by about half as much as two standard normal latents, hence the default
    bound, where the term stops pushing; the paper chooses its own for each task. The authors' code has none by default,
    and lets the gradient through one image of the pair only. A pair of equal latents, which a discrete law draws now
    and then, asks for nothing and counts as different enough.

    Formula:
        -weight * E min(|G(z_1) - G(z_2)|_1 / |z_1 - z_2|_1, tau)

    Parameters:
        weight: factor in front of the term (recalled from the paper).
        tau: the ratio above which a pair of samples is different enough.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the discriminator plays no part.

    Source:
        Yang et al., Diversity-Sensitive Conditional Generative Adversarial Networks, ICLR 2019, arXiv:1901.09024,
        equation 2 (recalled).
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"second_latents"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(8.0, ge=0)
    tau: float = parameter(0.5, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        images, latents = _distances(context)
        differ = latents > 0
        ratios = images / torch.where(differ, latents, 1.0)
        return -torch.where(differ, ratios, self.tau).clamp(max=self.tau).mean()


@final
@register("gdpp")
@dataclass(frozen=True)
class DeterminantalPointProcess(Regularizer):
    """GDPP: the similarities within the fake batch should have the eigenvalues and eigenvectors of the real batch's.

    An eigenvector has no sign, hence |<., .>|, which the authors' code leaves out. Its gradient holds 1 / (difference
    of eigenvalues), which is infinite where two agree (a collapsed batch, or more samples than features), so gaps g
    enter as g / (g^2 + 1e-6). The entries of an eigenvector belong to samples: the term compares the i-th fake with the
    i-th real although they are unrelated, so reordering the fakes alone changes it. That is the published term.

    Formula:
        weight * (1e-4 * mean_i (l_r,i - l_f,i)^2 - sum_i m_i |<v_r,i, v_f,i>|), l, v = eigenvalues, eigenvectors of
        K = u u^T [B, B], u = h / |h|; m = (l_r - min l_r) / (max l_r - min l_r + 1e-8)

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the two batches are normalized apart before they are compared.

    Source:
        Elfeki et al., GDPP: Learning Diverse Generations Using Determinantal Point Processes, ICML 2019,
        arXiv:1812.00802.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "repeated batch": "its eigenvalues are those of a B x B matrix, which grow with B",
            "derivative": "the gradient of eigenvectors is damped where eigenvalues nearly agree",
            "no host read": "an eigenvalue decomposition waits for the device, to see whether it has converged",
        }
    )
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_features.flatten(1), context.fake_features.flatten(1)
        check_pairs(self.name, real, fake)
        (real_values, real_vectors), (fake_values, fake_vectors) = spectrum(_kernel(real)), spectrum(_kernel(fake))
        lowest, highest = real_values.aminmax()
        importance = (real_values - lowest) / (highest - lowest + 1e-8)
        alignment = (real_vectors * fake_vectors).sum(dim=0).abs()
        return 1e-4 * (real_values - fake_values).square().mean() - (importance * alignment).sum()


@final
@register("pulling_away")
@dataclass(frozen=True)
class PullingAway(Regularizer):
    """Pulling away: the features of different fakes should be orthogonal.

    It is 0 for orthogonal features and 1 for identical ones. torchgan normalizes along the batch instead, and counts
    each sample with itself, which gives neither.

    Formula:
        weight * 1/(B (B - 1)) sum over i != j of cos^2(h_f,i, h_f,j)

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: it compares samples of one batch.

    Source:
        Zhao et al., Energy-based Generative Adversarial Networks, ICLR 2017, arXiv:1609.03126, section 2.4.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"repeated batch": "a sample and its copy are a pair of identical samples, which is what the term punishes"}
    )
    weight: float = parameter(0.1, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        rows = unit(context.fake_features.flatten(1))
        return mean_within(lambda x, y: (x @ y.T).square(), rows, width=1)


@final
@register("feature_variance")
@dataclass(frozen=True)
class FeatureVariance(Regularizer):
    """Feature variance: no feature should vary less over the fakes than over the reals. More is not punished.

    The standard deviation of the reals stands where VICReg has the constant 1. Fakes that are all exactly equal feel no
    gradient, because no direction is better than its opposite.

    Formula:
        weight * mean over features of relu(s(h_r) - s(h_f)), s = sqrt(population variance + 1e-8)

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it gives every feature the same variance in each batch before they are compared.

    Source:
        This library; the closest published term is Bardes et al., VICReg, ICLR 2022, arXiv:2105.04906 (recalled).
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_features.flatten(1), context.fake_features.flatten(1)
        return (deviation(real, 0) - deviation(fake, 0)).relu().mean()


@final
@register("zcr_g")
@dataclass(frozen=True)
class LatentConsistencyGenerator(Regularizer):
    """Latent consistency, the generator's half: a small step in the latent should change the image.

    The squared change is a mean over pixels, as in StudioGAN, so that the weight does not depend on the image's size.
    It comes with its other half in the discriminator, which should not notice the step.

    Formula:
        -weight * E mean over pixels of (G(z_1) - G(z_1 + sigma eta))^2, eta ~ N(0, I)

    Parameters:
        weight: factor in front of the term.
        sigma: the standard deviation of the step.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the discriminator plays no part.

    Source:
        Zhao et al., Improved Consistency Regularization for GANs, AAAI 2021, arXiv:2002.04724, section 2.2 (recalled).
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"second_latents"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    weight: float = parameter(0.5, ge=0)
    sigma: float = parameter(0.05, gt=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        moved = context.generator(context.latents + self.sigma * context.normal_like(context.latents))
        return -(context.fake_images - moved).square().mean()


def spectrum(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues, ascending, and eigenvectors (as columns) of a symmetric matrix, with bounded gradients.

    The decomposition itself is a constant; what depends on the matrix is added as the first-order perturbation, which
    is zero in value and exact in gradient: dl_i = v_i^T dK v_i and dv_j = sum over i of v_i (v_i^T dK v_j)/(l_j - l_i),
    with the quotient damped. A matrix that is not finite gives eigenvalues that are not, instead of an exception.
    """
    with torch.no_grad():
        values, vectors = torch.linalg.eigh(kernel.nan_to_num(posinf=0.0, neginf=0.0))
        gaps = values.unsqueeze(0) - values.unsqueeze(1)
        damped = gaps / (gaps.square() + _GAP**2)
    change = vectors.T @ (kernel - kernel.detach()) @ vectors
    return values + change.diagonal(), vectors + vectors @ (damped * change)


def _kernel(features: Tensor) -> Tensor:
    rows = unit(features)
    return rows @ rows.T


def _distances(context: Context) -> tuple[Tensor, Tensor]:
    """Return |G(z_1) - G(z_2)|_1 and |z_1 - z_2|_1 a sample, both [B]."""
    first, second = context.latents, context.second_latents  # each access of the second draws anew
    images, latents = context.fake_images - context.generator(second), in_full_precision(first) - second
    return images.abs().flatten(1).mean(dim=1), latents.abs().flatten(1).mean(dim=1)
