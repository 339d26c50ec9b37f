"""The leaderboard: records in, rows with scores, rank intervals and tie groups out. No bare first place."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.config.protocol import PUBLISHABLE_SEEDS
from bench.config.workload import Workload
from bench.statistics.cohorts import Cohort, CohortKey, Entrant, cohorts
from bench.statistics.inception import FidColumn, fid_columns
from bench.statistics.intervals import (
    RESAMPLES,
    Array,
    bootstrap_iqm,
    clopper_pearson,
    iqm,
    median,
    median_with_failures,
    percentile_interval,
    rank_intervals,
)
from bench.statistics.scores import is_failure, is_result, score
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One method. What does not exist is `None`: incomplete methods and variants have no score and no rank."""

    method: str
    expression: str
    variant: bool
    """Its method is not well defined on this discriminator: listed, never ranked."""
    provisional: bool
    """Fewer seeds than a published interval needs."""
    seeds: int
    """The smallest number of seeds among the counting workloads for which this method has a result."""
    cells_done: int
    cells_counting: int
    score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    ties_with_leader: bool | None = None
    """The interval of the paired difference to the leader contains 0; unknown where there is a single seed."""
    runs: int
    failures: int
    failure_low: float | None
    failure_high: float | None
    lost: int
    """Runs that ended in a timeout or an error of the machinery; they say nothing about the loss."""
    distances: Mapping[str, float | None]
    """The median last distance of each workload; `None` where the median run has none left to measure."""
    late_regression: float | None
    """Median of log(F_last / F_best): 0 where training never got worse again."""
    images_per_second: float | None

    @property
    def entrant(self) -> Entrant:
        return Entrant(self.expression, self.variant)

    @property
    def complete(self) -> bool:
        return self.cells_done == self.cells_counting


@dataclass(frozen=True, kw_only=True)
class WorkloadColumn:
    """The scale of one workload's distances."""

    name: str
    measure: str
    """The full name of the distance, as protocol section 4 wants it: "FD[digits-cnn-v1, 2,000]"."""
    scored_by: Literal["distance", "modes"]
    floor: float | None
    untrained: float | None
    seeds: tuple[int, ...]
    """The counting seeds; empty where the workload does not count."""


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One table of comparable records."""

    key: CohortKey
    rows: tuple[LeaderboardRow, ...]
    workloads: tuple[WorkloadColumn, ...]
    record_ids: tuple[str, ...]
    superseded: int
    uncounted: int
    """Results outside the counting cells: stored, shown, in no score."""
    fingerprints: int
    resamples: int
    seed: int
    fid: tuple[FidColumn, ...] = ()

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name exactly the records behind the table."""
        return hashlib.sha256("\n".join(self.record_ids).encode()).hexdigest()[:12]

    @property
    def ranked(self) -> tuple[LeaderboardRow, ...]:
        return tuple(row for row in self.rows if row.rank is not None)


@dataclass(frozen=True)
class _Standing:
    score: float
    rank: int
    low: float | None = None
    high: float | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    ties: bool | None = None


def rank(
    records: Iterable[Record], workloads: Mapping[str, Workload], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Leaderboard]:
    """Turn records into leaderboards, one for each group of comparable records (see `bench.statistics.cohorts`).

    Rows are sorted by the interquartile mean of the score over all counting workloads and seeds; incomplete methods
    and variants follow without a rank.
    """
    return [_leaderboard(cohort, workloads, resamples, seed) for cohort in cohorts(records, workloads)]


def _leaderboard(cohort: Cohort, workloads: Mapping[str, Workload], resamples: int, seed: int) -> Leaderboard:
    counting = cohort.counting()
    complete = [entrant for entrant in cohort.entrants if not entrant.variant and _done(cohort, entrant, counting)]
    standings = _standings(cohort, complete, counting, workloads, resamples, seed) if counting and complete else {}
    hardware = _commonest_fingerprint(cohort.cells.values())
    rows = [_row(cohort, entrant, counting, standings.get(entrant), hardware) for entrant in cohort.entrants]
    return Leaderboard(
        key=cohort.key,
        rows=tuple(sorted(rows, key=_order)),
        workloads=tuple(_column(cohort, workloads[name], counting) for name in cohort.workloads),
        record_ids=tuple(sorted(f"{record.trial_id}.{record.attempt}" for record in cohort.cells.values())),
        superseded=cohort.superseded,
        uncounted=sum(
            is_result(record) and not entrant.variant and number not in counting.get(name, ())
            for (entrant, name, number), record in cohort.cells.items()
        ),
        fingerprints=len({record.environment.fingerprint for record in cohort.cells.values() if record.environment}),
        resamples=resamples,
        seed=seed,
        fid=fid_columns(cohort, workloads),
    )


def _done(cohort: Cohort, entrant: Entrant, counting: Mapping[str, Sequence[int]]) -> bool:
    return _cells_done(cohort, entrant, counting) == sum(len(seeds) for seeds in counting.values())


