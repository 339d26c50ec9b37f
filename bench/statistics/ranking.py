"""The leaderboard: records in, rows with scores, ranks and verdicts out. No bare first place."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.config.protocol import REFERENCE_METHOD
from bench.config.workload import Workload
from bench.statistics.best import FLIPS
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.comparable_groups import ComparableGroup, MethodKey, comparable_groups
from bench.statistics.counted import Cells, cells_of, timing_of
from bench.statistics.damage import refuse_damaged
from bench.statistics.estimates import Estimates, estimate_methods
from bench.statistics.iterations import iterations
from bench.statistics.judged import judged_columns
from bench.statistics.rows import column_of, name_of, row_names, row_of
from bench.statistics.scores import is_result, score
from bench.store.journal import latest_attempts
from bench.store.kernels import KernelRecord
from bench.store.record import Record, content_digest


def rank(
    records: Iterable[Record],
    workloads: Mapping[str, Workload],
    *,
    resamples: int = FLIPS,
    seed: int = 0,
    kernels: Sequence[KernelRecord] = (),
) -> list[Leaderboard]:
    """Turn records into leaderboards, one for each group of comparable records.

    Rows are sorted by the score, the mean over counting workloads of the mean over counting seeds; incomplete methods
    and variants follow without one. A workload whose real data give it no scale is in no score; if none is left,
    nobody is ranked.

    Args:
        records: every record; of each trial the last attempt is used.
        workloads: by name, all that the records ran on.
        resamples: sign patterns of the ranks and of the comparisons with the best, where there are too many to try.
        seed: of everything that is drawn.
        kernels: the kernel records of the same folder. If they have all methods of a table, what these cost comes from
            there, and no time of a trial is shown.

    Raises:
        ValueError: a record is damaged, or ran on an unknown workload.
    """
    kept = latest_attempts(records)
    refuse_damaged(kept, workloads)
    boards = [_leaderboard(group, workloads, resamples, seed) for group in comparable_groups(kept, workloads)]
    return [_with_iterations(board, workloads, kernels) for board in boards] if kernels else boards


def _with_iterations(
    board: Leaderboard, workloads: Mapping[str, Workload], kernels: Sequence[KernelRecord]
) -> Leaderboard:
    """Return the table with what its methods cost by kernel records, and no time of a trial, if these have them all."""
    timed_on = (workloads[name] for name in board.timed)
    measured = iterations(board.key, (row.expression for row in board.rows), timed_on, kernels)
    if measured is None:
        return board
    rows = tuple(
        replace(
            row,
            iteration=measured.costs[row.expression],
            images_per_second=None,
            relative_throughput=None,
            relative_discriminator_update=None,
            cost_pairs=0,
        )
        for row in board.rows
    )
    return replace(board, rows=rows, iterations=measured)


def _leaderboard(group: ComparableGroup, workloads: Mapping[str, Workload], resamples: int, seed: int) -> Leaderboard:
    cells = cells_of(group, workloads)
    reference = _reference(group)
    complete = [method for method in group.methods if cells.complete(method)] if cells.scored else []
    estimates = _estimates(cells, complete, reference, resamples, seed)
    placed = dict(zip(complete, estimates.methods, strict=True)) if estimates else {}
    reached = dict(zip(cells.scored, estimates.reach_on, strict=True)) if estimates else {}
    timing = timing_of(group, workloads)
    rows = [
        row_of(cells, method, name, placed.get(method), timing, reference)
        for method, name in row_names(group, reference).items()
    ]
    counting = {name: frozenset(seeds) for name, seeds in cells.seeds.items()}
    return Leaderboard(
        key=group.key,
        rows=tuple(sorted(rows, key=_order)),
        workloads=tuple(column_of(cells, workloads[name], reached.get(name)) for name in group.workloads),
        record_ids=tuple(sorted(f"{record.trial_id}.{record.attempt}" for record in group.cells.values())),
        digest=_digest(group.cells.values()),
        reference=REFERENCE_METHOD if reference in placed else None,
        reach=estimates.reach if estimates else None,
        superseded=group.superseded,
        uncounted=sum(
            is_result(record) and not method.variant and number not in counting.get(name, ())
            for (method, name, number), record in group.cells.items()
        ),
        fingerprints=len({record.environment.fingerprint for record in group.cells.values() if record.environment}),
        timed_on=timing.workload,
        timed_hardware=next(
            (
                record.environment.device_name
                for record in group.cells.values()
                if record.environment and record.environment.fingerprint == timing.hardware
            ),
            "",
        ),
        timed=timing.workloads,
        resamples=resamples,
        seed=seed,
        judged=judged_columns(group, workloads),
    )


def _estimates(
    cells: Cells, complete: list[MethodKey], reference: MethodKey | None, resamples: int, seed: int
) -> Estimates | None:
    if not complete:
        return None
    results = {method: cells.of(method) for method in complete}
    blocks = [
        np.array([[score(record, cells.workloads[name]) for record in results[method][name]] for method in complete])
        for name in cells.scored
    ]
    row = complete.index(reference) if reference in complete else None
    return estimate_methods(blocks, reference=row, resamples=resamples, seed=seed)


def _digest(records: Iterable[Record]) -> str:
    """Digest the content and not the ids alone, which would not tell that a result was changed."""
    sums = sorted(content_digest(record) for record in records)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()[:12]


def _reference(group: ComparableGroup) -> MethodKey | None:
    named = [method for method in group.methods if not method.variant and name_of(group, method) == REFERENCE_METHOD]
    return named[0] if named else None


def _order(row: LeaderboardRow) -> tuple[object, ...]:
    return row.variant, row.score is None, -(row.score or 0.0), row.method, row.expression
