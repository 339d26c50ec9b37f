"""The leaderboard: records in, rows with scores, ranks and verdicts out. No bare first place."""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np

from bench.config.protocol import REFERENCE_METHOD
from bench.config.workload import Workload
from bench.statistics.best import FLIPS
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.cohorts import Cohort, Entrant, cohorts
from bench.statistics.counted import Cells, cells_of, timing_of
from bench.statistics.damage import refuse_damaged
from bench.statistics.inception import fid_columns
from bench.statistics.rows import column_of, name_of, row_of
from bench.statistics.scores import is_result, score
from bench.statistics.standing import Standings, standings
from bench.store.journal import latest_attempts
from bench.store.record import Record, content_digest


def rank(
    records: Iterable[Record], workloads: Mapping[str, Workload], *, resamples: int = FLIPS, seed: int = 0
) -> list[Leaderboard]:
    """Turn records into leaderboards, one for each group of comparable records (see `bench.statistics.cohorts`).

    Rows are sorted by the score, the mean over counting workloads of the mean over counting seeds; incomplete methods
    and variants follow without one. A workload whose real data give it no scale is in no score; if none is left,
    nobody is ranked.

    Args:
        records: every record; of each trial the last attempt is used.
        workloads: by name, all that the records ran on.
        resamples: sign patterns of the ranks and of the comparisons with the best, where there are too many to try.
        seed: of everything that is drawn.

    Raises:
        ValueError: a record is damaged, or ran on an unknown workload.
    """
    kept = latest_attempts(records)
    refuse_damaged(kept, workloads)
    return [_leaderboard(cohort, workloads, resamples, seed) for cohort in cohorts(kept, workloads)]


def _leaderboard(cohort: Cohort, workloads: Mapping[str, Workload], resamples: int, seed: int) -> Leaderboard:
    cells = cells_of(cohort, workloads)
    reference = _reference(cohort)
    complete = [entrant for entrant in cohort.entrants if cells.complete(entrant)] if cells.scored else []
    found = _standings(cells, complete, reference, resamples, seed)
    placed = dict(zip(complete, found.methods, strict=True)) if found else {}
    reached = dict(zip(cells.scored, found.reach_on, strict=True)) if found else {}
    timing = timing_of(cohort, workloads)
    rows = [row_of(cells, entrant, placed.get(entrant), timing, reference) for entrant in cohort.entrants]
    counting = {name: frozenset(seeds) for name, seeds in cells.seeds.items()}
    return Leaderboard(
        key=cohort.key,
        rows=tuple(sorted(rows, key=_order)),
        workloads=tuple(column_of(cells, workloads[name], reached.get(name)) for name in cohort.workloads),
        record_ids=tuple(sorted(f"{record.trial_id}.{record.attempt}" for record in cohort.cells.values())),
        digest=_digest(cohort.cells.values()),
        reference=REFERENCE_METHOD if reference in placed else None,
        reach=found.reach if found else None,
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


def _standings(
    cells: Cells, complete: list[Entrant], reference: Entrant | None, resamples: int, seed: int
) -> Standings | None:
    if not complete:
        return None
    results = {entrant: cells.of(entrant) for entrant in complete}
    blocks = [
        np.array([[score(record, cells.workloads[name]) for record in results[entrant][name]] for entrant in complete])
        for name in cells.scored
    ]
    place = complete.index(reference) if reference in complete else None
    return standings(blocks, reference=place, resamples=resamples, seed=seed)


def _digest(records: Iterable[Record]) -> str:
    """Digest the content and not the ids alone, which would not tell that a result was changed."""
    sums = sorted(content_digest(record) for record in records)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:12]


def _reference(cohort: Cohort) -> Entrant | None:
    named = [
        entrant for entrant in cohort.entrants if not entrant.variant and name_of(cohort, entrant) == REFERENCE_METHOD
    ]
    return named[0] if named else None


def _order(row: LeaderboardRow) -> tuple[object, ...]:
    return row.variant, row.score is None, -(row.score or 0.0), row.method, row.expression
