"""The frozen classifiers in whose features distances are measured, and whose classes are a data set's modes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.metrics import trained
from bench.metrics.pins import ExtractorPin, extractor_pin
from bench.metrics.random_features import RandomConvolutions
from bench.metrics.recipes import recipe_of

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The folder the shipped weights lie in, one safetensors file an extractor."""

_BATCH: Final = 240
"""Single channels in a batch: their activations fit into a processor's cache, which halves the time."""


class Classifier(nn.Module):
    """A small convolutional classifier of 32x32 images.

    A 5x5 convolution with stride two, two stages of 3x3 convolution and 2x2 max pooling, BatchNorm and ReLU in each;
    then one hidden layer with ReLU, whose output is the feature vector (so no feature is negative), and a linear
    layer to the logits.
    """

    def __init__(self, pin: ExtractorPin) -> None:
        super().__init__()
        first, second, third = pin.widths
        self.stages = nn.Sequential(
            *(nn.Conv2d(pin.channels, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
            *(nn.Conv2d(first, second, 3, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(second, third, 3, padding=1, bias=False), nn.BatchNorm2d(third), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.hidden = nn.Linear(third * 4 * 4, pin.features)
        self.output = nn.Linear(pin.features, pin.classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images in [-1, 1] [N, C, 32, 32] to features [N, d] and logits [N, k]."""
        features = functional.relu(self.hidden(self.stages(images).flatten(1)))
        return features, self.output(features)


class Extractor(nn.Module):
    """A frozen classifier of quantised images, applied to each channel, or to the colours of an image together.

    uint8 [N, C, 32, 32] -> (features [N, G d], logits [N, k], or [N, G, k] where G > 1), float32; G is how often the
    classifier's own channels go into C: 3 for a classifier of grey images on stacks of three, else 1.
    """

    def __init__(self, classifier: Classifier, channels: int = 1) -> None:
        super().__init__()
        self._channels = channels
        # Channels-last convolutions take half the time on a CPU.
        self.classifier = classifier.to(memory_format=torch.channels_last).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise ValueError(f"an extractor takes uint8 images [N, C, 32, 32], not {images.dtype} {[*images.shape]}")
        count, channels = images.shape[:2]
        if channels % self._channels:
            raise ValueError(f"an extractor of {self._channels} channels cannot read images of {channels}")
        groups = channels // self._channels
        single = images.reshape(count * groups, self._channels, *images.shape[2:])
        features, logits = self.classifier(single.float() / 127.5 - 1.0)
        shape = (count, groups, -1) if groups > 1 else (count, -1)
        return features.reshape(count, -1), logits.reshape(shape)


def load_extractor(
    name: str, device: torch.device | str = "cpu", folder: Path = WEIGHTS, *, data_hash: str = ""
) -> nn.Module:
    """Load a frozen extractor, after checking that its file, or what is generated instead of one, is the pinned one.

    Args:
        name: of the extractor.
        device: where it computes.
        folder: of the shipped weights.
        data_hash: the content hash of the data for which a classifier was trained that is not shipped.

    Raises:
        ValueError: there is no extractor of this name, or its file is missing or not the pinned one, or it is a
            classifier that is not trained yet.
    """
    pin = extractor_pin(name)
    if pin.generated:
        return RandomConvolutions(pin).to(device)
    weights = _trained_weights(name, data_hash) if pin.trained_here else _shipped_weights(name, folder)
    classifier = Classifier(pin)
    classifier.load_state_dict(weights)
    return Extractor(classifier, pin.channels).to(device)


def _trained_weights(name: str, data_hash: str) -> dict[str, Tensor]:
    found = trained.find(name, data_hash)
    if found is None:
        raise ValueError(f"{name} is not trained for this data yet: python -m bench prepare {recipe_of(name).workload}")
    return found.weights


def _shipped_weights(name: str, folder: Path) -> dict[str, Tensor]:
    pin = extractor_pin(name)
    path = folder / f"{name}.safetensors"
    mend = "reinstall the package: distances measured with other weights are not comparable"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"the weights of {name} cannot be read from {path} ({error}); {mend}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != pin.sha256:
        raise ValueError(
            f"{path} is not the pinned file of {name}: SHA-256 {found[:12]}..., expected {pin.sha256[:12]}...; {mend}"
        )
    return safetensors.torch.load(content)


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Yield images [N, ...] in slices of at most `size`."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


@torch.no_grad()
def embed(extractor: nn.Module, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the features and logits of many images [N, C, H, W], computed on `device` in batches of fixed size."""
    size = max(1, _BATCH // images.shape[1])
    pieces = [extractor(batch.to(device)) for batch in batches(images, size)]
    return torch.cat([features for features, _ in pieces]), torch.cat([logits for _, logits in pieces])