def _cells_done(cohort: Cohort, entrant: Entrant, counting: Mapping[str, Sequence[int]]) -> int:
    found = (cohort.cells.get((entrant, name, number)) for name, seeds in counting.items() for number in seeds)
    return sum(record is not None and is_result(record) for record in found)


def _standings(
    cohort: Cohort,
    entrants: Sequence[Entrant],
    counting: Mapping[str, Sequence[int]],
    workloads: Mapping[str, Workload],
    resamples: int,
    seed: int,
) -> dict[Entrant, _Standing]:
    strata = [
        np.array(
            [[score(cohort.cells[entrant, name, number], workloads[name]) for number in seeds] for entrant in entrants]
        )
        for name, seeds in sorted(counting.items())
    ]
    points = iqm(np.concatenate(strata, axis=1))
    ranks = [1 + int((points > point).sum()) for point in points]
    if min(stratum.shape[1] for stratum in strata) == 1:
        # One seed resampled is the same seed again: the interval would have no width and claim certainty.
        return {e: _Standing(float(points[i]), ranks[i]) for i, e in enumerate(entrants)}
    return _with_intervals(entrants, points, ranks, bootstrap_iqm(strata, resamples=resamples, seed=seed))


def _with_intervals(
    entrants: Sequence[Entrant], points: Array, ranks: Sequence[int], replicates: Array
) -> dict[Entrant, _Standing]:
    low, high = percentile_interval(replicates)
    rank_low, rank_high = rank_intervals(replicates)
    leader = int(np.argmax(points))
    gap_low, gap_high = percentile_interval(replicates[:, leader : leader + 1] - replicates)
    return {
        entrant: _Standing(
            score=float(points[i]),
            rank=ranks[i],
            low=float(low[i]),
            high=float(high[i]),
            rank_low=int(rank_low[i]),
            rank_high=int(rank_high[i]),
            ties=bool(gap_low[i] <= 0.0 <= gap_high[i]),
        )
        for i, entrant in enumerate(entrants)
    }


def _row(
    cohort: Cohort,
    entrant: Entrant,
    counting: Mapping[str, Sequence[int]],
    standing: _Standing | None,
    hardware: str | None,
) -> LeaderboardRow:
    records = cohort.records_of(entrant)
    results = [record for record in records if is_result(record)]
    failures = sum(is_failure(record) for record in results)
    low, high = clopper_pearson(failures, len(results)) if results else (None, None)
    done = [
        sum(is_result(record) for record in cohort.records_of(entrant, name) if record.spec.seed in seeds)
        for name, seeds in counting.items()
    ]
    return LeaderboardRow(
        method=min((record.spec.method_name for record in records), key=len),
        expression=entrant.expression,
        variant=entrant.variant,
        provisional=min(done, default=0) < PUBLISHABLE_SEEDS,
        seeds=min(done, default=0),
        cells_done=sum(done),
        cells_counting=sum(len(seeds) for seeds in counting.values()),
        score=standing.score if standing else None,
        score_low=standing.low if standing else None,
        score_high=standing.high if standing else None,
        rank=standing.rank if standing else None,
        rank_low=standing.rank_low if standing else None,
        rank_high=standing.rank_high if standing else None,
        ties_with_leader=standing.ties if standing else None,
        runs=len(results),
        failures=failures,
        failure_low=low,
        failure_high=high,
        lost=len(records) - len(results),
        distances={
            name: median_with_failures(
                [r.metrics.get("distance") for r in cohort.records_of(entrant, name) if is_result(r)]
            )
            for name in cohort.workloads
        },
        late_regression=median_with_failures([record.stability.get("late_regression") for record in results]),
        images_per_second=median(
            [
                r.cost.get("images_per_second")
                for r in results
                if r.environment and r.environment.fingerprint == hardware
            ]
        ),
    )


def _column(cohort: Cohort, workload: Workload, counting: Mapping[str, Sequence[int]]) -> WorkloadColumn:
    records = [record for (_, name, _), record in cohort.cells.items() if name == workload.name]
    measure = "sliced W2" if workload.extractor is None else f"FD[{workload.extractor}, {records[0].spec.samples:,}]"
    return WorkloadColumn(
        name=workload.name,
        measure=measure,
        scored_by=workload.scored_by,
        floor=median([record.metrics.get("distance_floor") for record in records]),
        untrained=median([record.metrics.get("distance_init") for record in records]),
        seeds=tuple(counting.get(workload.name, ())),
    )


def _order(row: LeaderboardRow) -> tuple[object, ...]:
    ranked = row.score is not None
    return row.variant, not ranked, -(row.score or 0.0), row.method, row.expression


def _commonest_fingerprint(records: Iterable[Record]) -> str | None:
    """Times never cross machines: throughput is shown for the hardware that most of the records come from."""
    counted = Counter(record.environment.fingerprint for record in records if record.environment)
    return min(counted, key=lambda fingerprint: (-counted[fingerprint], fingerprint)) if counted else None
