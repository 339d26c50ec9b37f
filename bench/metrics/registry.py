"""The registry of metrics: every function that a module of `bench.metrics.measures` declares with a decorator.

A metric is a function of the samples (`ImageSamples` or `PointSamples`), a constant one of the real data (`RealImages`
or `RealPoints`). Its name is the function's, its summary the first line of the docstring. `list` reads the descriptions
without torch from `metrics.json`, which `python -m bench.metrics.registry` writes.
"""

import functools
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from bench.config.workload import Workload
from bench.extractors.specs import extractor_spec
from bench.extractors.workload_extractor import reader_of_classes
from bench.metrics.catalogue import Metric, MetricInput, MetricKind, Unit

_Measure = TypeVar("_Measure", bound=Callable[[Any], float | None])
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class RegisteredMetric:
    """A metric's description and the function that computes it. A summary of a run has no function."""

    about: Metric
    compute: Callable[[Any], float | None] | None

    def __call__(self, given: object) -> float | None:
        assert self.compute is not None
        return self.compute(given)


_REGISTERED: Final[dict[str, RegisteredMetric]] = {}


def _add(about: Metric, compute: Callable[[Any], float | None] | None) -> None:
    if about.name in _REGISTERED:
        raise ValueError(f"there are two metrics called {about.name!r}: give one of them another name")
    if not about.summary:
        raise ValueError(f"metric {about.name!r} has no summary: begin its docstring with a line that says what it is")
    _REGISTERED[about.name] = RegisteredMetric(about, compute)


def _summary(function: Callable[..., object]) -> str:
    lines = (function.__doc__ or "").strip().splitlines()
    return lines[0].strip().removesuffix(".") if lines else ""


def _decorator(
    kind: MetricKind,
    title: str,
    unit: Unit,
    higher_is_better: bool | None,  # noqa: FBT001 - private, and called by keyword
    bounds: Bounds,
    needs: Iterable[MetricInput],
    version: str,
) -> Callable[[_Measure], _Measure]:
    def register(function: _Measure) -> _Measure:
        about = Metric(
            name=function.__name__,
            title=title,
            unit=unit,
            higher_is_better=higher_is_better,
            summary=_summary(function),
            bounds=bounds,
            version=version,
            kind=kind,
            needs=tuple(needs),
        )
        _add(about, function)
        return function

    return register


def metric(
    title: str,
    *,
    needs: Iterable[MetricInput],
    higher_is_better: bool | None,
    unit: Unit = "",
    bounds: Bounds = (None, None),
    version: str = "1",
) -> Callable[[_Measure], _Measure]:
    """Register a function of the samples as a metric, for every evaluation of a workload that has what it needs.

    Args:
        title: the heading of its column in a table.
        needs: what it is computed from. A workload without one of these does not have the metric.
        higher_is_better: None if neither direction is better.
        unit: of the number; empty for a distance, which has the features' own.
        bounds: the smallest and the largest possible value; None for no bound.
        version: raised with `METRICS_VERSION` when its numbers change.

    Raises:
        ValueError: another metric has the function's name, or its docstring lacks the first line.
    """
    return _decorator("measured", title, unit, higher_is_better, bounds, needs, version)


def constant(
    title: str, *, needs: Iterable[MetricInput], unit: Unit = "", bounds: Bounds = (None, None), version: str = "1"
) -> Callable[[_Measure], _Measure]:
    """Register a function of the real data that is printed beside a metric: a floor, a ceiling or a bias."""
    return _decorator("constant", title, unit, None, bounds, needs, version)


def describe(
    name: str,
    title: str,
    summary: str,
    *,
    needs: Iterable[MetricInput],
    higher_is_better: bool | None,
    bounds: Bounds,
    version: str = "1",
) -> None:
    """Register the description of a number that the engine computes from the evaluations of a run."""
    about = Metric(
        name=name,
        title=title,
        unit="",
        higher_is_better=higher_is_better,
        summary=summary,
        bounds=bounds,
        version=version,
        kind="summary",
        needs=tuple(needs),
    )
    _add(about, None)


@functools.cache
def _discover() -> None:
    package = importlib.import_module("bench.metrics.measures")
    for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        importlib.import_module(f"bench.metrics.measures.{name}")


def registered() -> list[RegisteredMetric]:
    """Return every metric, in the order of the files that define them."""
    _discover()
    return list(_REGISTERED.values())


def offers(workload: Workload) -> frozenset[MetricInput]:
    """Return what a workload offers metrics to be computed from."""
    if workload.is_toy:
        return frozenset({"points", "mixture", "modes"})
    reader = reader_of_classes(workload)
    assert reader is not None
    offered: set[MetricInput] = {"features", "train", "test"}
    if extractor_spec(reader).classes > 0:
        offered |= {"logits", "classes", "modes"}
    if workload.stack == 1:
        offered.add("training_images")
    return frozenset(offered)


def applicable(workload: Workload, kind: MetricKind) -> list[RegisteredMetric]:
    """Return the metrics of one kind that a workload has everything for."""
    offered = offers(workload)
    return [metric for metric in registered() if metric.about.kind == kind and offered.issuperset(metric.about.needs)]


def index_path() -> Path:
    """Return the path of the file of descriptions."""
    return Path(__file__).parent / "metrics.json"


def encode_index() -> bytes:
    """Return what the file of descriptions must contain."""
    return msgspec.json.format(msgspec.json.encode([entry.about for entry in registered()]), indent=2) + b"\n"


def main() -> None:
    """Write the file of descriptions."""
    # The measures register with the module of this name, which is another than the one that runs as __main__.
    registry = importlib.import_module("bench.metrics.registry")
    index_path().write_bytes(registry.encode_index())
    sys.stdout.write(f"wrote {index_path()}\n")


if __name__ == "__main__":
    main()
