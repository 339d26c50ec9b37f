"""Files of weights for torch-fidelity's CLIP and VGG16, laid out as the real ones: random, of small networks."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.config.judges import CLIP, OFFICIAL_WEIGHTS, VGG16

CLIP_SIZE = 48
"""Pixels of the images that the small CLIP sees: nine patches of 16."""


class _Clip(nn.Module):
    """What OpenAI's file holds: the half that sees images, and what belongs to the other half."""

    def __init__(self, visual: nn.Module, outputs: int) -> None:
        super().__init__()
        self.visual = visual
        self.positional_embedding = nn.Parameter(torch.zeros(4, 8))
        self.text_projection = nn.Parameter(torch.zeros(8, outputs))
        self.logit_scale = nn.Parameter(torch.zeros(()))
        self.token_embedding = nn.Embedding(5, 8)
        self.ln_final = nn.LayerNorm(8)
        self.transformer = nn.Linear(8, 8)
        for name in ("input_resolution", "context_length", "vocab_size"):
            self.register_buffer(name, torch.tensor(4))

    def forward(self, images: Tensor) -> Tensor:
        return images


def write_clip(path: Path, *, width: int = 64, layers: int = 2, patch: int = 16, grid: int = 3, out: int = 24) -> Path:
    """Write a TorchScript archive with weights in half precision, as OpenAI did."""
    from torch_fidelity.feature_extractor_clip import CLIPVisual, convert_weights

    with torch.random.fork_rng():
        torch.manual_seed(7)
        visual = CLIPVisual(out, patch * grid, layers, width, patch).visual
        whole = _Clip(visual, out)
    with torch.no_grad():
        whole.visual.proj.mul_(4.0)
    convert_weights(whole)
    with ignoring_torchscript():
        torch.jit.save(torch.jit.trace(whole, torch.zeros(1)), path)
    return path


@contextmanager
def ignoring_torchscript() -> Iterator[None]:
    """torch-fidelity reads TorchScript, about which torch warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*torch.jit")
        yield


class SmallVGG(nn.Module):
    """The parts of torchvision's VGG16 under their names, with few channels."""

    def __init__(self, channels: int = 8, hidden: int = 40) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for _ in range(5):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = channels
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        head = [nn.Linear(4 * channels, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, hidden)]
        self.classifier = nn.Sequential(*head, nn.ReLU(), nn.Dropout(), nn.Linear(hidden, 10))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.avgpool(self.features(images))
        return self.classifier(maps.flatten(1))


def write_vgg16(path: Path, network: nn.Module | None = None, seed: int = 11) -> Path:
    """Write the state of a network, as torchvision did."""
    network = SmallVGG() if network is None else network
    rng = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=rng)
            nn.init.normal_(layer.bias, std=0.1, generator=rng)
    torch.save(network.state_dict(), path)
    return path


WRITERS = {CLIP: write_clip, VGG16: write_vgg16}


def make_official(patch: pytest.MonkeyPatch, name: str, path: Path) -> None:
    """Let a file be the official one."""
    patch.setitem(OFFICIAL_WEIGHTS, name, hashlib.sha256(path.read_bytes()).hexdigest())


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Let VGG16 be the small network, also for torch-fidelity, and let it see images of 64x64."""
    from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16

    patch.setattr("torchvision.models.vgg16", SmallVGG)
    patch.setattr(FeatureExtractorVGG16, "INPUT_IMAGE_SIZE", 64)
