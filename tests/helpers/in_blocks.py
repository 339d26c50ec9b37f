"""The same numbers with and without blocks: value, gradient and second derivative of a function of two batches."""

from collections.abc import Callable

import pytest
import torch
from tensor_memory import TensorMemory
from torch import Tensor

from losses import pairs

LIMIT = 80
"""Of 7 rows against as many or against 5, in 4 dimensions: blocks of two rows or of three, and a smaller last one."""


def batches(first: int = 7, second: int = 7, size: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, size, generator=generator, dtype=torch.float64) for n in (first, second))
    return x.requires_grad_(), (y + 0.3).requires_grad_()


def derivatives(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> list[Tensor]:
    """Return the function, its gradient, and the gradient of a sum of products with that gradient."""
    value = function(x, y)
    directions = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).reshape(value.shape)
    first = torch.autograd.grad(value, (x, y), directions + 2, create_graph=True, materialize_grads=True)
    weighted = sum((g * torch.sin(1 + g.detach() + t)).sum() for g, t in zip(first, (x, y), strict=True))
    second = torch.autograd.grad(weighted, (x, y), materialize_grads=True)
    return [value.detach(), *(g.detach() for g in first), *second]


def check(function: Callable[[Tensor, Tensor], Tensor], monkeypatch: pytest.MonkeyPatch, *sizes: int) -> None:
    """Check that a function has in blocks what it has without, and that there are blocks."""
    x, y = batches(*sizes)
    plain, blocks = TensorMemory(), TensorMemory()
    with plain:
        expected = derivatives(function, x, y)
    with monkeypatch.context() as patch, blocks:
        patch.setattr(pairs, "LIMIT", LIMIT)
        found = derivatives(function, x, y)
    assert plain.largest > LIMIT
    assert blocks.largest <= LIMIT
    assert max(each.abs().max() for each in expected[3:]) > 1e-6, "the function has curvature"
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-13)
