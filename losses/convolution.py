"""Convolutions that are cheap to differentiate twice, for penalties on the discriminator's input gradient.

torch writes the second derivative of a convolution by the weights as another convolution, with the images' channels in
place of the batch and a kernel as large as a feature map: on most shapes several times as slow as the first derivative,
which it is in disguise. With y = x * w, the input gradient is g' = J(w)^T g, linear in g and in w,
and for a direction v

    d<v, g'>/dg = v * w                   a forward convolution of v
    d<v, g'>/dw = J(v)^T g by the weights   the first derivative by the weights, with v in place of x

so both are asked of the kernels of the first derivative. Values and first derivatives are torch's own, bit for bit.

That saves most where the weights' gradients need not be taken along with the images', which is right only as long as
the weights do not depend on the images. So it is done where that can be proved, for kernels and biases that are
parameters or are computed from parameters alone (weight norm, spectral norm); every other convolution is torch's own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from losses.numerics import autocast_dtype

_FAR: Final = 256
"""How many operators of a kernel's graph are looked at before it counts as unknown: a norm of the weights has ten."""


class _Geometry(NamedTuple):
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int


class InputGradients(TorchFunctionMode):
    """Inside it, `torch.nn.functional.conv2d` is one that is cheap to differentiate twice.

    One object belongs to one phase of one step. Whatever other convolutions there are remain torch's own: those whose
    kernel or bias may depend on the images, those of subclasses of tensors, and all of them while something traces,
    compiles or maps the discriminator.
    """

    def __init__(self) -> None:
        super().__init__()
        # Held by the object, since on CUDA the backward passes run in threads of their own.
        self.skip_weight_gradients = False
        self.input_gradients_done = False
        """Whether all gradients by images have been taken, and those that are left are by the weights."""
        self._images: Tensor | None = None

    @contextmanager
    def replacing_conv2d(self, images: Tensor, *, from_leaves: bool = False) -> Iterator[None]:
        """Replace `conv2d` inside, where the discriminator runs on the images.

        Once all input gradients are done, the gradient by images that come `from_leaves` is left out: they are leaves
        or computed from leaves alone, so that it would lead to nothing else.
        """
        self._images = images if from_leaves else None
        try:
            with self:
                yield
        finally:
            self._images = None

    @contextmanager
    def skipping_weight_gradients(self, batches: Sequence[Tensor]) -> Iterator[None]:
        """Skip the gradients by weights inside, where only those by these images are wanted."""
        # Of leaves that are no parameters it is certain that nothing which is computed from parameters depends on them.
        self.skip_weight_gradients = all(item.is_leaf and not isinstance(item, nn.Parameter) for item in batches)
        try:
            yield
        finally:
            self.skip_weight_gradients = False

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        options = kwargs or {}
        # In this order, so that a compiler reads nothing of this object, on which its code would come to depend.
        if func is not torch.conv2d or _is_seen_through():
            return func(*args, **options)
        return self._convolve(*args, **options)

    def _convolve(
        self,
        input: Tensor,  # noqa: A002 - torch's name, which a caller may spell out
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> Tensor:
        known = all(map(_is_plain, (input, weight, bias))) and all(map(_is_given, (weight, bias)))
        if not known or isinstance(padding, str) or input.dim() != 4:
            return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
        is_image = input is self._images
        cast = autocast_dtype(input.device.type)
        if cast is not None:  # torch casts where it dispatches an operator, which a Function of ours is not
            input, weight = input.to(cast), weight.to(cast)  # noqa: A001
            bias = None if bias is None else bias.to(cast)
        geometry = _Geometry(_pair(stride), _pair(padding), _pair(dilation), groups)
        result: Tensor = _Convolution.apply(input, weight, bias, geometry, self, is_image)
        return result


def _is_seen_through() -> bool:
    """Whether someone follows each operator, to whom a `Function` is opaque: compilers, torch.func."""
    if torch.compiler.is_compiling():  # first, since a compiler follows the rest of this too
        return True
    # Asked of torch's core, since what torch.jit and torch.func have for it in public is deprecated or not there.
    traced = torch._C._get_tracing_state() is not None
    return traced or torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def _is_plain(tensor: Tensor | None) -> bool:
    """Whether a tensor is what the kernels below are for, and no subclass that has its own idea of a convolution."""
    if tensor is None:
        return True
    return type(tensor) in (Tensor, nn.Parameter) and tensor.layout == torch.strided and tensor.is_floating_point()


def _is_given(tensor: Tensor | None) -> bool:
    """Whether a tensor certainly does not depend on any images: all that it is computed from are parameters."""
    if tensor is None or not tensor.requires_grad:
        return True
    if tensor.is_leaf:
        return isinstance(tensor, nn.Parameter)
    seen: set[object] = set()
    waiting = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if len(seen) == _FAR:
            return False
        seen.add(node)
        if not node.next_functions and not isinstance(getattr(node, "variable", None), nn.Parameter):
            return False
        waiting.extend(before for before, _ in node.next_functions)
    return True


def _is_watched(images: Tensor) -> bool:
    """Whether the discriminator itself looks at the gradient that arrives at the images it was given."""
    return bool(images._backward_hooks) or images.retains_grad


def _pair(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else [int(item) for item in value] * (2 // len(value))


class _Convolution(torch.autograd.Function):
    """y = x * w + b."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - a FunctionCtx, which takes attributes
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        geometry: _Geometry,
        mode: InputGradients,
        is_image: bool,  # noqa: FBT001 - `apply` takes no keywords
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.mode, ctx.images = geometry, mode, x if is_image else None
        ctx.bias_shape = None if bias is None else list(bias.shape)
        return _forward(x, weight, bias, geometry)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        by_x, by_weight, by_bias = ctx.needs_input_grad[:3]
        by_x = by_x and not (ctx.mode.input_gradients_done and ctx.images is not None and not _is_watched(ctx.images))
        wanted = (by_x, False, False) if ctx.mode.skip_weight_gradients else (by_x, by_weight, by_bias)
        return (*_Gradient.apply(gradients[0], x, weight, ctx.geometry, wanted, ctx.bias_shape), None, None, None)


class _Gradient(torch.autograd.Function):
    """The first derivatives of a convolution, of which the second derivatives are asked here."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        gradient: Tensor,
        x: Tensor,
        weight: Tensor,
        geometry: _Geometry,
        wanted: tuple[bool, bool, bool],
        bias_shape: list[int] | None,
    ) -> tuple[Tensor | None, ...]:
        ctx.save_for_backward(gradient, x, weight)
        ctx.geometry = geometry
        ctx.set_materialize_grads(False)
        return _backward(gradient, x, weight, geometry, wanted, bias_shape)

    @staticmethod
    def backward(ctx: Any, *directions: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        by_x, by_weight, by_bias = directions
        gradient, x, weight = ctx.saved_tensors
        geometry: _Geometry = ctx.geometry
        needs_gradient, needs_x, needs_weight = ctx.needs_input_grad[:3]
        terms: list[Tensor] = []
        if needs_gradient:
            if by_x is not None:
                terms.append(_forward(by_x, weight, None, geometry))
            if by_weight is not None:
                terms.append(_forward(x, by_weight, None, geometry))
            if by_bias is not None:
                terms.append(by_bias.reshape(1, -1, 1, 1).expand_as(gradient))
        to_x = to_weight = None
        if needs_x and by_weight is not None:
            to_x = _backward(gradient, x, by_weight, geometry, (True, False, False), None)[0]
        if needs_weight and by_x is not None:
            to_weight = _backward(gradient, by_x, weight, geometry, (False, True, False), None)[1]
        to_gradient = sum(terms[1:], terms[0]) if terms else None
        return to_gradient, to_x, to_weight, None, None, None


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: _Geometry) -> Tensor:
    stride, padding, dilation, groups = geometry
    result: Tensor = torch.ops.aten.convolution(x, weight, bias, stride, padding, dilation, False, [0, 0], groups)
    return result


def _backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    geometry: _Geometry,
    wanted: tuple[bool, bool, bool],
    bias_shape: list[int] | None,
) -> tuple[Tensor | None, ...]:
    stride, padding, dilation, groups = geometry
    gradients: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        gradient, x, weight, bias_shape, stride, padding, dilation, False, [0, 0], groups, list(wanted)
    )
    return gradients
