"""Matching terms: the generated batch should look like the real one in features, as a set and not pair by pair.

Legend: h_r, h_f = features [B, ...] that the discriminator has of the reals and the fakes; phi_r, phi_f = those of a
frozen network, [B, d]. The reals are constants: they do not depend on the generator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

from torch import Tensor
from torch.nn import functional

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import check_pairs, rational_quadratic, squared_distances
from losses.pairs import of_distances, over_rows, unbiased_mmd
from losses.parts import Regularizer
from losses.registry import register
from losses.types import BatchNorm, Need, Phase

ALPHAS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""The mixture of rational quadratic kernels of Bińkowski et al."""


@final
@register("fm")
@dataclass(frozen=True)
class FeatureMatching(Regularizer):
    """Feature matching: the mean feature of the fakes should be that of the reals.

    The public codes disagree. This is the squared distance of the batch means, as published. The authors' CIFAR-10 code
    and StudioGAN take the absolute distance of the means; torchgan the squared difference of unrelated pairs, which the
    mean image minimizes.

    Formula:
        weight * |E h_r - E h_f|^2

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it takes out of each batch the mean that is to be compared.

    Source:
        Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv:1606.03498, section 3.1.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return (context.real_features.mean(dim=0) - context.fake_features.mean(dim=0)).square().sum()


@final
@register("swg")
@dataclass(frozen=True)
class SlicedWasserstein(Regularizer):
    """Sliced Wasserstein distance: along random directions the sorted features should agree.

    The paper projects 10000 times (recalled), on images or on the features of wide layers. The estimate is unbiased for
    any number, each step draws anew, and its noise falls with the root of the number, so a few directions for each of
    some hundred feature dimensions do.

    Formula:
        weight * mean over directions w of E (sort <w, h_r> - sort <w, h_f>)^2, w uniform on the unit sphere

    Parameters:
        weight: factor in front of the term.
        projections: how many directions are drawn a step.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it gives each batch the same mean and spread before they are compared.

    Source:
        Deshpande et al., Generative Modeling using the Sliced Wasserstein Distance, CVPR 2018, arXiv:1803.11188.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"features"})
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    projections: int = parameter(512, ge=1)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_features.flatten(1), context.fake_features.flatten(1)
        check_pairs(self.name, real, fake)
        directions = functional.normalize(context.normal_like(fake.new_empty(self.projections, fake.shape[1])))
        along = [(features @ directions.T).sort(dim=0).values for features in (real, fake)]
        return (along[0] - along[1]).square().mean()


@final
@register("max_swg")
@dataclass(frozen=True)
class MaxSlicedWasserstein(Regularizer):
    """Max-sliced Wasserstein distance: the sorted logits should agree, along the one direction that tells most.

    The direction is the discriminator's own last layer w, which a classifier has turned to where the two batches
    differ: a surrogate for the direction of the largest distance, as in the paper (recalled). The length of w stays in
    and multiplies the term; the paper's direction has length 1, which `spectral_norm` gives a last layer of one output.
    A bias falls out of the difference.

    Formula:
        weight * E (sort a - sort b)^2, a = <w, h_r> and b = <w, h_f>, the critic on the reals and the fakes

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        degraded: it gives each batch the same mean and spread before they are compared.

    Source:
        Deshpande et al., Max-Sliced Wasserstein Distance and its use for GANs, CVPR 2019, arXiv:1904.05877.
    """

    phase: ClassVar[Phase] = "generator"
    batch_norm: ClassVar[BatchNorm] = "degraded"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = context.real_critic, context.fake_critic
        check_pairs(self.name, real, fake)
        return (real.sort().values - fake.sort().values).square().mean()


@final
@register("mmd_feat")
@dataclass(frozen=True)
class FrozenMmd(Regularizer):
    """Maximum mean discrepancy in frozen features: all moments of the two batches should agree.

    The estimate is the unbiased one, without the similarity of a sample to itself, so it is below zero about half the
    time where the distributions agree. The kernel is the sum of five rational quadratic ones, which has a slope at
    every distance; the features are taken as they come, so their scale is part of the definition.

    Formula:
        weight * (mean of k(phi_r, phi_r') + mean of k(phi_f, phi_f') - 2 mean of k(phi_r, phi_f)),
        pairs of different samples, k(x, y) = sum over alpha in {0.2, 0.5, 1, 2, 5} of (1 + |x - y|^2/(2 alpha))^-alpha

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the features are those of a frozen network.

    Source:
        dos Santos et al., Learning Implicit Generative Models by Matching Perceptual Features, ICCV 2019,
        arXiv:1904.02762 (there by moments); kernel of Bińkowski et al., Demystifying MMD GANs, ICLR 2018,
        arXiv:1801.01401.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"frozen_features"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    needs_real_in_generator: ClassVar[bool] = True
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"repeated batch": "the unbiased estimate leaves out i = j, but not the pairs of a sample with its copy"}
    )
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = frozen_features(context)
        return unbiased_mmd(of_distances(lambda squared: rational_quadratic(squared, ALPHAS)), real, fake)


@final
@register("perceptual")
@dataclass(frozen=True)
class Perceptual(Regularizer):
    """Perceptual distance: each fake should be near some real image of the batch, in frozen features.

    The published loss has a target for each image; unpaired data have none, so the nearest real of the batch stands in.
    It asks for plausible samples and not for varied ones: many fakes may share a real. The frozen network must never be
    the Inception network (or any other judge), since the distance that judges the samples would then be trained on.

    Formula:
        weight * E_i min_j |phi_f,i - phi_r,j|^2

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the features are those of a frozen network.

    Source:
        Johnson et al., Perceptual Losses for Real-Time Style Transfer and Super-Resolution, ECCV 2016,
        arXiv:1603.08155; the nearest real in place of a target is this library's.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"frozen_features"})
    batch_norm: ClassVar[BatchNorm] = "ok"
    needs_real_in_generator: ClassVar[bool] = True
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        real, fake = frozen_features(context)
        return over_rows(lambda squared: squared.amin(dim=1), squared_distances, fake, real).mean()


def frozen_features(context: Context) -> tuple[Tensor, Tensor]:
    """Return the frozen features [B, d] of the reals, without a graph, and of the fakes."""
    real = context.frozen_features(context.real_images).detach()
    return real.flatten(1), context.frozen_features(context.fake_images).flatten(1)
