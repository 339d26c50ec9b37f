"""`random-conv-v1`: a convolutional network whose weights are random and fixed, for data without a classifier.

It has never seen an image. Random convolutions respond to colors, edges and textures, and to where these are. So a
distance in their features detects noise, blur, wrong colors and missing kinds of images. It does not detect wrong
objects: nonsense with the statistics of a good image is as good. Compare its numbers only within one table. It needs no
labels and no download, and is the same on every machine.
"""

import hashlib
import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench.data import streams
from bench.extractors.specs import ExtractorSpec

_CHANNELS: Final = 3
_CELLS: Final = 4
"""The last stage is averaged over 4x4 cells of the image, whatever its size."""
_BITS: Final = 24
_GAIN: Final = 10.0
"""Scales distances to a size that is easy to read. It does not change their order."""


def weights(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw the weights of one layer, [outputs, inputs, ...]: uniform, variance 2 / fan-in, each output's mean 0.

    Weights of mean 0 make an output respond to differences only. Otherwise every layer would mostly repeat the mean
    brightness of the layer before. Everything but the last rounding is done in integers, so that the bits do not depend
    on the machine.
    """
    outputs, fan_in = shape[0], math.prod(shape[1:])
    drawn = streams.integers(f"random-conv-v1/{name}", outputs * fan_in, 1 << _BITS).reshape(outputs, fan_in)
    centered = drawn * fan_in - drawn.sum(axis=1, keepdims=True)
    # A uniform number below 2^24 has the variance 2^48 / 12.
    scale = math.sqrt(2.0 / fan_in * 12.0) / 2.0**_BITS / fan_in
    scaled: NDArray[np.float32] = (centered * scale).astype(np.float32).reshape(shape)
    return scaled


class RandomConvolutions(nn.Module):
    """Map uint8 images [N, 1 or 3, H, W] to features [N, 128], float32, and to no logits: [N, 0].

    A 5x5 convolution with stride two, then two 3x3 convolutions with average pooling, each with ReLU. The result is
    averaged over 4x4 cells, and a random matrix maps it to 128 features. Gray images are repeated as three channels.
    """

    def __init__(self, spec: ExtractorSpec) -> None:
        super().__init__()
        first, second, third = spec.widths
        shapes = {
            "first": (first, _CHANNELS, 5, 5),
            "second": (second, first, 3, 3),
            "third": (third, second, 3, 3),
            "mixing": (spec.features, third * _CELLS**2),
        }
        digest = hashlib.sha256()
        for name, shape in shapes.items():
            drawn = weights(name, shape)
            digest.update(f"{name} {shape}\n".encode() + drawn.astype("<f4").tobytes())
            self.register_buffer(name, torch.from_numpy(drawn))
        actual = digest.hexdigest()
        if actual != spec.sha256:
            raise ValueError(
                f"the random weights drawn here are not the pinned ones: SHA-256 {actual[:12]}..., expected "
                f"{spec.sha256[:12]}...; distances measured with others are not comparable. Reinstall numpy"
            )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, _CHANNELS):
            raise ValueError(
                f"random-conv-v1 takes uint8 images [N, 1 or 3, H, W], not {images.dtype} {[*images.shape]}"
            )
        color = (images.float() / 127.5 - 1.0).expand(-1, _CHANNELS, -1, -1)
        hidden = functional.conv2d(color, self.get_buffer("first"), stride=2, padding=2).relu()
        hidden = functional.avg_pool2d(functional.conv2d(hidden, self.get_buffer("second"), padding=1).relu(), 2)
        hidden = functional.conv2d(hidden, self.get_buffer("third"), padding=1).relu()
        cells = functional.adaptive_avg_pool2d(hidden, _CELLS).flatten(1)
        features = _GAIN * (cells @ self.get_buffer("mixing").T)
        return features, features.new_empty((len(features), 0))
