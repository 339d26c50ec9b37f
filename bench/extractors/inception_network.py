"""torch-fidelity's Inception: its weights checked and loaded, and images turned into features and logits.

The network has the weights of TensorFlow's graph of 2015-12-05 and its resizing to 299x299. Convolutions run
channels-last in float32, which changes the last bits of a feature and takes two thirds of the time on a CPU.
"""

from typing import BinaryIO, Final

import torch
from torch import Tensor, nn

from bench.config.protocol import INCEPTION
from bench.extractors.embedding import OnImages, color_batches
from bench.extractors.inception_weights import source
from bench.extractors.tensor_files import build
from bench.extractors.weight_files import Weights

LAYERS: Final = ("2048", "logits_unbiased")
"""torch-fidelity's names of what FID and KID, and of what the Inception score is computed from."""

_BATCH: Final = 64
"""torch-fidelity's own: the last bits of features depend on it."""


def load(weights: Weights, device: torch.device) -> nn.Module:
    """Load torch-fidelity's Inception: uint8 [N, 3, H, W] -> (features [N, 2048], unbiased logits [N, 1008]).

    Raises:
        ValueError: the file has changed since it was identified, or holds no weights of this network.
    """
    network = build(weights, source(), _made)
    return network.to(device).to(memory_format=torch.channels_last)


def _made(file: BinaryIO) -> nn.Module:
    # Imported here: it takes seconds, and only runs with Inception need it.
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network: nn.Module = FeatureExtractorInceptionV3(INCEPTION, list(LAYERS), feature_extractor_weights_path=file)
    return network


@torch.no_grad()
def embed(
    network: nn.Module, images: Tensor, device: torch.device, on_images: OnImages | None = None
) -> tuple[Tensor, Tensor]:
    """Return Inception's features and unbiased logits of uint8 images [N, 1 or 3, H, W], on the CPU.

    A gray image is repeated as three channels.
    """
    pieces = []
    for batch in color_batches(images, _BATCH, "Inception"):
        features, logits = network(batch.to(device))
        pieces.append((features.cpu(), logits.cpu()))
        if on_images is not None:
            on_images(len(batch))
    return torch.cat([features for features, _ in pieces]), torch.cat([logits for _, logits in pieces])
