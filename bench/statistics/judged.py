"""What judges measured, which is shown beside the ranking and is no part of it: FID, and numbers in CLIP and VGG16."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.config.judges import BESIDE_INCEPTION, OFFICIAL_WEIGHTS
from bench.config.protocol import INCEPTION
from bench.config.workload import Workload
from bench.statistics.comparable_groups import ComparableGroup, MethodKey
from bench.statistics.intervals import median, median_with_failures
from bench.statistics.scores import is_result


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A metric that has a column: its judge, what real images get, and of how many images it is."""

    judge: str
    metric: str
    heading: str
    of_real_images: str
    samples: str
    is_share: bool = False


def _shown() -> Iterator[_Shown]:
    yield _Shown(judge=INCEPTION, metric="fid", heading="FID", of_real_images="fid_floor", samples="fid_samples")
    for judge in BESIDE_INCEPTION.values():
        for measure, name, of_real_images in (
            ("fd", "FD", "fd_floor"),
            ("precision", "precision", "precision_ceiling"),
            ("recall", "recall", "recall_ceiling"),
        ):
            yield _Shown(
                judge=judge.name,
                metric=f"{judge.key}_{measure}",
                heading=f"{name}[{judge.name}]",
                of_real_images=f"{judge.key}_{of_real_images}",
                samples=judge.samples,
                is_share=measure != "fd",
            )


_SHOWN: Final = tuple(_shown())


@dataclass(frozen=True, kw_only=True)
class JudgedColumn:
    """A metric on one workload, with the weights that most of its results were measured with."""

    workload: str
    judge: str
    metric: str
    heading: str
    measure: str
    """Its full name: "FID[inception-v3-compat, 50,000]", with the hash of weights that are not the official ones."""
    is_share: bool
    of_real_images: float | None
    """What real images get: the FID of the test images, for example."""
    medians: Mapping[MethodKey, float | None]
    """Of each method, over its seeds; `None` unless all its results have it."""
    measured: int
    results: int


def judged_columns(group: ComparableGroup, workloads: Mapping[str, Workload]) -> tuple[JudgedColumn, ...]:
    """Return the columns of every workload: those that a result has, and FID where it is expected, in color."""
    columns = [_column(group, name, shown) for name in group.workloads for shown in _SHOWN]
    return tuple(
        column
        for column in columns
        if column.measured or (column.judge == INCEPTION and workloads[column.workload].has_color)
    )


def _column(group: ComparableGroup, workload: str, shown: _Shown) -> JudgedColumn:
    judge = shown.judge
    results = [record for (_, name, _), record in group.cells.items() if name == workload and is_result(record)]
    used = Counter(record.judges[judge] for record in results if judge in record.judges)
    weights = min(used, key=lambda candidate: (-used[candidate], candidate), default=None)
    measured = [record for record in results if weights and record.judges.get(judge) == weights]
    medians = {}
    for method in group.methods:
        own = [record for record in group.records_of(method, workload) if is_result(record)]
        whole = own and weights and all(record.judges.get(judge) == weights for record in own)
        values = [record.metrics.get(shown.metric) for record in own]
        medians[method] = _median(values, shown) if whole else None
    return JudgedColumn(
        workload=workload,
        judge=judge,
        metric=shown.metric,
        heading=shown.heading,
        measure=_name(shown, weights, median([record.metrics.get(shown.samples) for record in measured])),
        is_share=shown.is_share,
        of_real_images=median([record.metrics.get(shown.of_real_images) for record in measured]),
        medians=medians,
        measured=len(measured),
        results=len(results),
    )


def _median(values: list[float | None], shown: _Shown) -> float | None:
    """Return the median, with missing values as the worst: those of runs that ceased to be finite."""
    if not shown.is_share:
        return median_with_failures(values)
    negative = median_with_failures([None if value is None else -value for value in values])
    return None if negative is None else -negative


def _name(shown: _Shown, weights: str | None, samples: float | None) -> str:
    label = shown.judge
    if weights is not None and not weights.startswith(OFFICIAL_WEIGHTS[shown.judge][: len(weights)]):
        label = f"{label}:{weights}"
    kind = shown.heading.partition("[")[0]
    return f"{kind}[{label}]" if samples is None else f"{kind}[{label}, {samples:,.0f}]"
