"""Finite differences of functions of many numbers, along few directions."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

DIRECTIONS = 16


def derivatives_agree(function: Callable[..., Tensor], points: Sequence[Tensor], **tolerance: float) -> bool:
    """Hold the gradient by every input to central differences, and raise what `gradcheck` raises where it is wrong.

    Up to `DIRECTIONS` numbers of an input are moved one by one. More are moved in as many groups, each along a random
    direction of its own: every number is in one of them.
    """
    ways = [_ways(point) for point in points]

    def along(*lengths: Tensor) -> Tensor:
        moved = ((length @ way).reshape(point.shape) for point, length, way in zip(points, lengths, ways, strict=True))
        return function(*(point.detach() + step for point, step in zip(points, moved, strict=True)))

    at_rest = tuple(torch.zeros(len(way), dtype=way.dtype, requires_grad=True) for way in ways)
    return torch.autograd.gradcheck(along, at_rest, **tolerance)


def _ways(point: Tensor) -> Tensor:
    """Return directions [directions, numbers], each number in exactly one."""
    count = point.numel()
    groups = torch.arange(count) % DIRECTIONS
    members = groups == torch.arange(min(DIRECTIONS, count))[:, None]
    if count <= DIRECTIONS:
        return members.to(point.dtype)
    return members * torch.randn(count, generator=torch.Generator().manual_seed(count), dtype=point.dtype)
