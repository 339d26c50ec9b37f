"""FID, which is shown beside the ranking and is no part of it: one column for each workload that has it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.config.protocol import INCEPTION, INCEPTION_SHA256
from bench.config.workload import Workload
from bench.statistics.comparable_groups import ComparableGroup, MethodKey
from bench.statistics.intervals import median, median_with_failures
from bench.statistics.scores import is_result


@dataclass(frozen=True, kw_only=True)
class FidColumn:
    """FID on one workload, with the weights that most of its results were measured with."""

    workload: str
    measure: str
    """Its full name: "FID[inception-v3-compat, 50,000]", with the hash of weights that are not the official ones."""
    floor: float | None
    """FID of the real test images."""
    medians: Mapping[MethodKey, float | None]
    """Of each method, over its seeds; `None` unless all its results have it."""
    measured: int
    results: int


def fid_columns(group: ComparableGroup, workloads: Mapping[str, Workload]) -> tuple[FidColumn, ...]:
    """Return the column of every workload of which a result has FID, and of those in color, where it is expected."""
    columns = [_column(group, name) for name in group.workloads]
    return tuple(column for column in columns if column.measured or workloads[column.workload].has_color)


def _column(group: ComparableGroup, workload: str) -> FidColumn:
    results = [record for (_, name, _), record in group.cells.items() if name == workload and is_result(record)]
    used = Counter(record.inception_weights for record in results if record.inception_weights)
    weights = min(used, key=lambda candidate: (-used[candidate], candidate), default=None)
    measured = [record for record in results if weights and record.inception_weights == weights]
    samples = median([record.metrics.get("fid_samples") for record in measured])
    medians = {}
    for method in group.methods:
        own = [record for record in group.records_of(method, workload) if is_result(record)]
        whole = own and weights and all(record.inception_weights == weights for record in own)
        medians[method] = median_with_failures([record.metrics.get("fid") for record in own]) if whole else None
    return FidColumn(
        workload=workload,
        measure=_name(weights, samples),
        floor=median([record.metrics.get("fid_floor") for record in measured]),
        medians=medians,
        measured=len(measured),
        results=len(results),
    )


def _name(weights: str | None, samples: float | None) -> str:
    label = INCEPTION if weights is None or weights.startswith(INCEPTION_SHA256) else f"{INCEPTION}:{weights}"
    return f"FID[{label}]" if samples is None else f"FID[{label}, {samples:,.0f}]"
