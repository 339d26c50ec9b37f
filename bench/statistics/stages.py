"""What a trial had reached at an earlier evaluation: score and rank against the budget, without training anything.

Nothing in training knows how long it will be, so that a trial of 3,000 steps was, at step 600, a trial of 600 steps.
"""

from collections.abc import Iterable, Mapping

import msgspec

from bench.config.protocol import AVERAGE
from bench.config.workload import Workload, primary_of
from bench.statistics.scores import is_result
from bench.store.record import EvaluationsAlone, Record, UnreadHistory, content_digest
from bench.training.trajectory import status_of

_OF_THE_WHOLE = ("distance_best", "fd_best", "sliced_w2_best")
"""Metrics of all evaluations together."""


def steps_of(records: Iterable[Record]) -> list[int]:
    """Return the steps at which any of the records has an evaluation of a trained generator, in order."""
    kept = list(records)
    return sorted(
        {evaluation.step for record in kept for evaluation in record.history.evaluations if evaluation.step > 0}
        | {record.spec.steps for record in kept}
    )


def at_step(record: Record, workload: Workload, step: int) -> Record | None:
    """Return the record as if its trial had ended at an evaluation; None if it says nothing about that step.

    The spec's steps, the metrics and the status are those at the step. The metrics of the moving average, which is
    measured at the end alone, are gone, and so are the curves. A run that stopped before the step has failed there too,
    also where its next evaluation was still finite: blocks are read late.

    Args:
        record: with its evaluations.
        workload: of the record.
        step: an evaluation's, in generator updates.
    """
    if step == record.spec.steps:
        return record
    if step > record.spec.steps or not is_result(record):
        return None
    primary = primary_of(workload)
    evaluations = [evaluation for evaluation in record.history.evaluations if evaluation.step <= step]
    distances = [evaluation.metrics.get(primary) for evaluation in evaluations]
    reached = bool(evaluations) and evaluations[-1].step == step
    stopped = record.status == "nonfinite" and _made_before_nonfinite(record) < step
    if not reached and not stopped:
        return None
    measured = evaluations[-1].metrics if reached else {}
    every = set().union(*(evaluation.metrics for evaluation in record.history.evaluations))
    constants = {
        name: value
        for name, value in record.metrics.items()
        if name not in every and name != "distance" and name not in _OF_THE_WHOLE and not name.startswith(AVERAGE)
    }
    return msgspec.structs.replace(
        record,
        spec=msgspec.structs.replace(record.spec, steps=step),
        status="nonfinite" if stopped else status_of(distances, None),
        metrics={**constants, **measured, "distance": measured.get(primary)},
        history=UnreadHistory(digest=f"{_content(record)}@{step}"),
    )


def all_at_step(records: Iterable[Record], workloads: Mapping[str, Workload], step: int) -> list[Record]:
    """Return the records of `at_step` for all that say something about the step."""
    stages = (at_step(record, workloads[record.spec.workload], step) for record in records)
    return [record for record in stages if record is not None]


def _made_before_nonfinite(record: Record) -> float:
    """Return how many steps a run made before one was not finite: the record counts that one from 0.

    Where none is recorded, it was a sample that was not finite: all steps to the last evaluation.
    """
    first = record.stability.get("first_nonfinite_step")
    return first if first is not None else max((one.step for one in record.history.evaluations), default=0)


def _content(record: Record) -> str:
    """Name a record by its content where that is known, else by its file: a digest takes longer than all the rest."""
    known = isinstance(record.history, EvaluationsAlone)
    return content_digest(record) if known else f"{record.trial_id}.{record.attempt}"
