"""Mirroring and moving images by whole pixels, each image by its own amount, differentiable to any order.

Legend: B, H, W = batch, height and width; l = the longest way an image may move, in pixels.
"""

import torch
from torch import Tensor


def flipped(images: Tensor, chosen: Tensor) -> Tensor:
    """Return the images [B, C, H, W] with left and right swapped where `chosen` [B] is true."""
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def shifted(images: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Return image i of [B, C, H, W] moved dx[i] pixels to the right and dy[i] down; what is uncovered is 0.

    `dx` and `dy` are whole numbers, int64 [B]; a move of the whole side or more leaves nothing.
    """
    return _moved(_moved(images, dy, 2), dx, 3)


def eighth(side: int) -> int:
    """Return an eighth of a side in whole pixels, rounded half up: the longest move that augmentations make."""
    return (side + 4) // 8


def whole_numbers(uniform: Tensor, count: int) -> Tensor:
    """Turn draws from U[0, 1) into equally likely whole numbers from 0 to count - 1, int64."""
    return (uniform * count).long().clamp(max=count - 1)  # rounding may carry the largest draw to the excluded end


def whole_moves(uniform: Tensor, longest: int) -> Tensor:
    """Turn draws from U[0, 1) into equally likely whole numbers from -l to l, int64."""
    return whole_numbers(uniform, 2 * longest + 1) - longest


def _moved(images: Tensor, by: Tensor, dim: int) -> Tensor:
    size = images.shape[dim]
    line = [size if axis == dim else 1 for axis in range(4)]
    origin = torch.arange(size, device=images.device).view(line) - by[:, None, None, None]
    inside = (origin >= 0) & (origin < size)
    # A gather never reads outside: the places that nothing moved to read the edge and are blanked.
    taken = images.gather(dim, origin.clamp(0, size - 1).expand(images.shape))
    return torch.where(inside, taken, torch.zeros((), dtype=images.dtype, device=images.device))
