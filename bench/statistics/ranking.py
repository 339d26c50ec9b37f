"""The leaderboard: records in, rows with scores, rank intervals and tie groups out. No bare first place."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.config.protocol import AVERAGE, PUBLISHABLE_SEEDS, REFERENCE_METHOD
from bench.config.trial import canonical_json
from bench.config.workload import Workload
from bench.statistics.board import Leaderboard, LeaderboardRow, Quality, WorkloadColumn
from bench.statistics.cohorts import Cohort, Entrant, cohorts
from bench.statistics.costs import relative_cost
from bench.statistics.damage import refuse_damaged
from bench.statistics.inception import fid_columns
from bench.statistics.intervals import RESAMPLES, clopper_pearson, iqm, median, median_with_failures
from bench.statistics.scales import Unscored, unscored
from bench.statistics.scores import average_score, is_failure, is_result, score
from bench.statistics.spread import Spread, distance_with_failures, spread
from bench.statistics.standing import Standing, standings
from bench.store.journal import latest_attempts
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class _Timing:
    """Whose times are shown."""

    hardware: str | None
    workload: str
    workloads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """The records of one table, and which of its cells are scored."""

    cohort: Cohort
    workloads: Mapping[str, Workload]
    seeds: Mapping[str, Sequence[int]]
    """The seeds of each workload that most methods have."""
    unscored: Mapping[str, Unscored]
    """The workloads that have such seeds and no scale."""

    @property
    def scored(self) -> dict[str, Sequence[int]]:
        """The counting seeds of every workload that is in the score, in the order of names."""
        return {name: seeds for name, seeds in sorted(self.seeds.items()) if name not in self.unscored}

    def of(self, entrant: Entrant) -> dict[str, list[Record]]:
        """Return the entrant's results in the scored cells, by workload."""
        return {
            name: [record for number in seeds if (record := self._result(entrant, name, number)) is not None]
            for name, seeds in self.scored.items()
        }

    def complete(self, entrant: Entrant) -> bool:
        """Say whether a method may be ranked: it is no variant, and has a result in every scored cell."""
        done = sum(len(records) for records in self.of(entrant).values())
        return not entrant.variant and done == sum(len(seeds) for seeds in self.scored.values())

    def _result(self, entrant: Entrant, workload: str, seed: int) -> Record | None:
        record = self.cohort.cells.get((entrant, workload, seed))
        return record if record is not None and is_result(record) else None


def rank(
    records: Iterable[Record], workloads: Mapping[str, Workload], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Leaderboard]:
    """Turn records into leaderboards, one for each group of comparable records (see `bench.statistics.cohorts`).

    Rows are sorted by the interquartile mean of the score over all counting workloads and seeds; incomplete methods
    and variants follow without a rank. A workload whose real data give it no scale is in no score; if none is left,
    nobody is ranked.

    Raises:
        ValueError: a record is damaged, or ran on an unknown workload.
    """
    kept = latest_attempts(records)
    refuse_damaged(kept, workloads)
    return [_leaderboard(cohort, workloads, resamples, seed) for cohort in cohorts(kept, workloads)]


def _leaderboard(cohort: Cohort, workloads: Mapping[str, Workload], resamples: int, seed: int) -> Leaderboard:
    cells = _cells(cohort, workloads)
    reference = _reference(cohort)
    found = _standings(cells, reference, resamples, seed)
    timing = _timing(cohort, workloads)
    rows = [_row(cells, entrant, found.get(entrant), timing, reference) for entrant in cohort.entrants]
    return Leaderboard(
        key=cohort.key,
        rows=tuple(sorted(rows, key=_order)),
        workloads=tuple(_column(cells, workloads[name]) for name in cohort.workloads),
        record_ids=tuple(sorted(f"{record.trial_id}.{record.attempt}" for record in cohort.cells.values())),
        digest=_digest(cohort.cells.values()),
        reference=REFERENCE_METHOD if reference in found else None,
        superseded=cohort.superseded,
        uncounted=sum(
            is_result(record) and not entrant.variant and number not in cells.seeds.get(name, ())
            for (entrant, name, number), record in cohort.cells.items()
        ),
        fingerprints=len({record.environment.fingerprint for record in cohort.cells.values() if record.environment}),
        timed_on=timing.workload,
        timed=timing.workloads,
        resamples=resamples,
        seed=seed,
        fid=fid_columns(cohort, workloads),
    )


