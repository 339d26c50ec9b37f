"""Distances between the two batches of a vector head: maximum mean discrepancies and the energy distance.

Legend: r, f = heads of real and fake images, [B, dimension]; a, b = their logits, where the head has one output;
k = kernel; w(x) = mean_j k(x, r_j) - mean_j k(x, f_j), the witness; a pair (i, j) within a batch has i != j.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, final

import torch
from torch import Tensor

from losses.hyperparameters import parameter
from losses.numerics import gaussian, norms, rational_quadratic, required_reals, root
from losses.pairs import mean_over_pairs, mean_within, of_distances, row_means, unbiased_mmd
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm

RQ_ALPHAS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
RBF_SIGMAS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
_DISTANCE: Final = of_distances(root)
_UNBIASED: Final = MappingProxyType(
    {"repeated batch": "an unbiased estimate leaves out each sample's distance to itself, not to its copy"}
)


class KernelDistance(Objective):
    """L_D = -MMD^2(r, f) and L_G = MMD^2(r, f) under the member's kernel; the critic is the witness."""

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    waived: ClassVar[Mapping[str, str]] = _UNBIASED
    dimension: int

    @property
    def outputs(self) -> int:
        return self.dimension

    def kernel(self, squared: Tensor) -> Tensor:
        """Return k from squared distances."""
        raise NotImplementedError

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -self.squared_mmd(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self.squared_mmd(required_reals(self.name, real_logits), fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The witness of the distance between the two batches."""
        kernel = of_distances(self.kernel)
        return row_means(kernel, logits, real_logits) - row_means(kernel, logits, fake_logits)

    def squared_mmd(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the unbiased estimate; it can be negative."""
        return unbiased_mmd(of_distances(self.kernel), real, fake)


@final
@register("mmd_rbf")
@dataclass(frozen=True)
class MmdRbf(KernelDistance):
    """MMD-GAN with a sum of Gaussian kernels of widths 1, 2, 4, 8 and 16.

    Formula:
        k(x, y) = sum over sigma of exp(-||x - y||^2 / (2 sigma^2))
        L_D = -MMD^2_k(r, f), unbiased
        L_G = MMD^2_k(r, f)

    Parameters:
        dimension: width of the discriminator's vector head.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Li et al., MMD GAN, NeurIPS 2017, arXiv:1705.08584, equation 3 (number recalled); without its autoencoder. The
        authors' code takes the root of the biased estimate.
    """

    dimension: int = parameter(16, ge=2)

    def kernel(self, squared: Tensor) -> Tensor:
        return gaussian(squared, RBF_SIGMAS)


@final
@register("mmd_rq")
@dataclass(frozen=True)
class MmdRq(KernelDistance):
    """MMD-GAN with a sum of rational quadratic kernels, whose tails keep a gradient at every distance.

    Formula:
        k(x, y) = sum over alpha in {0.2, 0.5, 1, 2, 5} of (1 + ||x - y||^2 / (2 alpha))^(-alpha)
        L_D = -MMD^2_k(r, f), unbiased
        L_G = MMD^2_k(r, f)

    Parameters:
        dimension: width of the discriminator's vector head.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Binkowski et al., Demystifying MMD GANs, ICLR 2018, arXiv:1801.01401, section 4; its gradient penalty on the
        witness is `+ gp1(weight=1)`. The authors' CIFAR-10 run has alphas of 0.1, 1 and 10, and adds <x, y> to the
        kernel.
    """

    dimension: int = parameter(16, ge=2)

    def kernel(self, squared: Tensor) -> Tensor:
        return rational_quadratic(squared, RQ_ALPHAS)


@final
@register("mmd_repulsive")
@dataclass(frozen=True)
class MmdRepulsive(KernelDistance):
    """The repulsive MMD-GAN: the discriminator spreads the reals out and draws the fakes together, within bounds.

    Reals that are 2 apart are pushed no further, fakes within 1/2 of each other are drawn no closer.

    Formula:
        k(x, y) = exp(-||x - y||^2 / 2), k_r with min(||x - y||^2, 4), k_f with max(||x - y||^2, 1/4)
        L_D = E_{i != j} k_r(r_i, r_j) - E_{i != j} k_f(f_i, f_j)
        L_G = MMD^2_k(r, f), unbiased

    Parameters:
        dimension: width of the discriminator's vector head.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Wang, Sun and Halgamuge, Improving MMD-GAN Training with Repulsive Loss Function, ICLR 2019, arXiv:1812.09916,
        equations 4 and 8 (numbers recalled); bounds as in the authors' code. Needs `spectral_norm`.
    """

    dimension: int = parameter(16, ge=2)

    def kernel(self, squared: Tensor) -> Tensor:
        return gaussian(squared, (1.0,))

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        of_reals = of_distances(lambda squared: self.kernel(squared.clamp(max=4.0)))
        of_fakes = of_distances(lambda squared: self.kernel(squared.clamp(min=0.25)))
        return mean_within(of_reals, real_logits) - mean_within(of_fakes, fake_logits)


@final
@register("mmd_gaussian")
@dataclass(frozen=True)
class MmdGaussian(KernelDistance):
    """An MMD of the logits themselves, with one Gaussian kernel of width 1: what the scaled MMD-GAN scales.

    Alone it can be made large by steepness, so it needs `smmd`. The kernel does not tell large from small, so a
    discriminator may well put the reals below the fakes: the critic is the logit, with its sign turned in that case.

    Formula:
        k(x, y) = exp(-(x - y)^2/2)
        L_D = -MMD^2_k(a, b), unbiased
        L_G = MMD^2_k(a, b)

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Arbel et al., On Gradient Regularizers for MMD GANs, NeurIPS 2018, arXiv:1805.11565, with the kernel and the
        single output of the authors' runs.
    """

    @property
    def outputs(self) -> int:
        return 1

    def kernel(self, squared: Tensor) -> Tensor:
        return gaussian(squared, (1.0,))

    def squared_mmd(self, real: Tensor, fake: Tensor) -> Tensor:
        return gaussian_mmd(real, fake)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The logit, or minus the logit while the reals lie below the fakes on average."""
        return torch.where(real_logits.mean() < fake_logits.mean(), -logits, logits)


def gaussian_mmd(real: Tensor, fake: Tensor) -> Tensor:
    """Return the unbiased MMD^2 of two batches of logits [B] under a Gaussian kernel of width 1."""
    kernel = of_distances(lambda squared: gaussian(squared, (1.0,)))
    return unbiased_mmd(kernel, real.unsqueeze(1), fake.unsqueeze(1))


@final
@register("cramer")
@dataclass(frozen=True)
class Cramer(Objective):
    """The Cramér GAN: the energy distance of the heads; its critic measures against the generated batch.

    The paper draws a second generated batch for f'. Here f' runs over the other samples of the one batch, which has the
    same expectation and less variance. Its penalty is `+ gp1(weight=10)`.

    Formula:
        c(x) = mean_{f'} ||h(x) - f'|| - ||h(x)||
        L_D = E c(x_f) - E c(x_r)
        L_G = 2 E ||r_i - f_j|| - E_{i != j} ||f_i - f_j||

    Parameters:
        dimension: width of the discriminator's vector head.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Bellemare et al., The Cramer Distance as a Solution to Biased Wasserstein Gradients, 2017, arXiv:1705.10743,
        algorithm 1.
    """

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    waived: ClassVar[Mapping[str, str]] = _UNBIASED
    dimension: int = parameter(256, ge=2)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        among = mean_within(_DISTANCE, fake_logits)
        real = mean_over_pairs(_DISTANCE, real_logits, fake_logits) - norms(real_logits).mean()
        return among - norms(fake_logits).mean() - real

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        real = required_reals(self.name, real_logits)
        return 2 * mean_over_pairs(_DISTANCE, real, fake_logits) - mean_within(_DISTANCE, fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """c(x) against the whole generated batch."""
        return row_means(_DISTANCE, logits, fake_logits) - norms(logits)
