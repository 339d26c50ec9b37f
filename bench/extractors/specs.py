"""What each extractor is: its shape, where its weights come from and their hash. It imports no torch, so that a plan
can name an extractor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from bench.common.names import did_you_mean

Source = Literal["file", "here", "drawn", "imagenet"]
"""Where weights come from.

- file: they are shipped with this package.
- here: a classifier is trained on the user's machine and data (`bench.extractors.on_demand`).
- drawn: they are drawn from a fixed random stream whenever they are needed.
- imagenet: they come with the extra `imagenet`.
"""

IMAGENET: Final = "efficientnet-lite0-p128"
JOINED: Final = "+"
"""Joins the components of the features and of the classifier where two networks look at the images."""


@dataclass(frozen=True, kw_only=True)
class ExtractorSpec:
    """A frozen network: its shape, and the SHA-256 of its weights where they are known in advance."""

    source: Source
    features: int
    classes: int
    widths: tuple[int, ...] = ()
    """Channels of the three convolutions of a classifier or a random network."""
    sha256: str = ""
    """Of the file or of the drawn weights. Empty for a classifier that is trained here: nobody knows its weights in
    advance.
    """
    channels: int = 1
    """How many channels of an image are read together. An image with more is read in groups of this size."""
    accuracy: float | None = None
    """The share of the test images that a shipped classifier puts into the right class."""

    @property
    def trained_here(self) -> bool:
        return self.source == "here"


EXTRACTORS: Final[dict[str, ExtractorSpec]] = {
    "digits-cnn-v1": ExtractorSpec(
        source="file",
        widths=(16, 32, 32),
        features=64,
        classes=10,
        sha256="ab39f48ed4b53d250ad5a92ec1393c0cdde9f3487ef6135a394b8240ab43a24b",
        accuracy=0.9972,
    ),
    "mnist-cnn-v1": ExtractorSpec(
        source="file",
        widths=(24, 48, 96),
        features=128,
        classes=10,
        sha256="aed6b650f5a15c7a37dd0f9d8411d05886d6d71b274301cf71a1e6a8f73ae657",
        accuracy=0.995,
    ),
    "fashion-cnn-v1": ExtractorSpec(source="here", widths=(24, 48, 96), features=128, classes=10),
    "cifar10-cnn-v1": ExtractorSpec(source="here", widths=(32, 64, 128), features=128, classes=10, channels=3),
    "random-conv-v1": ExtractorSpec(
        source="drawn",
        widths=(32, 64, 128),
        features=128,
        classes=0,
        sha256="445f9f59f089201664d8fe7475749577a208bef129d0eabc8cb829ae9a845aac",
    ),
    IMAGENET: ExtractorSpec(
        source="imagenet",
        features=128,
        classes=0,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
}


def extractor_spec(name: str) -> ExtractorSpec:
    """Return the specification of an extractor.

    Raises:
        ValueError: there is none of this name. The message gives the nearest one.
    """
    if name in EXTRACTORS:
        return EXTRACTORS[name]
    raise ValueError(f"unknown extractor {name!r}{did_you_mean(name, EXTRACTORS)}; there are {', '.join(EXTRACTORS)}")


def extractor_component(name: str) -> str:
    """Return the name and version of an extractor as records have them, such as `digits-cnn-v1:ab12cd34ef56`.

    The weights' hash must be known in advance; `bench.extractors.classifier_store.identity_of` knows all extractors.
    """
    spec = extractor_spec(name)
    assert not spec.trained_here, f"{name} is known by the weights that were trained: ask classifier_store"
    return f"{name}:{spec.sha256[:12]}"


def features_of(components: Mapping[str, str]) -> Literal["imagenet", "own"]:
    """Return how a suite's key `features` asks for what a record of photographs was measured in."""
    return "imagenet" if IMAGENET in extractor_names(components.get("extractor", "")) else "own"


def extractor_names(component: str) -> list[str]:
    """Return the names in the component `extractor` of a record: of the features, then of the classifier if it is
    another network. It is empty where a record has none.
    """
    return [part.partition(":")[0] for part in component.split(JOINED) if part]
