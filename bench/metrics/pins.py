"""The versions of everything a metric depends on. Importing it needs no torch, so that a plan can name them."""

import difflib
from dataclasses import dataclass
from typing import Final

VERSION: Final = "1"
"""Raised whenever any number a metric computes changes for the same samples."""


@dataclass(frozen=True)
class ExtractorPin:
    """A frozen network: its shape, and the SHA-256 of the file its weights are shipped in, or of generated weights."""

    widths: tuple[int, int, int]
    """Channels of the three convolutions."""
    features: int
    classes: int
    sha256: str
    generated: bool = False
    """The weights are drawn from a fixed random stream whenever they are needed; there is no file."""


EXTRACTORS: Final[dict[str, ExtractorPin]] = {
    "digits-cnn-v1": ExtractorPin(
        widths=(16, 32, 32),
        features=64,
        classes=10,
        sha256="ab39f48ed4b53d250ad5a92ec1393c0cdde9f3487ef6135a394b8240ab43a24b",
    ),
    "mnist-cnn-v1": ExtractorPin(
        widths=(24, 48, 96),
        features=128,
        classes=10,
        sha256="aed6b650f5a15c7a37dd0f9d8411d05886d6d71b274301cf71a1e6a8f73ae657",
    ),
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
    nearest = difflib.get_close_matches(name, EXTRACTORS, n=1, cutoff=0.4)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown extractor {name!r}{hint} (there are: {', '.join(EXTRACTORS)})")


def extractor_component(name: str) -> str:
    """Return the extractor's name and version as it is written into records: `digits-cnn-v1:ab12cd34ef56`."""
    return f"{name}:{extractor_pin(name).sha256[:12]}"
