"""The name, direction and needs of each metric, for tables and figures, without torch.

Metrics are described where they are defined (`bench.metrics.registry`). `python -m bench.metrics.registry` writes the
descriptions to `metrics.json`, which is read here.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from msgspec import Struct

from bench.config.judges import JUDGED_METRICS
from bench.config.protocol import AVERAGE

Unit = Literal["", "share", "nats", "count"]

MetricKind = Literal["measured", "constant", "summary"]
"""Measured on samples at every evaluation; known from the real data alone; or of a whole run, such as the best
distance.
"""

MetricInput = Literal[
    "features", "logits", "classes", "train", "test", "training_images", "modes", "points", "mixture",
    "inception", "clip", "vgg16",
]  # fmt: skip
"""What a metric is computed from.

- features, logits: the extractor's features and logits of the samples.
- classes: how often each mode occurs in the training part.
- train, test: the moments and features of the real training and test parts.
- training_images: the single training images, which a workload of random stacks does not have.
- modes: how many samples fell into each mode, which is a class or a component of a mixture.
- points, mixture: the samples of a toy, and the distribution that they should have.
- inception, clip, vgg16: a judge and its weights, which a run may do without. What needs it is measured once, after
  training.
"""


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The description of one number of a record."""

    name: str
    title: str
    unit: Unit
    higher_is_better: bool | None
    """None if neither direction is better."""
    summary: str
    bounds: tuple[float | None, float | None]
    """The smallest and the largest possible value; None for no bound."""
    version: str
    """Raised, together with `METRICS_VERSION`, when the metric gives another number for the same samples."""
    kind: MetricKind
    needs: tuple[MetricInput, ...]


def _read() -> Mapping[str, Metric]:
    content = files("bench.metrics").joinpath("metrics.json").read_bytes()
    return MappingProxyType({metric.name: metric for metric in msgspec.json.decode(content, type=list[Metric])})


CATALOGUE: Final = _read()
"""Every metric of the raw generator that a record can hold, by name. `about` also knows those of its average."""


def has_average(metric: Metric) -> bool:
    """Whether the metric is also measured on the generator's moving average at the end of a run.

    Metrics of the samples are, and so is the run's distance. Floors and ceilings are shared. Judges such as Inception
    measure the raw generator only.
    """
    return metric.name == "distance" or (metric.kind == "measured" and metric.name not in JUDGED_METRICS)


@lru_cache(maxsize=4096)
def about(name: str) -> Metric | None:
    """Return the description of a metric in a record; None if there is none.

    `ema_NAME` is NAME measured on the moving average of the generator's weights. Its description is made from NAME's.
    """
    own = CATALOGUE.get(name)
    raw = CATALOGUE.get(name.removeprefix(AVERAGE))
    if own is not None or raw is None or not has_average(raw):
        return own
    return msgspec.structs.replace(
        raw,
        name=name,
        title=f"EMA {raw.title}",
        summary=f"{raw.summary}; of the moving average of the generator's weights, at the end of the run",
        kind="summary",
    )
