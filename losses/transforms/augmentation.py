"""Random changes of every image that the discriminator is shown, and the pieces that augmentations share.

Legend: B, C, H, W = batch, channels, height and width; u = draws from U[0, 1), one row a sample; a number a sample is
[B], and `each` shapes it [B, 1, 1, 1] to act on images.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from losses.context import Context
from losses.hyperparameters import parameter
from losses.numerics import in_full_precision
from losses.parts import InputTransform
from losses.pixel_shifts import eighth, shifted, whole_moves, whole_numbers
from losses.registry import register
from losses.types import Need, Role


@final
@register("diffaug")
@dataclass(frozen=True)
class DiffAug(InputTransform):
    """Differentiable augmentation: the discriminator sees real and fake images under the same random changes.

    Every image has draws of its own; those of a group that is switched off are made all the same, so that the others
    stay what they were. Pixels that a translation uncovers and those of the hole are 0, the middle gray. Nothing is
    clipped to [-1, 1]. With one channel the saturation changes nothing.

    Formula:
        color: x <- x + U[-1/2, 1/2);  x <- m_c + U[0, 2) (x - m_c);  x <- m + U[1/2, 3/2) (x - m)
        translation: by whole pixels, equally likely from -1/8 to 1/8 of each side (rounded), zeros moving in
        cutout: a hole of half of each side (rounded up) with its center anywhere in the image is set to 0
        m_c is the mean over the channels at a pixel, m the mean of the whole image

    Parameters:
        color: whether brightness, saturation and contrast are changed, in this order.
        translation: whether the image is moved.
        cutout: whether a hole is cut.

    BatchNorm:
        ok: an image is changed by its own draws and its own mean.

    Source:
        Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training, NeurIPS 2020, arXiv:2006.10738; the
        ranges are those of the authors' code.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"image_shape"})
    color: bool = parameter(True)
    translation: bool = parameter(True)
    cutout: bool = parameter(True)

    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        batch, _, height, width = check_images(self.name, images)
        brightness, saturation, contrast, *position_draws = context.uniform(batch, 7, like=precise(images)).unbind(1)
        if self.color:
            images = images + per_sample(brightness - 0.5, images)
            images = saturated(images, 2 * saturation)
            mean = images.mean(dim=(1, 2, 3), keepdim=True)
            images = mean + per_sample(contrast + 0.5, images) * (images - mean)
        if self.translation:
            images = shifted(
                images, whole_moves(position_draws[0], eighth(width)), whole_moves(position_draws[1], eighth(height))
            )
        if self.cutout:
            columns, rows = _hole(position_draws[2], width), _hole(position_draws[3], height)
            hole = rows[:, None, :, None] & columns[:, None, None, :]
            images = torch.where(hole, torch.zeros_like(images), images)
        return images


def check_images(name: str, images: Tensor) -> torch.Size:
    """Return the shape [B, C, H, W]; ValueError for anything that has no pixels."""
    if images.dim() != 4:
        raise ValueError(f"{name} changes pixels: expected images [B, C, H, W], got {tuple(images.shape)}")
    return images.shape


def precise(images: Tensor) -> Tensor:
    """Return a zero for draws to be like: on the images' device, but in no half precision, which draws coarsely."""
    return in_full_precision(images.new_zeros(()))


def per_sample(number: Tensor, images: Tensor) -> Tensor:
    """Shape one number a sample [B] to act on the images, in their precision."""
    return number[:, None, None, None].to(images.dtype)


def saturated(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply each pixel's distance from the gray of its own brightness by the sample's factor [B]."""
    gray = images.mean(dim=1, keepdim=True)
    return gray + per_sample(factor, images) * (images - gray)


def turned(images: Tensor, quarters: Tensor) -> Tensor:
    """Turn each square image by its number of quarter turns, int64 [B], from 0 to 3, without any interpolation."""
    result = images
    for count in (1, 2, 3):
        result = torch.where((quarters == count)[:, None, None, None], images.rot90(count, (2, 3)), result)
    return result


def scaled_and_rotated(images: Tensor, scale: Tensor, angle: Tensor) -> Tensor:
    """Magnify each image by its scale and rotate it counter-clockwise by its angle [B], about its center.

    Pixels are interpolated bilinearly between the four around the place they come from; outside the image is 0. This is
    written out because torch's `grid_sample` cannot be differentiated twice.
    """
    height, width = images.shape[2:]
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2
    y = torch.arange(height, device=images.device, dtype=angle.dtype)[:, None] - middle_y
    x = torch.arange(width, device=images.device, dtype=angle.dtype)[None, :] - middle_x
    cosine, sine = ((turn / scale)[:, None, None] for turn in (angle.cos(), angle.sin()))
    # Rows are counted downwards, which is why a counter-clockwise turn has these signs.
    source_x = cosine * x - sine * y + middle_x
    source_y = sine * x + cosine * y + middle_y
    left, top = source_x.floor(), source_y.floor()
    pixels = images.flatten(2)
    result = torch.zeros_like(pixels)
    for column, across in ((left, left + 1 - source_x), (left + 1, source_x - left)):
        for row, down in ((top, top + 1 - source_y), (top + 1, source_y - top)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
            corner = picked(pixels, index.long().flatten(1))
            result = result + (across * down * inside).flatten(1)[:, None].to(images.dtype) * corner
    return result.reshape(images.shape)


def picked(pixels: Tensor, index: Tensor) -> Tensor:
    """Return the pixels that an index [B, N] names, of pixels [B, C, HW], in all channels.

    Their gradient sums what was named twice. On CUDA that of `gather` does so in the order in which threads arrive, so
    that two runs differ; that of an index sorts first. On the CPU either has one order, and `gather` is faster.
    """
    if pixels.device.type != "cpu":
        return indexed(pixels, index)
    return pixels.gather(2, index[:, None].expand(*pixels.shape[:2], index.shape[1]))


def indexed(pixels: Tensor, index: Tensor) -> Tensor:
    """Return what `picked` returns, with a gradient that is the same from run to run on any device."""
    rows = torch.arange(len(pixels), device=pixels.device)[:, None]
    return pixels.transpose(1, 2)[rows, index].transpose(1, 2)


def _hole(u: Tensor, side: int) -> Tensor:
    """Return which of the lines 0 to side - 1 a hole of half the side covers, [B, side]; it may stand out."""
    size = math.ceil(side / 2)
    centers = side + 1 - size % 2  # so many places for the center make the hole symmetric about the image
    first = (whole_numbers(u, centers) - size // 2)[:, None]
    lines = torch.arange(side, device=u.device)
    return (lines >= first) & (lines < first + size)
