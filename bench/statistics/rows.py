"""One method's row of the table: its estimates, and the medians of what its runs measured."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.config.protocol import AVERAGE, PUBLISHABLE_SEEDS
from bench.config.workload import Workload
from bench.extractors.specs import extractor_names
from bench.statistics.blocks import block_means
from bench.statistics.board import LeaderboardRow, Quality, WorkloadColumn
from bench.statistics.comparable_groups import ComparableGroup, MethodKey
from bench.statistics.costs import relative_cost
from bench.statistics.counted import Cells, Timing
from bench.statistics.estimates import MethodEstimate, Reach
from bench.statistics.intervals import clopper_pearson, median, median_with_failures
from bench.statistics.scores import average_score, is_failure, is_result
from bench.statistics.spread import Spread, distance_with_failures, spread
from bench.store.record import Record


def name_of(group: ComparableGroup, method: MethodKey) -> str:
    """Records of one expression may have been named before and after the catalogue knew it: the short name wins."""
    return min((record.spec.method_name for record in group.records_of(method)), key=lambda name: (len(name), name))


def row_names(group: ComparableGroup, reference: MethodKey | None) -> dict[MethodKey, str]:
    """Return what each row of a table is called: the method's name, or its expression where several have that name.

    So it is where a name of the catalogue has come to stand for another method: two rows of one name would not say
    which is which. The reference keeps its name, which every verdict goes by.
    """
    names = {method: name_of(group, method) for method in group.methods}
    bearers = Counter(name for name, _ in {(name, method.expression) for method, name in names.items()})
    return {
        method: name if bearers[name] == 1 or method == reference else method.expression
        for method, name in names.items()
    }


def row_of(
    cells: Cells,
    method: MethodKey,
    name: str,
    estimate: MethodEstimate | None,
    timing: Timing,
    reference: MethodKey | None,
) -> LeaderboardRow:
    """Return the row of a method, which the table calls by that name; without an estimate it has no score or rank."""
    group = cells.group
    records = group.records_of(method)
    results = {
        name: [record for record in group.records_of(method, name) if is_result(record)] for name in group.workloads
    }
    runs = [record for on_workload in results.values() for record in on_workload]
    failures = sum(is_failure(record) for record in runs)
    low, high = clopper_pearson(failures, len(runs)) if runs else (None, None)
    counting = {name: frozenset(seeds) for name, seeds in cells.seeds.items()}
    done = {name: sum(record.spec.seed in seeds for record in results[name]) for name, seeds in counting.items()}
    scored = [done[name] for name in cells.scored]
    row = LeaderboardRow(
        method=name,
        expression=method.expression,
        variant=method.variant,
        provisional=min(scored, default=0) < PUBLISHABLE_SEEDS,
        seeds=min(scored, default=0),
        cells_done=sum(scored),
        cells_counting=sum(len(seeds) for seeds in cells.scored.values()),
        runs=len(runs),
        failures=failures,
        failure_low=low,
        failure_high=high,
        lost=len(records) - len(runs),
        results=results,
        distances=_medians(results, "distance"),
        average_distances={name: _average_distance(own) for name, own in results.items()},
        late_regressions={
            name: median_with_failures([record.stability.get("late_regression") for record in own])
            for name, own in results.items()
        },
        modes={name: _median_with_nothing(own, "modes") for name, own in results.items()},
        divergences=_medians(results, "kl_uniform"),
        qualities={name: _median_quality(own, cells.workloads[name]) for name, own in results.items()},
        coverages={
            name: _median_with_nothing(own, "coverage")
            for name, own in results.items()
            if _has_coverage(cells.workloads[name])
        },
        done=done,
        spreads={name: _spread(own) for name, own in results.items()},
    )
    row = _with_costs(row, timing, group.records_of(reference) if reference else None)
    return row if estimate is None else _with_estimate(row, estimate, cells)


def _with_costs(row: LeaderboardRow, timing: Timing, reference: Sequence[Record] | None) -> LeaderboardRow:
    """Return the row with what the method costs, and, if there is a reference, with the ratios to its cost."""
    speeds = [
        record.cost.get("images_per_second")
        for record in row.results[timing.workload]
        if record.environment and record.environment.fingerprint == timing.hardware
    ]
    row = replace(row, images_per_second=median(speeds))
    if reference is None:
        return row
    cost = relative_cost((record for name in timing.workloads for record in row.results[name]), reference)
    return replace(
        row,
        relative_throughput=cost.throughput,
        relative_discriminator_update=cost.discriminator_update,
        cost_pairs=cost.pairs,
    )


def _with_estimate(row: LeaderboardRow, estimate: MethodEstimate, cells: Cells) -> LeaderboardRow:
    """Return the row with its score and its rank, and with what the tests against the reference say."""
    row = replace(
        row,
        score=estimate.score,
        average_score=_average_score(cells, row.method_key),
        score_low=estimate.low,
        score_high=estimate.high,
        rank=estimate.rank,
        rank_low=estimate.rank_low,
        rank_high=estimate.rank_high,
        among_best=estimate.among_best,
        estimates=dict(zip(cells.scored, estimate.workloads, strict=True)),
    )
    if estimate.comparison is None:
        return row
    comparison = estimate.comparison
    return replace(
        row,
        better_than_reference=comparison.probability,
        better_low=comparison.low,
        better_high=comparison.high,
        p_value=comparison.test.p_value,
        p_adjusted=comparison.test.p_adjusted,
        verdict=comparison.test.verdict,
        detectable=comparison.test.detectable,
    )


def _medians(results: Mapping[str, Sequence[Record]], metric: str) -> dict[str, float | None]:
    return {name: median_with_failures([record.metrics.get(metric) for record in own]) for name, own in results.items()}


def _average_score(cells: Cells, method: MethodKey) -> float | None:
    """Return the mean over workloads of the mean score of the moving averages, over the cells of the score itself."""
    averages = [
        [average_score(record, cells.workloads[name]) for record in own] for name, own in cells.of(method).items()
    ]
    known = [np.array([[value for value in values if value is not None]]) for values in averages]
    if not known or any(array.shape[1] != len(values) for array, values in zip(known, averages, strict=True)):
        return None
    return float(block_means(known)[0])


def _average_distance(records: Sequence[Record]) -> float | None:
    """Return the median over all runs; a run that stopped early has left no average, any other must have one."""
    name = f"{AVERAGE}distance"
    if not all(name in record.metrics or record.status == "nonfinite" for record in records):
        return None
    return median_with_failures([record.metrics.get(name) for record in records])


def _median_quality(records: Sequence[Record], workload: Workload) -> float | None:
    quality = _quality(workload)
    if quality == "readable":
        unreadable = [record.metrics.get("unreadable") for record in records]
        if all(value is None for value in unreadable):
            return None
        return median(0.0 if value is None else 1.0 - value for value in unreadable)
    return _median_with_nothing(records, quality) if quality else None


def _median_with_nothing(records: Sequence[Record], metric: str) -> float | None:
    """Return the median over all runs, 0 for those without; over those that lasted to their end it rewarded failing."""
    values = [record.metrics.get(metric) for record in records]
    if all(value is None for value in values):
        return None
    return median(0.0 if value is None else value for value in values)


def _quality(workload: Workload) -> Quality | None:
    if workload.is_toy:
        return "high_quality"
    return "readable" if workload.modes else None


def _has_coverage(workload: Workload) -> bool:
    """Say whether coverage is part of what the workload's score is made of."""
    return workload.scored_by == "modes" and not workload.is_toy