def _cells(cohort: Cohort, workloads: Mapping[str, Workload]) -> _Cells:
    seeds = cohort.counting()
    counting = {
        name: [
            record
            for (entrant, workload, number), record in sorted(cohort.cells.items(), key=lambda item: item[0])
            if workload == name and number in numbers and not entrant.variant and is_result(record)
        ]
        for name, numbers in seeds.items()
    }
    found = {name: unscored(records, workloads[name]) for name, records in counting.items()}
    return _Cells(
        cohort=cohort,
        workloads=workloads,
        seeds=seeds,
        unscored={name: why for name, why in found.items() if why is not None},
    )


def _standings(cells: _Cells, reference: Entrant | None, resamples: int, seed: int) -> dict[Entrant, Standing]:
    complete = [entrant for entrant in cells.cohort.entrants if cells.complete(entrant)]
    if not cells.scored or not complete:
        return {}
    results = {entrant: cells.of(entrant) for entrant in complete}
    strata = [
        np.array([[score(record, cells.workloads[name]) for record in results[entrant][name]] for entrant in complete])
        for name in cells.scored
    ]
    place = complete.index(reference) if reference in complete else None
    listed = standings(strata, reference=place, resamples=resamples, seed=seed)
    return dict(zip(complete, listed, strict=True))


def _average_score(cells: _Cells, entrant: Entrant) -> float | None:
    """Return the interquartile mean of the scores of the moving averages, over the cells of the score itself."""
    found = [average_score(record, cells.workloads[name]) for name, own in cells.of(entrant).items() for record in own]
    known = [value for value in found if value is not None]
    return float(iqm(np.array([known]))[0]) if known and len(known) == len(found) else None


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


def _row(
    cells: _Cells, entrant: Entrant, standing: Standing | None, timing: _Timing, reference: Entrant | None
) -> LeaderboardRow:
    cohort = cells.cohort
    records = cohort.records_of(entrant)
    results = [record for record in records if is_result(record)]
    by_workload = {
        name: [record for record in cohort.records_of(entrant, name) if is_result(record)] for name in cohort.workloads
    }
    failures = sum(is_failure(record) for record in results)
    low, high = clopper_pearson(failures, len(results)) if results else (None, None)
    done = {name: sum(record.spec.seed in seeds for record in by_workload[name]) for name, seeds in cells.seeds.items()}
    scored = [done[name] for name in cells.scored]
    against = standing.against if standing else None
    timed = [record for record in results if record.spec.workload in timing.workloads]
    cost = relative_cost(timed, cohort.records_of(reference)) if reference else None
    return LeaderboardRow(
        method=_name(cohort, entrant),
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
        average_distances={name: _average_distance(found) for name, found in by_workload.items()},
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
        modes={name: _median_with_nothing(found, "modes") for name, found in by_workload.items()},
        qualities={name: _median_quality(found, cells.workloads[name]) for name, found in by_workload.items()},
        done=done,
        spreads={name: _spread(found) for name, found in by_workload.items()},
    )


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


def _spread(records: Sequence[Record]) -> Spread | None:
    known = [distance_with_failures(record) for record in records]
    return spread([value for value in known if value is not None and math.isfinite(value)])


def _column(cells: _Cells, workload: Workload) -> WorkloadColumn:
    records = [record for (_, name, _), record in cells.cohort.cells.items() if name == workload.name]
    measure = "sliced W2" if workload.extractor is None else f"FD[{workload.extractor}, {records[0].spec.samples:,}]"
    quality = _quality(workload)
    floor = median([record.metrics.get("unreadable_floor") for record in records])
    readable = None if floor is None else 1.0 - floor
    ceiling = median([record.metrics.get("high_quality_ceiling") for record in records])
    return WorkloadColumn(
        name=workload.name,
        measure=measure,
        scored_by=workload.scored_by,
        floor=median([record.metrics.get("distance_floor") for record in records]),
        untrained=median([record.metrics.get("distance_init") for record in records]),
        modes=workload.modes,
        quality=quality,
        quality_ceiling=readable if quality == "readable" else ceiling,
        seeds=tuple(cells.seeds.get(workload.name, ())),
        unscored=cells.unscored.get(workload.name),
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
