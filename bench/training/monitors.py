"""What is watched during training: rows that stay on the device and are read one flush late, so that no step waits."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic

import torch
from torch import Tensor

from bench.training.observations import (
    DiscriminatorRow,
    GeneratorRow,
    Row,
    discriminator_statistics,
    generator_statistics,
    logit_slopes,
    share_below,
)

MONITORS: Final = (
    "discriminator_loss",
    "generator_loss",
    "discriminator_gradient_norm",
    "generator_gradient_norm",
    "logit_gap",
    "discriminator_accuracy",
    "generator_signal",
    "generator_weight",
    "diversity_ratio",
    "discriminator_saturation",
    "generator_dead_fraction",
    "discriminator_update_ratio",
    "generator_update_ratio",
    "discriminator_gradient_spike",
    "generator_gradient_spike",
)
"""One value a step each; of several updates of the discriminator in a step, the last one is watched.

- logit_gap: E[a] - E[b], with a the logits on reals and b on fakes; where an objective has a vector head, its critic.
- discriminator_accuracy: P[a_i > b_j] over the batch, free of any threshold, so it reads the same for every loss.
- generator_signal: median over samples of B * |dL_G/dx_f|, the gradient that reaches a generated sample.
- generator_weight: sum of |dL_G/db| over the logits, the loss's share of that signal; the rest is D's Jacobian.
- diversity_ratio: tr Cov(fake batch) / tr Cov(real batch), both of the discriminator's update.
- discriminator_saturation: share of the 2B logits whose slope B * |dL_D/dlogit| is below `SATURATION_SHARE` of the
  largest slope of the run's first `REFERENCE_STEPS` steps (of those so far, while they last).
- generator_dead_fraction: share of samples whose B * |dL_G/dx_f| is below `DEAD_SIGNAL`.
- discriminator_update_ratio, generator_update_ratio: |dtheta| / |theta| of one update, constraints included; measured
  on every `UPDATE_RATIO_EVERY`-th step, NaN on the others.
- discriminator_gradient_spike, generator_gradient_spike: 1 where the gradient norm exceeds `SPIKE_FACTOR` times its
  exponential moving average over the steps before, else 0.
