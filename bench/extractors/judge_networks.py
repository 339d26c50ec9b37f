"""torch-fidelity's CLIP and VGG16: their weights checked and loaded, and images turned into features.

Both resize images to 224x224 as TensorFlow 1 did, like torch-fidelity's Inception, and run in float32.
"""

import io
import warnings
from typing import BinaryIO, Final

import torch
from torch import Tensor, nn

from bench.config.judges import CLIP, VGG16
from bench.extractors.embedding import OnImages, color_batches
from bench.extractors.judge_weights import SOURCES
from bench.extractors.tensor_files import build
from bench.extractors.weight_files import Weights, verified

LAYERS: Final = {CLIP: "clip", VGG16: "fc2_relu"}
"""torch-fidelity's names of the features from which it computes all of its metrics by default."""

_BATCH: Final = 64
"""torch-fidelity's own: the last bits of features depend on it."""


def load(weights: Weights, device: torch.device) -> nn.Module:
    """Load a judge: uint8 [N, 3, H, W] -> (features [N, d],).

    Raises:
        ValueError: the file has changed since it was identified, or holds no weights of this network.
    """
    if weights.network == CLIP:
        return _clip(weights).to(device)
    return build(weights, SOURCES[weights.network], _vgg16).to(device)


def _clip(weights: Weights) -> nn.Module:
    """Load CLIP. To read its file may run what it holds, so that no other than the official one is read."""
    from torch_fidelity.feature_extractor_clip import FeatureExtractorCLIP

    source = SOURCES[CLIP]
    content = verified(weights)
    if not weights.official:
        raise ValueError(f"{weights.path} is not the official file of {CLIP}; {source.official_only}")
    try:
        with warnings.catch_warnings():
            # torch would rather have no TorchScript anymore; the official file is of 2021.
            warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit")
            network: nn.Module = FeatureExtractorCLIP(CLIP, [LAYERS[CLIP]], io.BytesIO(content))
    except (RuntimeError, AttributeError, LookupError) as error:
        raise ValueError(
            f"torch {torch.__version__} cannot read {weights.path}, the weights of {CLIP}, as TorchScript; "
            f"{source.how_to_get}"
        ) from error
    return network


def _vgg16(file: BinaryIO) -> nn.Module:
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

    network: nn.Module = FeatureExtractorVGG16(VGG16, [LAYERS[VGG16]], file)
    return network


@torch.no_grad()
def embed(
    network: nn.Module, name: str, images: Tensor, device: torch.device, on_images: OnImages | None = None
) -> Tensor:
    """Return a judge's features of uint8 images [N, 1 or 3, H, W], on the CPU. A gray image is repeated three times."""
    pieces = []
    for batch in color_batches(images, _BATCH, name):
        (features,) = network(batch.to(device))
        pieces.append(features.cpu())
        if on_images is not None:
            on_images(len(batch))
    return torch.cat(pieces)
