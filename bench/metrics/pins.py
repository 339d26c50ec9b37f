"""The versions of everything a metric depends on. Importing it needs no torch, so that a plan can name them."""

from dataclasses import dataclass
from typing import Final

from bench.common.names import did_you_mean

VERSION: Final = "2"
"""Raised whenever any number a metric computes changes for the same samples."""


@dataclass(frozen=True)
class ExtractorPin:
    """A frozen network: its shape, and the SHA-256 of the file its weights are shipped in, or of generated weights."""

    widths: tuple[int, int, int]
    """Channels of the three convolutions."""
    features: int
    classes: int
    sha256: str = ""
    """Empty where the weights are trained on the user's machine (`bench.metrics.trained`): nobody knows them before."""
    channels: int = 1
    """How many channels of an image are read together; an image with more is read in groups of as many."""
    accuracy: float | None = None
    """The share of the test images whose class a shipped classifier gets right."""
    generated: bool = False
    """The weights are drawn from a fixed random stream whenever they are needed; there is no file."""

    @property
    def trained_here(self) -> bool:
        """Whether no weights are shipped, and a classifier is trained on the data of whoever wants it."""
        return not self.sha256


EXTRACTORS: Final[dict[str, ExtractorPin]] = {
    "digits-cnn-v1": ExtractorPin(
        widths=(16, 32, 32),
        features=64,
        classes=10,
        sha256="ab39f48ed4b53d250ad5a92ec1393c0cdde9f3487ef6135a394b8240ab43a24b",
        accuracy=0.9972,
    ),
    "mnist-cnn-v1": ExtractorPin(
        widths=(24, 48, 96),
        features=128,
        classes=10,
        sha256="aed6b650f5a15c7a37dd0f9d8411d05886d6d71b274301cf71a1e6a8f73ae657",
        accuracy=0.995,
    ),
    "fashion-cnn-v1": ExtractorPin(widths=(24, 48, 96), features=128, classes=10),
    "cifar10-cnn-v1": ExtractorPin(widths=(32, 64, 128), features=128, classes=10, channels=3),
    "random-conv-v1": ExtractorPin(
        widths=(32, 64, 128),
        features=128,
        classes=0,
        sha256="445f9f59f089201664d8fe7475749577a208bef129d0eabc8cb829ae9a845aac",
        generated=True,
    ),
}


def extractor_pin(name: str) -> ExtractorPin:
    """Return what is pinned for an extractor; raise ValueError naming the nearest one if there is none."""
    if name in EXTRACTORS:
        return EXTRACTORS[name]
    raise ValueError(f"unknown extractor {name!r}{did_you_mean(name, EXTRACTORS)}; there are {', '.join(EXTRACTORS)}")


def extractor_component(name: str) -> str:
    """Return the name and version of an extractor as they are written into records: `digits-cnn-v1:ab12cd34ef56`.

    Of those whose weights are pinned; `bench.metrics.trained.known` knows the others too.
    """
    pin = extractor_pin(name)
    assert not pin.trained_here, f"{name} is known by the weights that were trained: ask bench.metrics.trained"
    return f"{name}:{pin.sha256[:12]}"