def _spread(records: Sequence[Record]) -> Spread | None:
    known = [distance_with_failures(record) for record in records]
    return spread([value for value in known if value is not None and math.isfinite(value)])


def column_of(cells: Cells, workload: Workload, reach: Reach | None) -> WorkloadColumn:
    """Return what the numbers of a workload are compared with: floors, ceilings and the counting seeds."""
    records = cells.group.records_on(workload.name)
    # What the records were measured in, which need not be what this machine would measure in.
    extractor = next(iter(extractor_names(records[0].components.get("extractor", ""))), workload.extractor)
    measure = "sliced W2" if workload.extractor is None else f"FD[{extractor}, {records[0].spec.samples:,}]"
    quality = _quality(workload)
    floor = median([record.metrics.get("unreadable_floor") for record in records])
    readable = None if floor is None else 1.0 - floor
    ceiling = median([record.metrics.get("high_quality_ceiling") for record in records])
    coverage = median([record.metrics.get("coverage_ceiling") for record in records])
    return WorkloadColumn(
        name=workload.name,
        measure=measure,
        scored_by=workload.scored_by,
        steps=records[0].spec.steps,
        floor=median([record.metrics.get("distance_floor") for record in records]),
        untrained=median([record.metrics.get("distance_init") for record in records]),
        modes=workload.modes,
        quality=quality,
        quality_ceiling=readable if quality == "readable" else ceiling,
        coverage_ceiling=coverage if _has_coverage(workload) else None,
        seeds=tuple(cells.seeds.get(workload.name, ())),
        unscored=cells.unscored.get(workload.name),
        reach=reach,
    )
