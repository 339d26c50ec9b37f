"""Check a record against itself: its summary follows from its history, and its history from its plan.

A run writes a number in several places: the last evaluation is the metrics, the first is the untrained generator, and
status and course are functions of all of them. Whoever edits one place has to find the others.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from bench.config.protocol import AVERAGE
from bench.config.trial import declared_pace, evaluation_count, has_parts_from_elsewhere
from bench.config.workload import Workload, primary_of
from bench.metrics.catalogue import about
from bench.report.marks import marks
from bench.statistics.damage import bounds
from bench.store.journal import differing_fields
from bench.store.record import Record
from bench.store.times import moment
from bench.training.blocks import BLOCK_STEPS, block_ends
from bench.training.trajectory import status_of, trajectory_metrics

ROUNDING: Final = 1e-9
"""By how much a logarithm may differ among machines, relatively. What is only copied is equal to the last bit."""

CLOCK_SECONDS: Final = 2.0
"""Dates are written to the second."""

DECISIVE: Final = ("discriminator_loss", "generator_loss", "discriminator_gradient_norm", "generator_gradient_norm")
"""A run ends with the first of these that is not finite; its block's mean is missing then."""

_SHARES: Final = (
    *("discriminator_accuracy", "discriminator_saturation", "generator_dead_fraction"),
    *("discriminator_gradient_spike", "generator_gradient_spike"),
)
"""Monitors that are shares of something."""


def self_contradictions(record: Record, workload: Workload) -> Iterator[str]:
    """Yield how a record contradicts itself, each as a sentence about the file without its subject."""
    impossible = next(_impossible(record), "")
    if impossible:  # what follows from such a plan cannot be said
        yield impossible
        return
    yield from _dates(record)
    if record.is_lost:
        yield from _lost(record)
        return
    if not record.history.evaluations:
        yield "is of a run that ended, and has no evaluations"
        return
    cut = next(_cut(record), "")
    if cut:  # what was computed from the whole of it would all be said to be wrong
        yield cut
        return
    yield from _summary(record, workload)
    yield from _judgment(record, workload)
    yield from _limits(record, workload)
    yield from _costs(record)
    yield from marks(record)


def _impossible(record: Record) -> Iterator[str]:
    spec = record.spec
    for name in ("steps", "evaluate_every", "samples", "batch_size", "critic_steps"):
        if getattr(spec, name) < 1:
            yield f"has {name} {getattr(spec, name)}, which must be 1 or more"
    if spec.evaluate_every > spec.steps:
        yield f"is evaluated every {spec.evaluate_every:,} steps, and has {spec.steps:,}"
    if spec.seed < 0:
        yield f"has the seed {spec.seed}, and seeds count from 0"


def _dates(record: Record) -> Iterator[str]:
    started, finished = moment(record.started_at), moment(record.finished_at)
    for name, text, date in (("began", record.started_at, started), ("ended", record.finished_at, finished)):
        if date is None:
            yield f"{name} at {text[:40]!r}, which is no date with a time zone"
    if started is None or finished is None:
        return
    if finished < started:
        yield f"ended at {record.finished_at}, before it began at {record.started_at}"
        return
    # The seconds are those of all attempts that went on from each other, and the dates are the last one's.
    took = (finished - started) / timedelta(seconds=1) + (record.cost.get("earlier_seconds") or 0.0)
    for name in ("train_seconds", "evaluation_seconds"):
        seconds = record.cost.get(name)
        if seconds is not None and seconds > took + CLOCK_SECONDS:
            yield f"says {name} {seconds:.0f}, and took {took:.0f} seconds in all"


def _lost(record: Record) -> Iterator[str]:
    """An attempt that was stopped or broke has left nothing behind, and says what happened."""
    left = [name for name in ("metrics", "stability", "cost") if getattr(record, name)]
    if record.history.evaluations or record.history.training:
        left.append("history")
    if left:
        yield f"ended in status {record.status}, and has the {' and '.join(left)} of a run that ended by itself"
    if not record.message:
        yield f"ended in status {record.status}, and does not say why"


def _cut(record: Record) -> Iterator[str]:
    """A history has every evaluation and every block of the steps that were made, and nothing else."""
    spec, history = record.spec, record.history
    completed = record.stability.get("completed_steps")
    if completed is None or not 0 < completed <= spec.steps or completed != int(completed):
        yield f"completed {completed} steps of {spec.steps:,}"
        return
    early = completed < spec.steps
    if early and record.stability.get("first_nonfinite_step") is None:
        yield f"ended after {completed:,.0f} steps of {spec.steps:,}, and every number was finite"
    steps = [evaluation.step for evaluation in history.evaluations]
    count = evaluation_count(spec, int(completed))
    # Counted first, since a plan may name more steps than a list can have.
    if len(steps) != count or steps != [min(index * spec.evaluate_every, spec.steps) for index in range(count)]:
        yield f"has {len(steps)} evaluations, and {count:,} at the planned steps belong to {completed:,.0f} steps"
    blocks = history.training.get("step", [])
    if len(blocks) < completed // BLOCK_STEPS or blocks != block_ends(int(completed), spec.evaluate_every):
        yield f"has {len(blocks)} blocks of monitors that are not those of {completed:,.0f} steps"
    for name, values in history.training.items():
        if len(values) != len(blocks):
            yield f"has {len(values)} values of {name} in {len(blocks)} blocks"


