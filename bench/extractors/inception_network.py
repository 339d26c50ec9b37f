"""torch-fidelity's Inception: its weights checked and loaded, and images turned into features and logits.

The network has the weights of TensorFlow's graph of 2015-12-05 and its resizing to 299x299. Convolutions run
channels-last in float32, which changes the last bits of a feature and takes two thirds of the time on a CPU.
"""

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from bench.config.protocol import INCEPTION
from bench.extractors.embedding import batches
from bench.extractors.inception_weights import HOW_TO_GET, Weights
from bench.files.regular import UnusableFileError, read_regular

OnImages = Callable[[int], None]
"""Called with how many more images have gone through Inception."""

LAYERS: Final = ("2048", "logits_unbiased")
"""torch-fidelity's names of what FID and KID, and of what the Inception score is computed from."""

_BATCH: Final = 64
"""torch-fidelity's own: the last bits of features depend on it."""

_LARGEST_WEIGHTS: Final = 2**30
"""Bytes of a file of weights. The official one has a tenth of it."""


def load(weights: Weights, device: torch.device) -> nn.Module:
    """Load torch-fidelity's Inception: uint8 [N, 3, H, W] -> (features [N, 2048], unbiased logits [N, 1008]).

    Raises:
        ValueError: the file has changed since it was identified, or holds no weights of this network.
    """
    content = verified(weights)
    try:
        # First without running anything that a file of unknown origin may hold; torch-fidelity would run it.
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        TypeError,
        AttributeError,
        ValueError,
        LookupError,
    ) as error:
        raise ValueError(
            f"{weights.path} holds no weights of {INCEPTION}: it is cut short, or no file of tensors; {HOW_TO_GET}"
        ) from error
    try:
        # Imported here: it takes seconds, and only runs with Inception need it.
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        network: nn.Module = FeatureExtractorInceptionV3(
            INCEPTION, list(LAYERS), feature_extractor_weights_path=io.BytesIO(content)
        )
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{weights.path} holds no weights of {INCEPTION}: names or shapes of its tensors are others; {HOW_TO_GET}"
        ) from error
    return network.to(device).to(memory_format=torch.channels_last)


def verified(weights: Weights) -> bytes:
    """Return the content of the file.

    Raises:
        ValueError: it cannot be read, or is not what it was when it was identified.
    """
    try:
        content = read_regular(Path(weights.path), largest=_LARGEST_WEIGHTS)
    except UnusableFileError as error:
        raise ValueError(f"the Inception weights {weights.path} {error}") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != weights.sha256:
        raise ValueError(
            f"{weights.path} has changed since the run began: SHA-256 {actual[:12]}..., it was {weights.label}...; "
            "run the same command again"
        )
    return content


@torch.no_grad()
def embed(
    network: nn.Module, images: Tensor, device: torch.device, on_images: OnImages | None = None
) -> tuple[Tensor, Tensor]:
    """Return Inception's features and unbiased logits of uint8 images [N, 1 or 3, H, W], on the CPU.

    A gray image is repeated as three channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"Inception takes uint8 images [N, 1 or 3, H, W], not {images.dtype} {[*images.shape]}")
    pieces = []
    for batch in batches(images, _BATCH):
        features, logits = network(batch.to(device).expand(-1, 3, -1, -1))
        pieces.append((features.cpu(), logits.cpu()))
        if on_images is not None:
            on_images(len(batch))
    return torch.cat([features for features, _ in pieces]), torch.cat([logits for _, logits in pieces])
