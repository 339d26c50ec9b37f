"""The leaderboard: records in, rows with scores, rank intervals and tie groups out. No bare first place."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.config.protocol import PUBLISHABLE_SEEDS, REFERENCE_METHOD
from bench.config.trial import canonical_json
from bench.config.workload import Workload
from bench.statistics.cohorts import Cohort, CohortKey, Entrant, cohorts
from bench.statistics.costs import relative_cost
from bench.statistics.inception import FidColumn, fid_columns
from bench.statistics.intervals import RESAMPLES, clopper_pearson, median, median_with_failures
from bench.statistics.scores import is_failure, is_result, score
from bench.statistics.spread import Spread, distance_with_failures, spread
from bench.statistics.standing import Standing, standings
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
    tie_group: int | None = None
    """1 for all that cannot be told apart from the highest score, 2 for the next leader's: `standing.tie_groups`."""
    better_than_reference: float | None = None
    """P(better) + P(equal) / 2 for a run of this method and one of the reference, averaged over workloads."""
    better_low: float | None = None
    better_high: float | None = None
    p_value: float | None = None
    """Of the paired permutation test of the scores against the reference's."""
    p_adjusted: float | None = None
    """The same after Holm over all ranked methods but the reference."""
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
    relative_throughput: float | None = None
    """Images a second over the reference's: median over runs of equal workload and seed on equal hardware."""
    relative_discriminator_update: float | None = None
    """Seconds of a discriminator update over the reference's, likewise."""
    cost_pairs: int = 0
    """How many pairs of runs the two are medians of."""
    modes: Mapping[str, float | None]
    """The median number of modes of each workload that counts them; a run without samples to count in has 0."""
    done: Mapping[str, int]
    """How many of the counting seeds of each workload have a result."""
    spreads: Mapping[str, Spread | None]
    """How the last distances of each workload depend on the seed."""

    @property
    def entrant(self) -> Entrant:
        return Entrant(self.expression, self.variant)

    @property
    def complete(self) -> bool:
        return self.cells_done == self.cells_counting

    @property
    def ties_with_leader(self) -> bool | None:
        """Whether it cannot be told apart from the highest score; unknown where there is a single seed."""
        return None if self.tie_group is None else self.tie_group == 1


@dataclass(frozen=True, kw_only=True)
class WorkloadColumn:
    """The scale of one workload's distances."""

    name: str
    measure: str
    """The full name of the distance, as protocol section 4 wants it: "FD[digits-cnn-v1, 2,000]"."""
    scored_by: Literal["distance", "modes"]
    floor: float | None
    untrained: float | None
    modes: int
    """How many modes there are to find; 0 where none are counted."""
    seeds: tuple[int, ...]
    """The counting seeds; empty where the workload does not count."""


