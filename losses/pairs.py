"""Statistics over all pairs of two batches, in memory that does not grow with the number of pairs.

Legend: x [B, d] and y [C, d] = the two batches; k = a kernel, which makes [b, C] values of b rows of x and all of y.

Up to `LIMIT` numbers the pairs are one matrix, and torch differentiates it as ever. Beyond, they are computed in blocks
of rows, and of each block only its inputs are kept: the backward pass computes it again, and so does the backward pass
of the backward pass, to any order. The two ways differ by roundings alone. torch.compile is given the one matrix
always, which it need not write to memory. The transforms of torch.func do not take blocks.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

import torch
from torch import Tensor

from losses.numerics import mean_off_diagonal, squared_distances

LIMIT: Final = 2**22
"""The most numbers in a tensor of a block (16 MiB in float32), unless a single row or a batch itself has more."""

_TERMS: Final = 5
"""The most values that a kernel of distances stacks for each pair before it adds them up."""

Kernel = Callable[[Tensor, Tensor], Tensor]
Reduction = Callable[[Tensor], Tensor]


def of_distances(profile: Callable[[Tensor], Tensor]) -> Kernel:
    """Return the kernel that is a function of |x_i - y_j|^2, elementwise."""
    return lambda x, y: profile(squared_distances(x, y))


def fit(x: Tensor, y: Tensor, width: int | None = None) -> bool:
    """Return whether all pairs are computed as one matrix.

    Args:
        x: [B, d].
        y: [C, d].
        width: numbers that the kernel needs for a pair; by default d, for the differences of the coordinates, and at
            least 5. 1 for inner products.
    """
    return torch.compiler.is_compiling() or len(x) * len(y) * _width(x, width) <= LIMIT


def over_rows(reduce: Reduction, kernel: Kernel, x: Tensor, y: Tensor, width: int | None = None) -> Tensor:
    """Return what `reduce` makes of each row of the values [B, C]: shape [B] for a reduction over dim 1."""
    if fit(x, y, width):
        return reduce(kernel(x, y))
    return _in_blocks(lambda values, start: reduce(values), kernel, x, y, width)


def row_means(kernel: Kernel, x: Tensor, y: Tensor, width: int | None = None) -> Tensor:
    """Return mean_j k(x_i, y_j), shape [B]."""
    return over_rows(lambda values: values.mean(dim=1), kernel, x, y, width)


def mean_over_pairs(kernel: Kernel, x: Tensor, y: Tensor, width: int | None = None) -> Tensor:
    """Return the mean of k(x_i, y_j) over all i and j."""
    return kernel(x, y).mean() if fit(x, y, width) else row_means(kernel, x, y, width).mean()


def mean_within(kernel: Kernel, x: Tensor, width: int | None = None) -> Tensor:
    """Return the mean of k(x_i, x_j) over i != j; ValueError for a batch of one."""
    if len(x) < 2 or fit(x, x, width):
        return mean_off_diagonal(kernel(x, x))
    others = _in_blocks(lambda values, start: values.sum(dim=1) - values.diagonal(start), kernel, x, x, width)
    return (others / (len(x) - 1)).mean()


def unbiased_mmd(kernel: Kernel, x: Tensor, y: Tensor) -> Tensor:
    """Return the unbiased estimate of MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y).

    The pairs of a sample with itself are left out: its similarity to itself says nothing about the distribution. The
    estimate is therefore negative now and then, and differs when a batch is repeated.

    Raises:
        ValueError: for a batch of one, which has no pairs.
    """
    return mean_within(kernel, x) + mean_within(kernel, y) - 2 * mean_over_pairs(kernel, x, y)


def maxima(kernel: Kernel, x: Tensor, y: Tensor, width: int | None = None) -> tuple[Tensor, Tensor]:
    """Return max_j k(x_i, y_j), shape [B], and max_i k(x_i, y_j), shape [C], of a symmetric kernel."""
    if fit(x, y, width):
        values = kernel(x, y)
        return values.amax(dim=1), values.amax(dim=0)
    highest: Reduction = lambda values: values.amax(dim=1)  # noqa: E731 - reads as mathematics
    return over_rows(highest, kernel, x, y, width), over_rows(highest, kernel, y, x, width)


def share_above(a: Tensor, b: Tensor) -> Tensor:
    """Return the share of pairs with a_i > b_j, for a [B] and b [C], in float32. NaN is above and below nothing.

    Of rows [S, B] and [S, C] it is that of each pair of rows, [S].
    """
    if a.numel() * b.shape[-1] <= LIMIT:
        return (a[..., :, None] > b[..., None, :]).float().mean(dim=(-2, -1))
    if a.dim() > 1:
        return torch.stack([share_above(*rows) for rows in zip(a, b, strict=True)])
    return _wins(a, b).float() / (len(a) * len(b))


def mean_sign(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean sign of a_i - b_j over all pairs, for a [B] and b [C]. Where NaN is part of it, the sign is 0."""
    if len(a) * len(b) <= LIMIT:
        return (a[:, None] - b[None, :]).sign().mean()
    return (_wins(a, b) - _wins(b, a)).to(a.dtype) / (len(a) * len(b))


