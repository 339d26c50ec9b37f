"""One method's row of the table: its standing, and the medians of what its runs measured."""

import math
from collections.abc import Sequence

import numpy as np

from bench.config.protocol import AVERAGE, PUBLISHABLE_SEEDS
from bench.config.workload import Workload
from bench.statistics.blocks import block_means
from bench.statistics.board import LeaderboardRow, Quality, WorkloadColumn
from bench.statistics.cohorts import Cohort, Entrant
from bench.statistics.costs import relative_cost
from bench.statistics.counted import Cells, Timing
from bench.statistics.intervals import clopper_pearson, median, median_with_failures
from bench.statistics.scores import average_score, is_failure, is_result
from bench.statistics.spread import Spread, distance_with_failures, spread
from bench.statistics.standing import Reach, Standing
from bench.store.record import Record


def name_of(cohort: Cohort, entrant: Entrant) -> str:
    """Records of one expression may have been named before and after the catalogue knew it: the short name wins."""
    return min((record.spec.method_name for record in cohort.records_of(entrant)), key=lambda name: (len(name), name))


def row_of(
    cells: Cells, entrant: Entrant, standing: Standing | None, timing: Timing, reference: Entrant | None
) -> LeaderboardRow:
    """Return the row of a method; without a standing it has neither score nor rank."""
    cohort = cells.cohort
    records = cohort.records_of(entrant)
    results = [record for record in records if is_result(record)]
    by_workload = {
        name: [record for record in cohort.records_of(entrant, name) if is_result(record)] for name in cohort.workloads
    }
    failures = sum(is_failure(record) for record in results)
    low, high = clopper_pearson(failures, len(results)) if results else (None, None)
    counting = {name: frozenset(seeds) for name, seeds in cells.seeds.items()}
    done = {name: sum(record.spec.seed in seeds for record in by_workload[name]) for name, seeds in counting.items()}
    scored = [done[name] for name in cells.scored]
    against = standing.against if standing else None
    test = against.test if against else None
    timed = [record for record in results if record.spec.workload in timing.workloads]
    cost = relative_cost(timed, cohort.records_of(reference)) if reference else None
    return LeaderboardRow(
        method=name_of(cohort, entrant),
        expression=entrant.expression,
        variant=entrant.variant,
        provisional=min(scored, default=0) < PUBLISHABLE_SEEDS,
        seeds=min(scored, default=0),
        cells_done=sum(scored),
        cells_counting=sum(len(seeds) for seeds in cells.scored.values()),
        score=standing.score if standing else None,
        average_score=_average_score(cells, entrant) if standing else None,
        score_low=standing.low if standing else None,
        score_high=standing.high if standing else None,
        rank=standing.rank if standing else None,
        rank_low=standing.rank_low if standing else None,
        rank_high=standing.rank_high if standing else None,
        among_best=standing.among_best if standing else None,
        better_than_reference=against.probability if against else None,
        better_low=against.low if against else None,
        better_high=against.high if against else None,
        p_value=test.p_value if test else None,
        p_adjusted=test.p_adjusted if test else None,
        verdict=test.verdict if test else None,
        detectable=test.detectable if test else None,
        on=dict(zip(cells.scored, standing.on, strict=True)) if standing else {},
        runs=len(results),
        failures=failures,
        failure_low=low,
        failure_high=high,
        lost=len(records) - len(results),
        distances={
            name: median_with_failures([record.metrics.get("distance") for record in found])
            for name, found in by_workload.items()
        },
        average_distances={name: _average_distance(found) for name, found in by_workload.items()},
        late_regressions={
            name: median_with_failures([record.stability.get("late_regression") for record in found])
            for name, found in by_workload.items()
        },
        images_per_second=median(
            [
                r.cost.get("images_per_second")
                for r in by_workload[timing.workload]
                if r.environment and r.environment.fingerprint == timing.hardware
            ]
        ),
        relative_throughput=cost.throughput if cost else None,
        relative_discriminator_update=cost.discriminator_update if cost else None,
        cost_pairs=cost.pairs if cost else 0,
        modes={name: _median_with_nothing(found, "modes") for name, found in by_workload.items()},
        divergences={
            name: median_with_failures([record.metrics.get("kl_uniform") for record in found])
            for name, found in by_workload.items()
        },
        qualities={name: _median_quality(found, cells.workloads[name]) for name, found in by_workload.items()},
        coverages={
            name: _median_with_nothing(found, "coverage")
            for name, found in by_workload.items()
            if _has_coverage(cells.workloads[name])
        },
        done=done,
        spreads={name: _spread(found) for name, found in by_workload.items()},
    )


def _average_score(cells: Cells, entrant: Entrant) -> float | None:
    """Return the mean over workloads of the mean score of the moving averages, over the cells of the score itself."""
    found = [
        [average_score(record, cells.workloads[name]) for record in own] for name, own in cells.of(entrant).items()
    ]
    known = [np.array([[value for value in values if value is not None]]) for values in found]
    if not known or any(array.shape[1] != len(values) for array, values in zip(known, found, strict=True)):
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
    found = [record.metrics.get(metric) for record in records]
    if all(value is None for value in found):
        return None
    return median(0.0 if value is None else value for value in found)


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
    """Return what the numbers of a workload are held against."""
    records = cells.cohort.records_on(workload.name)
    measure = "sliced W2" if workload.extractor is None else f"FD[{workload.extractor}, {records[0].spec.samples:,}]"
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