@dataclass(frozen=True, kw_only=True)
class _Timing:
    """Whose times are shown."""

    hardware: str | None
    workload: str
    workloads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One table of comparable records."""

    key: CohortKey
    rows: tuple[LeaderboardRow, ...]
    workloads: tuple[WorkloadColumn, ...]
    record_ids: tuple[str, ...]
    digest: str
    """Twelve hexadecimal digits that name exactly the records behind the table, to the last byte of each."""
    reference: str | None
    """The ranked method that the others are tested against; none where it has no rank."""
    superseded: int
    uncounted: int
    """Results outside the counting cells: stored, shown, in no score."""
    fingerprints: int
    timed_on: str
    """The workload of the images a second: a mean over workloads would depend on which there are."""
    timed: tuple[str, ...]
    """The workloads of the ratios to the reference: those of images, or all where there are toys alone."""
    resamples: int
    seed: int
    fid: tuple[FidColumn, ...] = ()

    @property
    def ranked(self) -> tuple[LeaderboardRow, ...]:
        return tuple(row for row in self.rows if row.rank is not None)


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
    reference = _reference(cohort)
    found: dict[Entrant, Standing] = {}
    if counting and complete:
        strata = [
            np.array(
                [[score(cohort.cells[each, name, number], workloads[name]) for number in seeds] for each in complete]
            )
            for name, seeds in sorted(counting.items())
        ]
        place = complete.index(reference) if reference in complete else None
        listed = standings(strata, reference=place, resamples=resamples, seed=seed)
        found = dict(zip(complete, listed, strict=True))
    timing = _timing(cohort, workloads)
    rows = [_row(cohort, entrant, counting, found.get(entrant), timing, reference) for entrant in cohort.entrants]
    return Leaderboard(
        key=cohort.key,
        rows=tuple(sorted(rows, key=_order)),
        workloads=tuple(_column(cohort, workloads[name], counting) for name in cohort.workloads),
        record_ids=tuple(sorted(f"{record.trial_id}.{record.attempt}" for record in cohort.cells.values())),
        digest=_digest(cohort.cells.values()),
        reference=REFERENCE_METHOD if reference in found else None,
        superseded=cohort.superseded,
        uncounted=sum(
            is_result(record) and not entrant.variant and number not in counting.get(name, ())
            for (entrant, name, number), record in cohort.cells.items()
        ),
        fingerprints=len({record.environment.fingerprint for record in cohort.cells.values() if record.environment}),
        timed_on=timing.workload,
        timed=timing.workloads,
        resamples=resamples,
        seed=seed,
        fid=fid_columns(cohort, workloads),
    )


def _digest(records: Iterable[Record]) -> str:
    """Digest the content and not the ids alone, which would not tell that a result was changed."""
    sums = sorted(hashlib.sha256(canonical_json(record)).hexdigest() for record in records)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:12]


def _reference(cohort: Cohort) -> Entrant | None:
    named = [
        entrant for entrant in cohort.entrants if not entrant.variant and _name(cohort, entrant) == REFERENCE_METHOD
    ]
    return named[0] if named else None


def _name(cohort: Cohort, entrant: Entrant) -> str:
    """Records of one expression may have been named before and after the catalogue knew it: the short name wins."""
    return min((record.spec.method_name for record in cohort.records_of(entrant)), key=lambda name: (len(name), name))


def _done(cohort: Cohort, entrant: Entrant, counting: Mapping[str, Sequence[int]]) -> bool:
    return _cells_done(cohort, entrant, counting) == sum(len(seeds) for seeds in counting.values())


def _cells_done(cohort: Cohort, entrant: Entrant, counting: Mapping[str, Sequence[int]]) -> int:
    found = (cohort.cells.get((entrant, name, number)) for name, seeds in counting.items() for number in seeds)
    return sum(record is not None and is_result(record) for record in found)


def _row(
    cohort: Cohort,
    entrant: Entrant,
    counting: Mapping[str, Sequence[int]],
    standing: Standing | None,
    timing: _Timing,
    reference: Entrant | None,
) -> LeaderboardRow:
    records = cohort.records_of(entrant)
    results = [record for record in records if is_result(record)]
    by_workload = {
        name: [record for record in cohort.records_of(entrant, name) if is_result(record)] for name in cohort.workloads
    }
    failures = sum(is_failure(record) for record in results)
    low, high = clopper_pearson(failures, len(results)) if results else (None, None)
    done = {name: sum(record.spec.seed in seeds for record in by_workload[name]) for name, seeds in counting.items()}
    against = standing.against if standing else None
    timed = [record for record in results if record.spec.workload in timing.workloads]
    cost = relative_cost(timed, cohort.records_of(reference)) if reference else None
    return LeaderboardRow(
        method=_name(cohort, entrant),
        expression=entrant.expression,
        variant=entrant.variant,
        provisional=min(done.values(), default=0) < PUBLISHABLE_SEEDS,
        seeds=min(done.values(), default=0),
        cells_done=sum(done.values()),
        cells_counting=sum(len(seeds) for seeds in counting.values()),
        score=standing.score if standing else None,
        score_low=standing.low if standing else None,
        score_high=standing.high if standing else None,
        rank=standing.rank if standing else None,
        rank_low=standing.rank_low if standing else None,
        rank_high=standing.rank_high if standing else None,
        tie_group=standing.group if standing else None,
        better_than_reference=against.probability if against else None,
        better_low=against.low if against else None,
        better_high=against.high if against else None,
        p_value=against.p_value if against else None,
        p_adjusted=against.p_adjusted if against else None,
        runs=len(results),
        failures=failures,
        failure_low=low,
        failure_high=high,
        lost=len(records) - len(results),
        distances={
            name: median_with_failures([record.metrics.get("distance") for record in found])
            for name, found in by_workload.items()
        },
        late_regression=median_with_failures([record.stability.get("late_regression") for record in results]),
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
        modes={name: _median_modes(found) for name, found in by_workload.items()},
        done=done,
        spreads={name: _spread(found) for name, found in by_workload.items()},
    )


def _median_modes(records: Sequence[Record]) -> float | None:
    """Return the median over all runs; over those that lasted to their end alone, it would reward failing."""
    found = [record.metrics.get("modes") for record in records]
    if all(value is None for value in found):
        return None
    return median(0.0 if value is None else value for value in found)


def _spread(records: Sequence[Record]) -> Spread | None:
    known = [distance_with_failures(record) for record in records]
    return spread([value for value in known if value is not None and math.isfinite(value)])


def _column(cohort: Cohort, workload: Workload, counting: Mapping[str, Sequence[int]]) -> WorkloadColumn:
    records = [record for (_, name, _), record in cohort.cells.items() if name == workload.name]
    measure = "sliced W2" if workload.extractor is None else f"FD[{workload.extractor}, {records[0].spec.samples:,}]"
    return WorkloadColumn(
        name=workload.name,
        measure=measure,
        scored_by=workload.scored_by,
        floor=median([record.metrics.get("distance_floor") for record in records]),
        untrained=median([record.metrics.get("distance_init") for record in records]),
        modes=workload.modes,
        seeds=tuple(counting.get(workload.name, ())),
    )


def _order(row: LeaderboardRow) -> tuple[object, ...]:
    ranked = row.score is not None
    return row.variant, not ranked, -(row.score or 0.0), row.method, row.expression


def _timing(cohort: Cohort, workloads: Mapping[str, Workload]) -> _Timing:
    """Choose the images' workload with the most results; a toy's steps say nothing about convolutions."""
    results = Counter(name for (_, name, _), record in cohort.cells.items() if is_result(record))
    images = tuple(name for name in cohort.workloads if not workloads[name].is_toy)
    timed = images or tuple(cohort.workloads)
    return _Timing(
        hardware=_commonest_fingerprint(cohort.cells.values()),
        workload=min(timed, key=lambda name: (-results[name], name)),
        workloads=timed,
    )


def _commonest_fingerprint(records: Iterable[Record]) -> str | None:
    """Times never cross machines: throughput is shown for the hardware that most of the records come from."""
    counted = Counter(record.environment.fingerprint for record in records if record.environment)
    return min(counted, key=lambda fingerprint: (-counted[fingerprint], fingerprint)) if counted else None