def _summary(record: Record, workload: Workload) -> Iterator[str]:
    """The metrics are the last evaluation's, and the distances of the first, the best and real data."""
    metrics, evaluations = record.metrics, record.history.evaluations
    primary = primary_of(workload)
    distances = [evaluation.metrics.get(primary) for evaluation in evaluations]
    trained = [distance for distance in distances[1:] if distance is not None]
    expected: dict[str, tuple[float | None, str]] = {
        name: (value, "the last evaluation") for name, value in evaluations[-1].metrics.items()
    }
    for name in ("distance", primary):
        expected[name] = distances[-1], "the last evaluation"
        expected[f"{name}_init"] = distances[0], "the evaluation at step 0"
        expected[f"{name}_best"] = min(trained, default=None), "the best evaluation"
    expected["distance_floor"] = metrics.get(f"{primary}_floor"), f"{primary}_floor"
    if f"{AVERAGE}{primary}" in metrics or f"{AVERAGE}distance" in metrics:
        expected[f"{AVERAGE}distance"] = metrics.get(f"{AVERAGE}{primary}"), f"{AVERAGE}{primary}"
    for name, (value, where) in expected.items():
        if metrics.get(name) != value:
            yield f"has {name} {_number(metrics.get(name))}, and {where} has {_number(value)}"


def _judgment(record: Record, workload: Workload) -> Iterator[str]:
    """Status and course are what the evaluations say, and a number that is not finite has left a hole."""
    primary = primary_of(workload)
    distances = [evaluation.metrics.get(primary) for evaluation in record.history.evaluations]
    nonfinite = record.stability.get("first_nonfinite_step")
    if nonfinite is not None and not 0 <= nonfinite < record.spec.steps:
        yield f"calls step {nonfinite:g} of {record.spec.steps:,} the first that was not finite"
        return
    status = status_of(distances, None if nonfinite is None else int(nonfinite))
    if status != record.status:
        yield f"has status {record.status}, and its evaluations say {status}"
    training = record.history.training
    holes = any(value is None for name in DECISIVE for value in training.get(name, []))
    if holes != (nonfinite is not None) and all(name in training for name in DECISIVE):
        says = "says that all were finite" if holes else f"says that step {nonfinite:.0f} was the first that was not"
        yield f"has monitors that {'are not all' if holes else 'are all'} finite, and {says}"
    computed = trajectory_metrics(record.history.evaluations, primary, record.metrics.get(f"{primary}_floor"))
    for name, value in computed.items():
        if not _close(record.stability.get(name), value):
            yield f"has {name} {_number(record.stability.get(name))}, and its evaluations give {_number(value)}"


def _limits(record: Record, workload: Workload) -> Iterator[str]:
    """Every number that is measured is finite and within its bounds: no more modes than there are, shares up to 1."""
    places = [("its summary", record.metrics)]
    places += [
        (f"the evaluation at step {evaluation.step:,}", evaluation.metrics) for evaluation in record.history.evaluations
    ]
    for where, metrics in places:
        for name, value in metrics.items():
            if value is not None and not _within(name, value, workload):
                yield f"has {name} {value:g} in {where}, which cannot be"
    for name in _SHARES:
        values = [value for value in record.history.training.get(name, []) if value is not None]
        if any(not -ROUNDING <= value <= 1.0 + 1e-6 for value in values):
            yield f"has a {name} that is no share between 0 and 1"
    steps = [evaluation.step for evaluation in record.history.evaluations]
    assert all(before < after for before, after in pairwise(steps)), "a cut history was refused"


def _within(name: str, value: float, workload: Workload) -> bool:
    if not math.isfinite(value):
        return False
    if about(name) is None:
        return True
    low, high = bounds(name, workload)
    slack = ROUNDING * max(1.0, abs(value))
    return (low is None or value >= low - slack) and (high is None or value <= high + slack)


def _costs(record: Record) -> Iterator[str]:
    spec, cost = record.spec, record.cost
    seen = cost.get("discriminator_images")
    updates = spec.critic_steps * declared_pace(spec.method) * (record.stability.get("completed_steps") or 0)
    made = 2 * spec.batch_size * updates
    multiple = has_parts_from_elsewhere(record.components) and seen and made and seen % made == 0
    if seen != made and not multiple:
        yield f"showed the discriminator {_number(seen)} images, and its steps have {made:,.0f}"
    pace, images = cost.get("steps_per_second"), cost.get("images_per_second")
    if not _close(images, None if pace is None else pace * spec.batch_size):
        yield f"has images_per_second {_number(images)}, and steps_per_second {_number(pace)}"


def _close(recorded: float | None, expected: float | None) -> bool:
    if recorded is None or expected is None:
        return recorded is expected
    return math.isclose(recorded, expected, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.10g}"


def attempt_contradictions(attempts: Sequence[Record]) -> Iterator[tuple[Record, str]]:
    """Yield the attempts of one trial that no run makes, in their order, each with what is wrong.

    A trial is trained again after a timeout or an error, and where numbers of a judge, such as FID, are wanted that its
    record has not or has with other weights. Whoever trains again after a result could keep the better one; an attempt
    that was lost on the way to those numbers is none to keep.
    """
    result: Record | None = None
    for before, after in pairwise(attempts):
        result = result if before.is_lost else before
        if result is not None and not after.is_lost:
            if not after.is_judged_beyond(result):
                yield after, f"is another attempt after a result ({result.status})"
            elif _alike(result, after) and (differing := differing_fields(result, after)):
                yield after, f"is the same run again on the same kind of machine, and differs in {', '.join(differing)}"
        ended, began = moment(before.finished_at), moment(after.started_at)
        if ended and began and ended - began > timedelta(seconds=CLOCK_SECONDS):
            yield after, f"began at {after.started_at}, before attempt {before.attempt} had ended"


def _alike(before: Record, after: Record) -> bool:
    """Say whether two attempts must have the same numbers."""
    if before.environment is None or after.environment is None:
        return False
    return before.environment.fingerprint == after.environment.fingerprint
