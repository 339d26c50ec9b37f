"""The large networks that look at the images of a trial once, when it has ended, and the numbers that each gives.

A judge has seen photographs, its weights are a file of others, and a run may do without it: it is no part of a trial's
identity. A record names the weights of each judge that has looked at it by the first digits of their SHA-256. Inception
alone gives FID, KID and the Inception score; what is measured in the others is written with their names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from bench.config.protocol import INCEPTION, INCEPTION_METRICS, INCEPTION_SHA256

CLIP: Final = "clip-vit-b-32"
"""The image half of OpenAI's CLIP, as torch-fidelity runs it: 512 features."""

VGG16: Final = "vgg16"
"""torchvision's VGG16, as torch-fidelity runs it: 4,096 features, those after the second hidden layer's ReLU."""

JudgeKey = Literal["inception", "clip", "vgg16"]

_MEASURES: Final = ("fd", "fd_floor", "kd", "precision", "precision_ceiling", "recall", "recall_ceiling", "samples")


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A network that looks at the images of a trial."""

    name: str
    """As torch-fidelity has it."""
    key: JudgeKey
    """What its metrics need, and what names of costs and files begin with."""
    title: str
    """What people call it."""
    samples: str
    """The metric that says of how many images the others are."""
    metrics: frozenset[str]
    """All that it measures."""


def _beside_inception(name: str, key: JudgeKey, title: str) -> Judge:
    metrics = frozenset(f"{key}_{measure}" for measure in _MEASURES)
    return Judge(name=name, key=key, title=title, samples=f"{key}_samples", metrics=metrics)


BESIDE_INCEPTION: Final[Mapping[str, Judge]] = MappingProxyType(
    {CLIP: _beside_inception(CLIP, "clip", "CLIP"), VGG16: _beside_inception(VGG16, "vgg16", "VGG16")}
)
"""The judges that measure the same numbers, each in features of its own."""

JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        INCEPTION: Judge(
            name=INCEPTION,
            key="inception",
            title="Inception",
            samples="fid_samples",
            metrics=INCEPTION_METRICS,
        ),
        **BESIDE_INCEPTION,
    }
)

OFFICIAL_WEIGHTS: Final = {
    INCEPTION: INCEPTION_SHA256,
    CLIP: "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    VGG16: "397923af",
}
"""The SHA-256 of the official weights, or as many of its first digits as their publisher names."""

JUDGED_METRICS: Final = frozenset().union(*(judge.metrics for judge in JUDGES.values()))
"""What is measured by any of them: equal trials may differ in having it."""
