"""What the engine derives from the evaluations of a whole run: described here, computed by the trainer."""

from typing import Final

from bench.metrics.catalogue import MetricInput
from bench.metrics.registry import describe

_NEEDS: Final[dict[str, tuple[str, str, tuple[MetricInput, ...]]]] = {
    "fd": ("FD", "FD", ("features", "train")),
    "sliced_w2": ("sliced W2", "Sliced W2", ("points", "mixture")),
    "distance": ("distance", "Primary distance", ()),
}
"""The title, the name that begins a sentence and the needs of each distance a run is judged by."""

describe(
    "distance",
    "distance",
    "The workload's primary distance: FD for images, sliced W2 for toys",
    needs=(),
    higher_is_better=False,
    bounds=(0.0, None),
)
describe(
    "distance_floor",
    "distance floor",
    "The primary distance of as many fresh real samples",
    needs=(),
    higher_is_better=None,
    bounds=(0.0, None),
    version="2",
)
for _name, (_title, _words, _needs) in _NEEDS.items():
    describe(
        f"{_name}_init",
        f"{_title} untrained",
        f"{_words} of the untrained generator",
        needs=_needs,
        higher_is_better=None,
        bounds=(0.0, None),
    )
    describe(
        f"{_name}_best",
        f"{_title} best",
        f"{_words}: the smallest of any evaluation",
        needs=_needs,
        higher_is_better=False,
        bounds=(0.0, None),
    )