def _wins(a: Tensor, b: Tensor) -> Tensor:
    """Return the number of pairs with a_i > b_j, by the rank of each a among the sorted b."""
    ordered = torch.where(b.isnan(), torch.inf, b).sort().values  # above infinity there is nothing, as above NaN
    below = torch.searchsorted(ordered, a.contiguous())
    return torch.where(a.isnan(), 0, below).sum()


def _width(x: Tensor, width: int | None) -> int:
    return max(x.shape[1], _TERMS) if width is None else width


def _in_blocks(
    reduce: Callable[[Tensor, int], Tensor], kernel: Kernel, x: Tensor, y: Tensor, width: int | None
) -> Tensor:
    """Return reduce(values, index of the first row) of each block, joined."""
    rows = max(1, LIMIT // (len(y) * _width(x, width)))

    def from_row(start: int) -> "_Function":
        return lambda block, y: (reduce(kernel(block, y), start),)

    blocks = x.split(rows)
    return torch.cat([_Recomputed.apply(from_row(i * rows), block, y)[0] for i, block in enumerate(blocks)])


_Function = Callable[..., tuple[Tensor, ...]]


class _Recomputed(torch.autograd.Function):
    """A function of tensors that keeps nothing but its inputs; its backward pass is another one of the kind."""

    @staticmethod
    def forward(ctx: Any, function: _Function, *inputs: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401 - a FunctionCtx
        ctx.function = function
        ctx.save_for_backward(*inputs)
        # Backward passes run in whatever autocast their caller left on; a block has to be the same each time.
        kind = inputs[0].device.type
        plain = torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
        with plain:
            return function(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        wanted = ctx.needs_input_grad[1:]
        pulled = iter(_Recomputed.apply(_pullback(ctx.function, wanted), *gradients, *ctx.saved_tensors))
        return (None, *(next(pulled) if is_wanted else None for is_wanted in wanted))


def _pullback(function: _Function, wanted: tuple[bool, ...]) -> _Function:
    """Return the function (gradients by the outputs, inputs) -> gradients by the wanted inputs."""

    def pull(*tensors: Tensor) -> tuple[Tensor, ...]:
        count = len(wanted)
        gradients, inputs = tensors[:-count], tensors[-count:]
        differentiated = torch.is_grad_enabled()
        if not differentiated:
            # Cut off, so that inputs that are made of each other (a batch and a block of it) count as different ones.
            inputs = tuple(tensor.detach().requires_grad_(w) for tensor, w in zip(inputs, wanted, strict=True))
        with torch.enable_grad():
            outputs = function(*inputs)
        sought = [tensor for tensor, w in zip(inputs, wanted, strict=True) if w]
        # What is constant has no graph to go through, and no gradient.
        paired = [(out, g) for out, g in zip(outputs, gradients, strict=True) if out.requires_grad]
        if not paired:
            return tuple(torch.zeros_like(tensor) for tensor in sought)
        varying, given = zip(*paired, strict=True)
        return torch.autograd.grad(varying, sought, given, create_graph=differentiated, materialize_grads=True)

    return pull
