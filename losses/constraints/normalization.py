"""Bounding the discriminator's slope by construction: normalized weights, or a normalized function.

Legend: n = Euclidean norm of a sample's input gradient, [B].
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Final, final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.spectral_norm import SpectralNorm as _HookedSpectralNorm

from losses.gradients import input_gradient
from losses.numerics import in_full_precision, norms, refuse_float16, root
from losses.outputs import DiscriminatorOutput, describe_output
from losses.parts import Constraint
from losses.registry import register
from losses.types import BatchNorm, Need

WEIGHT_LAYERS: Final = (_ConvNd, nn.Linear)
"""Convolutions, transposed ones included, and linear layers."""

WRAP_FIRST: Final = "train what method.wrap(discriminator) returns, or use losses.Criterion, which wraps it"


@final
@register("spectral_norm")
@dataclass(frozen=True)
class SpectralNorm(Constraint):
    """Divides every weight of the discriminator by its largest singular value, so that each layer is 1-Lipschitz.

    The singular value is tracked by one power iteration at each forward in training mode. Its start is the same for
    every discriminator, on every device, and leaves the global random numbers alone. A layer that has the norm already
    is left as it is, be it torch's parametrization or its older hook, and so is one that `san_head` has divided. A
    convolution's kernel counts as the matrix [outputs, inputs * area], as in the paper, which bounds the norm of the
    convolution only up to a factor.

    Formula:
        W <- W / sigma_1(W) for every convolution and linear layer of D

    BatchNorm:
        degraded: it divides by the batch's deviation, which has no Lipschitz bound.

    Source:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, ICLR 2018, arXiv:1802.05957.
    """

    batch_norm: ClassVar[BatchNorm] = "degraded"

    @property
    def samplewise(self) -> bool:
        return False  # the power iteration goes on with each forward

    def check(self, discriminator: nn.Module) -> None:
        for name, layer in discriminator.named_modules():
            if isinstance(layer, WEIGHT_LAYERS) and not _is_bounded(layer):
                raise ValueError(f"spectral_norm: {name or 'the discriminator'} has no spectral norm: {WRAP_FIRST}")

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        layers = [
            (name, layer)
            for name, layer in discriminator.named_modules()
            if isinstance(layer, WEIGHT_LAYERS) and not _is_bounded(layer)
        ]
        for name, layer in layers:
            if "weight" not in layer._parameters and not parametrize.is_parametrized(layer, "weight"):
                raise ValueError(
                    f"{self.name} divides the weight of each layer, but that of {name or 'the discriminator'} "
                    f"({type(layer).__name__}) is no parameter: a hook computes it, such as that of "
                    f"torch.nn.utils.weight_norm; use torch.nn.utils.parametrizations instead, or leave {self.name} out"
                )
            if not bool(layer.weight.detach().any()):
                raise ValueError(
                    f"{self.name} divides the weight of each layer by its largest singular value, and that of "
                    f"{name or 'the discriminator'} ({type(layer).__name__}) is 0: start it from anything but zeros, "
                    f"or leave {self.name} out"
                )
        # The power iteration starts from torch's global generator, the only one it knows: that of the CPU is given a
        # fixed start and put back afterwards, and the layer is taken there meanwhile. What it starts from is the same
        # in an evaluation and under autocast, and can be trained afterwards.
        with torch.inference_mode(False), torch.autocast("cpu", enabled=False), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            for _, layer in layers:
                device = layer.weight.device
                parametrizations.spectral_norm(layer.to("cpu")).to(device)
        return discriminator


@final
@register("grad_norm")
@dataclass(frozen=True)
class GradNorm(Constraint):
    """Gradient normalization: the discriminator is divided by its own slope, which bounds it and its slope.

    The output lies in [-1, 1] and is what every other part sees as the logit, so a penalty on the slope differentiates
    a third time. It needs a gradient by the input at every forward, also under `torch.no_grad`. Where the logit and its
    gradient are both 0 the quotient is taken to be 0, with no gradient. Features pass unchanged.

    Formula:
        D(x) / (n(x) + |D(x)|), n(x) = the norm of the gradient of D at x

    BatchNorm:
        invalid: the gradient of one logit by its own image does not exist when samples look at each other.

    Source:
        Wu et al., Gradient Normalization for Generative Adversarial Networks, ICCV 2021, arXiv:2109.02235.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    batch_norm: ClassVar[BatchNorm] = "invalid"

    @property
    def samplewise(self) -> bool:
        return True

    def check(self, discriminator: nn.Module) -> None:
        if not any(isinstance(module, GradientNormalized) for module in discriminator.modules()):
            raise ValueError(f"grad_norm: the discriminator is not divided by its slope: {WRAP_FIRST}")

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        # A second division would be another discriminator, and pass `check` as well as the first.
        divided = any(isinstance(module, GradientNormalized) for module in discriminator.modules())
        return discriminator if divided else GradientNormalized(discriminator)


