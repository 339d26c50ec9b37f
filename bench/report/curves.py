"""What the figures draw, read from records: plain lists of points, free of any plotting."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.config.workload import Workload
from bench.store.record import Record

Points = list[tuple[float, float]]
Array = NDArray[np.float64]

MOST_BLOCKS: Final = 150
"""How many blocks of a training monitor a curve has at most; of more, every k-th is drawn."""


@dataclass(frozen=True)
class Line:
    """One seed's curve, in the order of steps; `ended` says that the run failed after the last point."""

    seed: int
    points: Points
    ended: bool = False


@dataclass(frozen=True)
class Band:
    """Median and quartiles over seeds at each step; `None` where there is none to draw.

    A quartile that lies among the runs that have failed by then is `None` too: it is off every scale.
    """

    steps: list[float]
    low: list[float | None]
    middle: list[float | None]
    high: list[float | None]

    @property
    def points(self) -> Points:
        """The median's points."""
        return [(x, y) for x, y in zip(self.steps, self.middle, strict=True) if y is not None]


@dataclass(frozen=True)
class Monitor:
    """One training monitor worth a figure."""

    name: str
    title: str
    unit: str
    reading: str
    logarithmic: bool


MONITORS = (
    Monitor(
        "generator_signal",
        "Gradient that reaches a generated image",
        "median |dL_G/dx| of a batch, times its size",
        "The median length of the generator loss's gradient with respect to one generated image. A line that sinks by "
        "orders of magnitude is a vanishing gradient: the generator is no longer told what to change. Losses differ "
        "in scale, so read the shape of each line and not the heights between lines.",
        logarithmic=True,
    ),
    Monitor(
        "discriminator_accuracy",
        "How often the discriminator ranks a real image above a generated one",
        "P[a > b]",
        "One half means that it cannot tell them apart; one means that it always can. A line glued to the top says "
        "that the discriminator has won, which starves some losses of their signal and leaves others unharmed.",
        logarithmic=False,
    ),
)


def distance_lines(records: Iterable[Record], workload: Workload) -> list[Line]:
    """Return the primary distance at every evaluation, one line per seed; the untrained generator stands at step 0."""
    primary = "sliced_w2" if workload.is_toy else "fd"
    lines = []
    for record in sorted(records, key=lambda record: record.spec.seed):
        values = [(evaluation.step, evaluation.metrics.get(primary)) for evaluation in record.history.evaluations]
        lines.append(Line(record.spec.seed, _finite(values, positive=True), ended=record.status != "ok"))
    return [line for line in lines if line.points]


def monitor_lines(records: Iterable[Record], monitor: Monitor) -> list[Line]:
    """Return a training monitor's block means, one line per seed; of more than `MOST_BLOCKS`, every k-th block."""
    kept = sorted(records, key=lambda record: record.spec.seed)
    blocks = max((len(record.history.training.get("step", [])) for record in kept), default=0)
    stride = max(1, math.ceil(blocks / MOST_BLOCKS))
    lines = []
    for record in kept:
        training = record.history.training
        steps = [step or 0.0 for step in training.get("step", [])[::stride]]
        values = list(zip(steps, training.get(monitor.name, [])[::stride], strict=False))
        lines.append(Line(record.spec.seed, _finite(values, positive=monitor.logarithmic), ended=record.status != "ok"))
    return [line for line in lines if line.points]


def band(lines: Sequence[Line], *, missing_is_worst: bool) -> Band:
    """Return the median and the quartiles over seeds at every step that any of them has.

    Args:
        lines: one a seed.
        missing_is_worst: a run that has ended counts as infinite from then on, as it does in the table. If
            not, those still going are summarized while they are at least half of all.
    """
    steps = sorted({x for line in lines for x, _ in line.points})
    if not steps:
        return Band([], [], [], [])
    column_of = {x: column for column, x in enumerate(steps)}
    values = np.full((len(lines), len(steps)), np.inf)
    for row, line in enumerate(lines):
        values[row, [column_of[x] for x, _ in line.points]] = [y for _, y in line.points]
    going = np.isfinite(values).sum(axis=0)
    counted = np.full(len(steps), len(lines)) if missing_is_worst else np.where(2 * going < len(lines), 0, going)
    low, middle, high = (_quantiles(np.sort(values, axis=0), counted, share) for share in (0.25, 0.5, 0.75))
    return Band(steps, low, middle, high)


def _quantiles(ordered: Array, counted: NDArray[np.int64], share: float) -> list[float | None]:
    """Return a quantile of the first `counted` values of each column, interpolated as numpy does; none of none."""
    position = share * np.maximum(counted - 1, 0)
    below = np.floor(position).astype(np.int64)
    columns = np.arange(ordered.shape[1])
    lower, upper = ordered[below, columns], ordered[np.minimum(below + 1, np.maximum(counted - 1, 0)), columns]
    share_above = position - below
    quantiles = [
        low if part == 0 else low + part * (high - low) if math.isfinite(high) else math.inf
        for low, high, part in zip(lower.tolist(), upper.tolist(), share_above.tolist(), strict=True)
    ]
    return [
        value if count and math.isfinite(value) else None
        for value, count in zip(quantiles, counted.tolist(), strict=True)
    ]


def at_step(drawn: Band, step: float) -> float | None:
    """Return the middle at a step; None where it has none there, as after most runs have failed."""
    return dict(zip(drawn.steps, drawn.middle, strict=True)).get(step)


def limits(groups: Iterable[Sequence[Line]], extra: Iterable[float | None] = ()) -> tuple[float, float] | None:
    """Return the smallest and the largest value drawn, so that panels beside each other share their axis."""
    values = [y for lines in groups for line in lines for _, y in line.points]
    values += [value for value in extra if value is not None and value > 0]
    return (min(values), max(values)) if values else None


def _finite(values: Iterable[tuple[float, float | None]], *, positive: bool) -> Points:
    return [(x, y) for x, y in values if y is not None and math.isfinite(y) and (y > 0 or not positive)]
