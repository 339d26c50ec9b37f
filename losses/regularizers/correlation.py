"""Correlation terms: second moments of features that should agree between the real and the generated batch.

Legend: h_r, h_f = features [B, d] that the discriminator has of the reals and the fakes, the spatial mean of
[B, d, H, W]; E = batch mean, and every covariance is E (h - E h)(h - E h)^T of the population, so that a repeated batch
changes nothing; |.|_F = Frobenius norm. Variances of 1e-8 and less count as zero.
"""

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, covariance, deviation, second_moment, unit
from losses.pairs import maxima
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase


@final
@register("coral")
@dataclass(frozen=True)
class Coral(Regularizer):
    """CORAL: the covariance of the features should agree. The means are left to others, such as fm.

    The covariance is divided by n, where the paper divides by n - 1. Divided by 4 d^2 the term is small: weights from 1
    to 1000 are usual.

    Formula:
        weight * |C_r - C_f|_F^2 / (4 d^2), C = covariance of h

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it gives every feature the same variance in each batch before they are compared.

    Source:
        Sun and Saenko, Deep CORAL, ECCV 2016 workshops, arXiv:1607.01719, equation 1.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = (covariance(pooled(features)) for features in both_features(context))
        return (real - fake).square().mean() / 4


@final
@register("gram")
@dataclass(frozen=True)
class Gram(Regularizer):
    """Gram matrices: the uncentered second moments of the channels, over samples and positions, should agree.

    G is a mean over positions, and the squared difference a mean over its entries; the style loss of the paper has a
    further factor 1/4, one image instead of a batch, and a trained network instead of the discriminator.

    Formula:
        weight * |G_r - G_f|_F^2 / d^2, G = E over samples and positions of f f^T, f = the d channels at a position

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it gives every channel the same mean and variance in each batch before they are compared.

    Source:
        Gatys et al., A Neural Algorithm of Artistic Style, 2015, arXiv:1508.06576, equation 4.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = (second_moment(_positions(features)) for features in both_features(context))
        return (real - fake).square().mean()


@final
@register("corr_channel")
@dataclass(frozen=True)
class CorrelationChannel(Regularizer):
    """Correlation loss: which features go together in the reals should go together in the fakes.

    CORAL with the scale of each feature divided out, so that no weight depends on it. Where the fakes have collapsed to
    one image, nothing correlates and the gradient is zero: some other term must separate them first.

    Formula:
        weight * |R_r - R_f|_F^2 / d^2, R = E u u^T, u = (h - E h) / sqrt(var h + 1e-8)

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the two batches are normalized apart before they are compared.

    Source:
        This library; the closest published term is Sun and Saenko, Deep CORAL, ECCV 2016 workshops, arXiv:1607.01719.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = (second_moment(standardized(pooled(features), 0)) for features in both_features(context))
        return (real - fake).square().mean()


@final
@register("corr_moment")
@dataclass(frozen=True)
class CorrelationMoment(Regularizer):
    """Correlated moments: the profile of the mean features, and of the mean squares, should have the reals' shape.

    Formula:
        weight * (1 - r(E h_r, E h_f) + 1 - r(E h_r^2, E h_f^2)),
        r = Pearson correlation over the d features, with 1e-8 added to both variances

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it takes the moments that are to be compared out of each batch.

    Source:
        This library; the closest published term is Salimans et al., Improved Techniques for Training GANs,
        NeurIPS 2016, arXiv:1606.03498, section 3.1.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = (pooled(features) for features in both_features(context))
        means = pearson(real.mean(dim=0), fake.mean(dim=0))
        squares = pearson(real.square().mean(dim=0), fake.square().mean(dim=0))
        return (1 - means) + (1 - squares)


@final
@register("corr_matched")
@dataclass(frozen=True)
class CorrelationMatched(Regularizer):
    """Matched correlation: each fake should point the way of its most similar real, and each real be met by some fake.

    Who is matched is chosen anew each step and is not differentiated. Without the way back, from the reals to the
    fakes, a generator of one good image answers it fully.

    Formula:
        weight * (E_i (1 - max_j c_ij) + E_j (1 - max_i c_ij)) / 2, c_ij = cos(h_f,i, h_r,j); one way: the first E alone

    Parameters:
        weight: factor in front of the term.
        both_ways: whether the reals look for their fakes too.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: the two batches are normalized apart before they are compared.

    Source:
        This library; the closest published term is Mechrez et al., The Contextual Loss, ECCV 2018, arXiv:1803.02077
        (recalled).
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    both_ways: bool = parameter(True)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = both_features(context)
        rows = unit(fake.flatten(1)), unit(real.flatten(1))
        of_fakes, of_reals = maxima(lambda x, y: x @ y.T, *rows, width=1)
        to_reals = (1 - of_fakes).mean()
        return (to_reals + (1 - of_reals).mean()) / 2 if self.both_ways else to_reals


@final
@register("corr_naive")
@dataclass(frozen=True)
class CorrelationNaive(Regularizer):
    """NEGATIVE CONTROL, not for use: correlates the i-th fake with the i-th real image, which are unrelated.

    It is what a quick reading of "raise the correlation between generated and real samples" gives, and it is wrong. The
    fake does not know which real it will be laid beside, so the best it can do is the same for every latent: the mean
    of the (standardized) real images. The term therefore rewards mode collapse to a blur, and is higher for perfect
    samples than for that blur. It is here to be shown losing to corr_matched, corr_channel and fm.

    Formula:
        weight * E_i (1 - r(x_r,i, x_f,i)), r = Pearson correlation over pixels, with 1e-8 added to both variances

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: it looks at pixels only.

    Source:
        This library, as a control; the term it is mistaken for is feature matching, Salimans et al., NeurIPS 2016,
        arXiv:1606.03498.
    """

    phase: ClassVar[Phase] = "generator"
    batch_norm: ClassVar[BatchNorm] = "ok"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        check_pairs(self.name, context.real_images, context.fake_images)
        return (1 - pearson(context.real_images.flatten(1), context.fake_images.flatten(1))).mean()


def both_features(context: Context) -> tuple[Tensor, Tensor]:
    """Return the discriminator's features of the reals, which carry no graph in this phase, and of the fakes."""
    return context.real_features, context.fake_features


def pooled(features: Tensor) -> Tensor:
    """Return features [B, d]: the spatial mean of [B, d, ...]."""
    return features if features.dim() == 2 else features.flatten(2).mean(dim=2)


def standardized(x: Tensor, dim: int) -> Tensor:
    """Return x at mean 0 and deviation 1 along a dimension; zero where nothing varies."""
    return (x - x.mean(dim=dim, keepdim=True)) / deviation(x, dim).unsqueeze(dim)


def pearson(x: Tensor, y: Tensor) -> Tensor:
    """Return the correlation along the last dimension; zero where one of them does not vary."""
    return (standardized(x, -1) * standardized(y, -1)).mean(dim=-1)


def _positions(features: Tensor) -> Tensor:
    """Return the channels at every sample and position as rows: [B, d, ...] to [B * positions, d]."""
    return features.flatten(2).movedim(1, 2).flatten(0, 1) if features.dim() > 2 else features