class GradientNormalized(nn.Module):
    """A discriminator divided by the sum of its slope and its size; logits keep their shape."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, images: Tensor, *conditions: Any) -> Tensor | tuple[Tensor, Tensor | None]:  # noqa: ANN401
        """Return the normalized logits, or the pair of them and the features; without a graph where none is wanted.

        What comes after the images, such as labels, goes on to the discriminator. A pair that is a
        `DiscriminatorOutput` stays one.

        Raises:
            ValueError: for a discriminator that gives anything else than one logit a sample, with features or without,
                or in float16.
        """
        refuse_float16(images)
        compiling = torch.compiler.is_compiling()  # in which nobody can ask after inference mode
        evaluating = not compiling and torch.is_inference_mode_enabled()
        keep_graph = torch.is_grad_enabled() and not evaluating
        with torch.inference_mode(False) if evaluating else nullcontext(), torch.enable_grad():
            # Clones, because what was made in inference mode can take no part in a gradient ever.
            given, *others = (images, *conditions) if compiling else map(_usable, (images, *conditions))
            points = given if given.requires_grad else given.detach().requires_grad_()
            output = self.discriminator(points, *others)
            logits, features = output if isinstance(output, tuple) and len(output) == 2 else (output, None)
            if not isinstance(logits, Tensor) or not (features is None or isinstance(features, Tensor)):
                raise ValueError(
                    f"grad_norm divides one logit a sample by its slope: the discriminator returned "
                    f"{describe_output(output)}, expected a tensor of logits, or the pair (logits, features)"
                )
            if logits.numel() != len(images):
                raise ValueError(
                    f"grad_norm divides one logit a sample by its slope: got logits of shape {tuple(logits.shape)} "
                    f"for {len(images)} samples"
                )
            with torch.autocast(images.device.type, enabled=False):
                normalized = _normalized(in_full_precision(logits), points)
        if not keep_graph:
            normalized, features = normalized.detach(), None if features is None else features.detach()
        if isinstance(output, DiscriminatorOutput):
            return DiscriminatorOutput(normalized, features)
        return normalized if features is None else (normalized, features)


def _usable(value: Any) -> Any:  # noqa: ANN401 - the same type as comes in
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def _normalized(logits: Tensor, points: Tensor) -> Tensor:
    n = norms(input_gradient(points, logits)).view_as(logits)
    size = n + logits.abs()
    # The inner `where` keeps the division away from 0: masking only its result would still give 0 * inf = NaN.
    return torch.where(size > 0, logits / torch.where(size > 0, size, 1.0), 0.0)


@final
@register("san_head")
@dataclass(frozen=True)
class SanHead(Constraint):
    """The slicing GAN's last layer: objective and penalties move its length; its direction is left to `san_direction`.

    Nothing that the discriminator answers changes. What changes is the gradient of the last layer's weight w, of which
    the part along w alone is kept, so that the direction stands still for every loss of the logits. Alone this freezes
    the direction for good, so it needs the term: `hinge + san_direction + san_head`. The length stays, and is trained
    by the objective, as in the authors' code; in the paper's formula the features take it over. Spectral normalization
    of this layer is taken off, as it is there: under it the length would be 1 and have no gradient. A bias remains, and
    is trained.

    Formula:
        D(x) = <w, h(x)> = |w| <omega, h(x)>, omega = w/|w|, whose gradient by omega is 0 for all but `san_direction`

    BatchNorm:
        ok: it concerns the weights of the last layer alone.

    Source:
        Takida et al., SAN: Inducing Metrizability of GAN with Discriminative Normalized Linear Layer, ICLR 2024,
        arXiv:2301.12811, and the authors' simple-san.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"weights"})

    @property
    def samplewise(self) -> bool:
        return True

    def check(self, discriminator: nn.Module) -> None:
        if not any(isinstance(module, LengthOnly) for module in discriminator.modules()):
            raise ValueError(f"san_head: the last layer has no direction of its own: {WRAP_FIRST}")

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        layers = [layer for layer in discriminator.modules() if isinstance(layer, WEIGHT_LAYERS)]
        if not layers:
            raise ValueError("san_head looks for a convolution or a linear layer at the end, and there is none")
        last = layers[-1]
        outputs = last.out_features if isinstance(last, nn.Linear) else last.out_channels
        if outputs != 1:
            raise ValueError(f"san_head divides one output into direction and length: the last layer has {outputs}")
        if parametrize.is_parametrized(last, "weight"):
            parametrize.remove_parametrizations(last, "weight", leave_parametrized=False)
        parametrize.register_parametrization(last, "weight", LengthOnly())
        return discriminator


