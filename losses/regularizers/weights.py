"""Terms that read the networks' weights and nothing else.

Legend: W = a weight matrix, or a convolution kernel flattened to [output channels, rest]; theta = all parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import in_full_precision
from losses.parts import Regularizer
from losses.registry import register
from losses.types import Need, Phase


@final
@register("l2_d")
@dataclass(frozen=True)
class L2D(Regularizer):
    """Small weights in the discriminator: half the squared length of each weight tensor, averaged over the tensors.

    Not weight decay: the optimizer's momentum and scaling act on it as on the rest of the loss. Biases and gains are
    left out. A layer before a normalization gives the same output at any length of its weights, so there the term
    only changes how large a step looks.

    Formula:
        weight * mean_k 1/2 ||W_k||^2 over the weight tensors W_k of D

    Parameters:
        weight: factor in front of the term.
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the term reads weights, not batches.

    Source:
        Lucic et al., Are GANs Created Equal?, NeurIPS 2018, arXiv:1711.10337, and its authors' public code; the default
        weight is this library's.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"weights"})
    weight: float = parameter(1e-4, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return torch.stack([0.5 * W.square().sum() for W in _weights(context, context.weights, self.name)]).mean()


@final
@register("ortho")
@dataclass(frozen=True)
class Ortho(Regularizer):
    """Orthogonal filters in the discriminator: no two output channels of a layer should weigh alike.

    BigGAN's softened form, which leaves the lengths of the filters free; BigGAN used it on the generator. Its public
    PyTorch code adds 2 (W W^T * (1 - I)) W to the gradient, which is half of the gradient of this term: a weight there
    pushes like half of that weight here.

    Formula:
        weight * sum_k ||W_k W_k^T * (1 - I)||_F^2 over the weight tensors W_k of D, as [output channels, rest]

    Parameters:
        weight: factor in front of the term (the papers' beta).
        every: compute the term on every k-th step only, with its weight multiplied by k.

    BatchNorm:
        ok: the term reads weights, not batches.

    Source:
        Brock et al., Neural Photo Editing with Introspective Adversarial Networks, ICLR 2017, arXiv:1609.07093;
        softened in Brock et al., ICLR 2019, arXiv:1809.11096.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"weights"})
    weight: float = parameter(1e-4, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return torch.stack([_overlap(W) for W in _weights(context, context.filters, self.name)]).sum()


@final
@register("historical_avg")
@dataclass(frozen=True)
class HistoricalAvg(Regularizer):
    """Ties the discriminator's parameters to the mean of their own past, which damps going in circles.

    The past ends one step ago, so the term is 0 at the first step and its gradient is that of the formula.

    Formula:
        weight * ||theta - mean_t theta_t||^2, the mean over all earlier steps, theta of D

    Parameters:
        weight: factor in front of the term.
        every: compute the term and collect the mean on every k-th step only, with the weight multiplied by k.

    BatchNorm:
        ok: the term reads parameters, not batches.

    Source:
        Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv:1606.03498, section 3.3.
    """

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state", "weights"})
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _distance_from_history(context)


@final
@register("historical_avg_g")
@dataclass(frozen=True)
class HistoricalAvgG(Regularizer):
    """Ties the generator's parameters to the mean of their own past, which damps going in circles.

    The past ends one step ago, so the term is 0 at the first step and its gradient is that of the formula.

    Formula:
        weight * ||theta - mean_t theta_t||^2, the mean over all earlier steps, theta of G

    Parameters:
        weight: factor in front of the term.
        every: compute the term and collect the mean on every k-th step only, with the weight multiplied by k.

    BatchNorm:
        ok: the term reads parameters, not batches.

    Source:
        Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016, arXiv:1606.03498, section 3.3.
    """

    phase: ClassVar[Phase] = "generator"
    needs: ClassVar[frozenset[Need]] = frozenset({"state", "weights"})
    weight: float = parameter(1.0, ge=0)
    every: int = parameter(1, ge=1)

    def __call__(self, context: Context) -> Tensor:
        return _distance_from_history(context)


def _weights(context: Context, weights: Sequence[Tensor], part: str) -> list[Tensor]:
    if not weights:
        raise ValueError(f"{part} reads weight matrices, and the {context.phase} has none")
    return [in_full_precision(W) for W in weights]


def _overlap(matrix: Tensor) -> Tensor:
    """Return the sum of the squared scalar products between different rows of a matrix."""
    gram = matrix @ matrix.T
    return (gram - torch.diag(gram.diagonal())).square().sum()


def _distance_from_history(context: Context) -> Tensor:
    """Return the squared distance of the parameters from the mean of those seen before, and count them in."""
    parameters = context.parameters
    past = [context.get_state(f"mean_{i}", in_full_precision(theta)) for i, theta in enumerate(parameters)]
    # A difference keeps neither of its sides for the backward pass, so the means may change in place below.
    value = torch.stack([(theta - mean).square().sum() for theta, mean in zip(parameters, past, strict=True)]).sum()
    _count_in(context, parameters, past)
    return value


@torch.no_grad()
def _count_in(context: Context, parameters: list[nn.Parameter], past: list[Tensor]) -> None:
    seen = context.get_state("seen", torch.zeros_like(past[0].sum()))
    seen.add_(1)
    for theta, mean in zip(parameters, past, strict=True):
        mean.add_((theta - mean) / seen)