"""

SPARSE_MONITORS: Final = frozenset({"discriminator_update_ratio", "generator_update_ratio"})
"""Measured on some steps only: NaN stands for a step without a measurement."""

UPDATE_RATIO_EVERY: Final = 25
"""Steps between two measurements of the update ratios, each of which copies the weights once."""

REFERENCE_STEPS: Final = 100
"""The first steps of a run, in which a loss shows how steep it can be: later slopes are measured against them."""

SATURATION_SHARE: Final = 1e-2
SPIKE_FACTOR: Final = 10.0
SPIKE_DECAY: Final = 0.99

_DECISIVE: Final = MONITORS[:4]
"""A run ends with the first of these that is not finite; a ratio may be 0/0 in a healthy one."""


class Saturation:
    """The share of a discriminator's logits at which its loss is flat, by what the same loss showed at first.

    Losses differ in scale, and many have no steepest slope, so the reference is taken from the run itself: the largest
    slope of the first `steps` steps, fixed from then on, so that a later spike does not pass for the scale.
    """

    def __init__(self, steps: int = REFERENCE_STEPS) -> None:
        self._left = steps
        # Positive, so that a loss that is flat everywhere from its first update is saturated, too.
        self._largest = torch.full((1,), 1e-30)

    def snapshot(self) -> tuple[int, Tensor]:
        return self._left, self._largest

    def restore(self, state: tuple[int, Tensor]) -> None:
        self._left, self._largest = state

    def shares(self, slopes: Tensor) -> Tensor:
        """Return the share of slopes that are below `SATURATION_SHARE` of the reference, [S], of the next S steps."""
        early = slopes[: self._left].amax(dim=1)
        self._left -= len(early)
        grown = torch.cat([self._largest, early]).cummax(dim=0).values
        self._largest = grown[-1:]
        reference = torch.cat([grown[1:], self._largest.expand(len(slopes) - len(early))])
        return share_below(slopes, SATURATION_SHARE * reference[:, None])


class _Spikes:
    """Where a norm leaps above its own average; the average forgets, and does not start at 0."""

    def __init__(self) -> None:
        self._sum = self._weight = 0.0

    def snapshot(self) -> tuple[float, float]:
        return self._sum, self._weight

    def restore(self, state: tuple[float, float]) -> None:
        self._sum, self._weight = state

    def of(self, norms: Tensor) -> Tensor:
        spikes = []
        for norm in norms.tolist():
            # Nothing is above an average of nothing.
            spikes.append(self._weight > 0 and norm > SPIKE_FACTOR * self._sum / self._weight)
            self._sum += (1 - SPIKE_DECAY) * (norm - self._sum)
            self._weight += (1 - SPIKE_DECAY) * (1 - self._weight)
        return torch.tensor(spikes, dtype=torch.float32)


@dataclass(frozen=True)
class Block:
    """The monitors of the steps up to `last_step`: `values` is [steps, len(MONITORS)] float32 on the host."""

    last_step: int
    values: Tensor
    first_nonfinite_step: int | None

    def means(self) -> dict[str, float | None]:
        """Return each monitor's mean over the block, `None` where it is not finite.

        Sparse monitors are averaged over the steps that measured them; `None` where none did.
        """
        values = self.values.double()
        means = dict(zip(MONITORS, values.mean(dim=0).tolist(), strict=True))
        measured = dict(zip(MONITORS, values.nanmean(dim=0).tolist(), strict=True))
        means |= {name: measured[name] for name in SPARSE_MONITORS}
        return {name: value if math.isfinite(value) else None for name, value in means.items()}


class Readings:
    """Makes blocks of what steps say, and remembers from block to block what a later one is measured against."""

    def __init__(self) -> None:
        self._spikes = {player: _Spikes() for player in ("discriminator", "generator")}
        self._first_nonfinite: int | None = None

    def snapshot(self) -> dict[str, Any]:
        return {
            "spikes": {player: spikes.snapshot() for player, spikes in self._spikes.items()},
            "first_nonfinite": self._first_nonfinite,
        }

    def restore(self, state: dict[str, Any]) -> None:
        for player, spikes in self._spikes.items():
            spikes.restore(state["spikes"][player])
        self._first_nonfinite = state["first_nonfinite"]

    def block(self, last_step: int, steps: Sequence[int], statistics: Mapping[str, Tensor]) -> Block:
        """Return a block from every monitor but the spikes, [S] each, of the next S steps."""
        spikes = {
            f"{player}_gradient_spike": spikes.of(statistics[f"{player}_gradient_norm"])
            for player, spikes in self._spikes.items()
        }
        values = torch.stack([{**statistics, **spikes}[name] for name in MONITORS], dim=1)
        decisive = torch.stack([statistics[name] for name in _DECISIVE], dim=1)
        if self._first_nonfinite is None:
            bad = ~decisive.isfinite().all(dim=1)
            self._first_nonfinite = next((step for step, ended in zip(steps, bad.tolist(), strict=True) if ended), None)
        return Block(last_step, values, self._first_nonfinite)


class Monitors:
    """A buffer of `capacity` steps on the device, flushed to the host asynchronously and read one flush late."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity = capacity
        # Where the next row goes: a number on the device, for a step that is replayed.
        self._place = torch.zeros(1, dtype=torch.int64, device=device)
        self._discriminator: _Rows[DiscriminatorRow] | None = None
        self._generator: _Rows[GeneratorRow] | None = None
        self._steps: list[int] = []
        self._in_flight: tuple[int, list[int], _Copy, _Copy] | None = None
        self._read: Block | None = None
        """The block that was in flight when a snapshot was taken: it is returned when its turn comes."""
        self._saturation = Saturation()
        self._readings = Readings()

    def record(self, step: int, discriminator: DiscriminatorRow, generator: GeneratorRow) -> None:
        """Store what is watched of one step; nothing is read back."""
        self.begin(step)
        self.watch_discriminator(discriminator)
        self.watch_generator(generator)

    def begin(self, step: int) -> None:
        """Choose the step of which rows are stored from here on."""
        self._place.fill_(len(self._steps))
        self._steps.append(step)

    def watch_discriminator(self, row: DiscriminatorRow) -> None:
        """Store the row of the step that was begun, on the device alone; of several, the last one stays."""
        if self._discriminator is None:
            self._discriminator = _Rows(row, self._capacity)
        self._discriminator.store(self._place, row)

    def watch_generator(self, row: GeneratorRow) -> None:
        """Store the row of the step that was begun, on the device alone."""
        if self._generator is None:
            self._generator = _Rows(row, self._capacity)
        self._generator.store(self._place, row)

    def flush(self, last_step: int) -> Block | None:
        """Start copying what was recorded to the host, and return the block before it, if there is one."""
        previous = self.drain()
        if self._discriminator is not None and self._generator is not None:
            count = len(self._steps)
            copies = _Copy(self._discriminator.buffer[:count]), _Copy(self._generator.buffer[:count])
            self._in_flight = (last_step, self._steps, *copies)
        self._steps = []
        return previous

    def drain(self) -> Block | None:
        """Wait for the copy in flight and return its block."""
        read, self._read = self._read, None
        if read is not None:
            return read
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is None:
            return None
        last_step, steps, discriminator_copy, generator_copy = in_flight
        assert self._discriminator is not None
        assert self._generator is not None
        discriminator = self._discriminator.read(discriminator_copy.wait())
        generator = self._generator.read(generator_copy.wait())
        statistics = discriminator_statistics(discriminator) | generator_statistics(generator)
        statistics["discriminator_saturation"] = self._saturation.shares(logit_slopes(discriminator))
        statistics["discriminator_update_ratio"] = discriminator.update_ratio
        statistics["generator_update_ratio"] = generator.update_ratio
        return self._readings.block(last_step, steps, statistics)

    def snapshot(self) -> dict[str, Any]:
        """Return what later blocks are measured against, and the block in flight; taken between a flush and a step."""
        assert not self._steps
        self._read = self.drain()
        return {
            "in_flight": None if self._read is None else dataclasses.astuple(self._read),
            "saturation": self._saturation.snapshot(),
            "readings": self._readings.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `snapshot` returned."""
        self._read = None if state["in_flight"] is None else Block(*state["in_flight"])
        self._saturation.restore(state["saturation"])
        self._readings.restore(state["readings"])


class _Rows(Generic[Row]):
    """The rows of one player on the device, their fields joined in order."""

    def __init__(self, like: Row, capacity: int) -> None:
        self._kind: Callable[..., Row] = type(like)
        self._shapes = [field.shape for field in like]
        self._widths = [field.numel() for field in like]
        self.buffer = torch.zeros(capacity, sum(self._widths), device=like.loss.device)

    def store(self, index: Tensor, row: Row) -> None:
        self.buffer.index_copy_(0, index, torch.hstack(row)[None])

    def read(self, rows: Tensor) -> Row:
        """Return S rows of the buffer as one whose fields are [S] and [S, n]."""
        fields = zip(rows.split(self._widths, dim=1), self._shapes, strict=True)
        return self._kind(*(field.reshape(len(rows), *shape) for field, shape in fields))


class _Copy:
    """A copy to pinned host memory that the host waits for only when it reads it."""

    def __init__(self, rows: Tensor) -> None:
        self._rows = torch.empty(rows.shape, pin_memory=rows.is_cuda)
        self._rows.copy_(rows, non_blocking=rows.is_cuda)
        self._event = torch.cuda.Event() if rows.is_cuda else None
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(rows.device))

    def wait(self) -> Tensor:
        if self._event is not None:
            self._event.synchronize()
        return self._rows
