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

JudgeKey = Literal["clip", "vgg16"]

_MEASURES: Final = ("fd", "fd_floor", "kd", "precision", "precision_ceiling", "recall", "recall_ceiling", "samples")


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A judge beside Inception."""

    name: str
    """As torch-fidelity has it."""
    key: JudgeKey
    """What its metrics need, and what their names begin with."""
    title: str

    @property
    def samples(self) -> str:
        """The metric that says of how many images the others are."""
        return f"{self.key}_samples"

    @property
    def metrics(self) -> frozenset[str]:
        return frozenset(f"{self.key}_{measure}" for measure in _MEASURES)


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        CLIP: Judge(name=CLIP, key="clip", title="CLIP"),
        VGG16: Judge(name=VGG16, key="vgg16", title="VGG16"),
    }
)


def judge_key(name: str) -> str:
    """Return the short name of a judge, Inception too, as names of metrics and costs begin with it."""
    return JUDGES[name].key if name in JUDGES else "inception"


def judge_title(name: str) -> str:
    """Return what people call a judge, Inception too."""
    return JUDGES[name].title if name in JUDGES else "Inception"


def samples_metric(name: str) -> str:
    """Return the metric that says of how many images a judge's other numbers are, Inception's too."""
    return JUDGES[name].samples if name in JUDGES else "fid_samples"


OFFICIAL_WEIGHTS: Final = {
    INCEPTION: INCEPTION_SHA256,
    CLIP: "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    VGG16: "397923af",
}
"""The SHA-256 of the official weights, or as many of its first digits as their publisher names."""

METRICS_OF: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {INCEPTION: INCEPTION_METRICS, **{name: judge.metrics for name, judge in JUDGES.items()}}
)
"""What each judge measures, Inception too."""

JUDGED_METRICS: Final = frozenset().union(*METRICS_OF.values())
"""What is measured by any of them: equal trials may differ in having it."""
