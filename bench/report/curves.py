"""What the figures draw, read from records: plain lists of points, free of any plotting."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.config.workload import Workload
from bench.store.record import Record

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One seed's curve, in the order of steps; `ended` says that the run failed after the last point."""

    seed: int
    points: Points
    ended: bool = False


@dataclass(frozen=True)
class Monitor:
    """One training monitor worth a figure."""

    name: str
    title: str
    reading: str
    logarithmic: bool


MONITORS = (
    Monitor(
        "generator_signal",
        "Gradient that reaches a generated image",
        "The median length of the generator loss's gradient with respect to one generated image. A line that sinks by "
        "orders of magnitude is a vanishing gradient: the generator is no longer told what to change. Loss scales "
        "differ, so read each panel's shape and not the heights between panels.",
        logarithmic=True,
    ),
    Monitor(
        "discriminator_accuracy",
        "How often the discriminator ranks a real image above a generated one",
        "One half means that it cannot tell them apart; one means that it always can. A line glued to the top says "
        "that the discriminator has won, which starves some losses of their signal and leaves others unharmed.",
        logarithmic=False,
    ),
)


def distance_lines(records: Iterable[Record], workload: Workload) -> list[Line]:
    """Return the primary distance at every evaluation, a line a seed; the untrained generator stands at step 0."""
    primary = "sliced_w2" if workload.is_toy else "fd"
    lines = []
    for record in sorted(records, key=lambda record: record.spec.seed):
        values = [(evaluation.step, evaluation.metrics.get(primary)) for evaluation in record.history.evaluations]
        lines.append(Line(record.spec.seed, _finite(values, positive=True), ended=record.status != "ok"))
    return [line for line in lines if line.points]


def monitor_lines(records: Iterable[Record], monitor: Monitor) -> list[Line]:
    """Return a training monitor's block means, a line a seed."""
    lines = []
    for record in sorted(records, key=lambda record: record.spec.seed):
        training = record.history.training
        steps = [step or 0.0 for step in training.get("step", [])]
        values = list(zip(steps, training.get(monitor.name, []), strict=False))
        lines.append(Line(record.spec.seed, _finite(values, positive=monitor.logarithmic), ended=record.status != "ok"))
    return [line for line in lines if line.points]


def median_line(lines: Sequence[Line]) -> Points:
    """Return the median over seeds at every step that all lines reach; a run that ended early stops the median."""
    shared = set.intersection(*({x for x, _ in line.points} for line in lines)) if lines else set()
    by_seed = [dict(line.points) for line in lines]
    return [(x, median(values[x] for values in by_seed)) for x in sorted(shared)]


def limits(groups: Iterable[Sequence[Line]], extra: Iterable[float | None] = ()) -> tuple[float, float] | None:
    """Return the smallest and the largest value drawn, so that panels beside each other share their axis."""
    values = [y for lines in groups for line in lines for _, y in line.points]
    values += [value for value in extra if value is not None and value > 0]
    return (min(values), max(values)) if values else None


def _finite(values: Iterable[tuple[float, float | None]], *, positive: bool) -> Points:
    return [(x, y) for x, y in values if y is not None and math.isfinite(y) and (y > 0 or not positive)]