_SLICED: Final = "is_sliced"
"""The mark of the weight that `san_head` has divided: what a part sees of the discriminator is its parameters."""


def sliced_weight(parameters: list[nn.Parameter]) -> nn.Parameter | None:
    """Return the weight whose direction is `san_direction`'s to train, if `san_head` has divided one.

    It is known once the discriminator has run.
    """
    return next((parameter for parameter in parameters if hasattr(parameter, _SLICED)), None)


class LengthOnly(nn.Module):
    """A weight that is what it was, and that gradients can only make longer or shorter."""

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight."""
        setattr(weight, _SLICED, True)  # here, since a copy of the discriminator has parameters without their marks
        kept: Tensor = _AlongItself.apply(weight)
        return kept


class _AlongItself(torch.autograd.Function):
    """The identity, whose gradient is the part of it along the input: omega <omega, gradient>, omega = w/|w|.

    That gradient, differentiated again, depends on omega but not on what the gradient came from. So the slope by w of
    any mean of logits, taken with a graph, is that mean as a function of the direction alone, with the features held
    constant: just what `san_direction` trains.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:  # noqa: ANN401 - a FunctionCtx
        ctx.save_for_backward(weight)
        return weight.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401
        (weight,) = ctx.saved_tensors
        direction, _ = direction_and_length(weight)
        along = direction * (direction * in_full_precision(gradient.detach())).sum()
        return along.to(gradient.dtype)


def direction_and_length(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return w/|w| and |w| in full precision; a weight of length 0 has the direction 0."""
    full = in_full_precision(weight)
    length = root(full.square().sum())
    return full / torch.where(length > 0, length, 1.0), length


def _is_bounded(layer: nn.Module) -> bool:
    """Whether a layer has a spectral norm, or a length of its own in place of it."""
    hooks = layer._forward_pre_hooks.values()
    if any(isinstance(hook, _HookedSpectralNorm) and hook.name == "weight" for hook in hooks):
        return True
    if not parametrize.is_parametrized(layer, "weight"):
        return False
    assert isinstance(layer.parametrizations, nn.ModuleDict)
    steps = layer.parametrizations["weight"]
    assert isinstance(steps, parametrize.ParametrizationList)
    return any(isinstance(step, _SpectralNorm | LengthOnly) for step in steps)
