"""Optimal transport between the two batches of a vector head, smoothed by entropy (Sinkhorn's algorithm).

Legend: r, f = heads of real and fake images, [B, dimension]; c = cost; P(x, y) = the plan [m, n] that carries the batch
x to the batch y, each with equal masses, and minimizes <P, C> + epsilon KL(P | uniform), C_ij = c(x_i, y_j).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.hyperparameters import parameter
from losses.numerics import required_reals, squared_distances, unit
from losses.parts import Objective
from losses.registry import register
from losses.types import BatchNorm


@final
@register("sinkhorn")
@dataclass(frozen=True)
class Sinkhorn(Objective):
    """The Sinkhorn divergence: transport cost of the two batches, less what it costs to stay within each.

    The gradient goes through all iterations, as in the paper. With large epsilon it is an MMD whose kernel is -c, with
    small epsilon the transport cost itself. The squared distance is unbounded and needs a bound on the heads, such as
    `weight_clip`; the cosine distance has its own.

    Formula:
        W(x, y) = <P(x, y), C>, after `iterations` of Sinkhorn in the log domain
        S = 2 W(r, f) - W(r, r) - W(f, f), c(x, y) = 1 - cos(x, y), or |x - y|^2 if not cosine
        L_D = -S
        L_G = S

    Parameters:
        dimension: width of the discriminator's vector head.
        epsilon: strength of the entropy, in units of the cost.
        iterations: how often rows and columns are rescaled.
        cosine: whether the cost is the cosine distance rather than the squared one.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Genevay, Peyre and Cuturi, Learning Generative Models with Sinkhorn Divergences, AISTATS 2018, arXiv:1706.00292,
        there with the squared distance of learned features; the cosine is that of `otgan`, the defaults are ours.
    """

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    dimension: int = parameter(16, ge=2)
    epsilon: float = parameter(0.1, gt=0)
    iterations: int = parameter(20, ge=1)
    cosine: bool = parameter(True)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -self._divergence(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self._divergence(required_reals(self.name, real_logits), fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """How much farther from the fakes than from the reals, in mean cost: the potential for large epsilon."""
        return self._cost(logits, fake_logits).mean(dim=1) - self._cost(logits, real_logits).mean(dim=1)

    def _cost(self, x: Tensor, y: Tensor) -> Tensor:
        return cosine_distances(x, y) if self.cosine else squared_distances(x, y)

    def _divergence(self, real: Tensor, fake: Tensor) -> Tensor:
        costs = [self._cost(real, fake), self._cost(real, real), self._cost(fake, fake)]
        plans = transport_plans(costs, self.epsilon, self.iterations)
        across, of_reals, of_fakes = ((plan * cost).sum() for plan, cost in zip(plans, costs, strict=True))
        return 2 * across - of_reals - of_fakes


@final
@register("otgan")
@dataclass(frozen=True)
class OtGan(Objective):
    """OT-GAN: the minibatch energy distance, transport across the batches less transport within, from two halves each.

    The halves are the first and the second part of a batch, so it must come in random order. The plans count as
    constants in the gradient, as published. Entropy makes the paper's bound on the error, and is no part of the value.
    Its batches had 8000 images: with halves of 32 the within terms are large and noisy.

    Formula:
        W(x, y) = <P(x, y), C>, c(x, y) = 1 - cos(x, y), with the gradient <P, dC>
        M = (W(r, f) + W(r, f') + W(r', f) + W(r', f'))/2 - W(r, r') - W(f, f'), with r', f' the second halves
        L_D = -M
        L_G = M

    Parameters:
        dimension: width of the discriminator's vector head.
        epsilon: strength of the entropy, in units of the cost; 1/500 in the authors' code.
        iterations: how often rows and columns are rescaled; 500 in the authors' code.

    BatchNorm:
        degraded: it compares two batches that were normalized apart.

    Source:
        Salimans et al., Improving GANs Using Optimal Transport, ICLR 2018, arXiv:1803.05573, algorithm 1 (number
        recalled), and the authors' code.
    """

    needs_real_in_generator: ClassVar[bool] = True
    batch_norm: ClassVar[BatchNorm] = "degraded"
    waived: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "derivative": "the plans are held constant, as published, and the entropy is no part of the value",
            "repeated batch": "a batch given twice has two equal halves, between which there is nothing to carry",
            "order": "which samples are in the first half matters, as a draw of two batches would",
        }
    )
    dimension: int = parameter(256, ge=2)
    epsilon: float = parameter(0.002, gt=0)
    iterations: int = parameter(100, ge=1)

    @property
    def outputs(self) -> int:
        return self.dimension

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return -self._energy(real_logits, fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        return self._energy(required_reals(self.name, real_logits), fake_logits)

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """How much farther from the fakes than from the reals, in mean cost: the potential for large epsilon."""
        return cosine_distances(logits, fake_logits).mean(dim=1) - cosine_distances(logits, real_logits).mean(dim=1)

    def _energy(self, real: Tensor, fake: Tensor) -> Tensor:
        if min(len(real), len(fake)) < 2:
            raise ValueError(f"{self.name} compares two halves of each batch: it needs at least two samples in both")
        (r, r_), (f, f_) = ((heads[: len(heads) // 2], heads[len(heads) // 2 :]) for heads in (real, fake))
        pairs = ((r, f), (r, f_), (r_, f), (r_, f_), (r, r_), (f, f_))
        costs = [cosine_distances(x, y) for x, y in pairs]
        with torch.no_grad():
            plans = transport_plans(costs, self.epsilon, self.iterations)
        *across, of_reals, of_fakes = ((plan * cost).sum() for plan, cost in zip(plans, costs, strict=True))
        return torch.stack(across).sum() / 2 - of_reals - of_fakes


def cosine_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return 1 - cos(x_i, y_j), [m, n], for x [m, d] and y [n, d]."""
    return 1 - unit(x) @ unit(y).T


def transport_plans(costs: Sequence[Tensor], epsilon: float, iterations: int) -> Sequence[Tensor]:
    """Return the plan of each cost, all at once where they have one shape."""
    if len({cost.shape for cost in costs}) > 1:
        return [transport_plan(cost, epsilon, iterations) for cost in costs]
    return transport_plan(torch.stack(list(costs)), epsilon, iterations).unbind()


def transport_plan(cost: Tensor, epsilon: float, iterations: int) -> Tensor:
    """Return the plan [..., m, n] between equal masses that Sinkhorn's algorithm reaches in so many iterations.

    In the log domain, so that no epsilon underflows. The columns carry 1/n each up to rounding, the rows 1/m as far as
    it has converged.
    """
    kernel = -cost / epsilon
    rows, columns = cost.shape[-2:]
    of_columns = torch.zeros_like(kernel[..., :1, :])
    of_rows = torch.zeros_like(kernel[..., :, :1])
    for _ in range(iterations):
        of_rows = -math.log(rows) - (kernel + of_columns).logsumexp(dim=-1, keepdim=True)
        of_columns = -math.log(columns) - (kernel + of_rows).logsumexp(dim=-2, keepdim=True)
    return (kernel + of_rows + of_columns).exp()
