"""The small classifiers whose features distances are measured in, and whose classes are the modes of a data set."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.extractors.specs import ExtractorSpec


class Classifier(nn.Module):
    """A small convolutional classifier of 32x32 images.

    A 5x5 convolution with stride two, then two stages of 3x3 convolution and 2x2 max pooling, each with BatchNorm and
    ReLU. One hidden layer with ReLU gives the features, so none is negative. A linear layer gives the logits.
    """

    def __init__(self, spec: ExtractorSpec) -> None:
        super().__init__()
        first, second, third = spec.widths
        self.stages = nn.Sequential(
            *(nn.Conv2d(spec.channels, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.ReLU()),
            *(nn.Conv2d(first, second, 3, padding=1, bias=False), nn.BatchNorm2d(second), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(second, third, 3, padding=1, bias=False), nn.BatchNorm2d(third), nn.ReLU(), nn.MaxPool2d(2)),
        )
        self.hidden = nn.Linear(third * 4 * 4, spec.features)
        self.output = nn.Linear(spec.features, spec.classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images in [-1, 1] [N, C, 32, 32] to features [N, d] and logits [N, k]."""
        features = functional.relu(self.hidden(self.stages(images).flatten(1)))
        return features, self.output(features)


class ClassifierExtractor(nn.Module):
    """A frozen classifier of uint8 images, which reads an image in groups of channels.

    uint8 [N, C, 32, 32] -> (features [N, G d], logits [N, k], or [N, G, k] where G > 1), float32. G is C divided by the
    classifier's own channels: 3 for a classifier of gray images on stacks of three, 1 otherwise.
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
