"""What is watched during training: kept on the device, read one flush late, so that no step waits for the host."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from losses.pairs import share_above

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
"""One value a step each.

- logit_gap: E[a] - E[b], with a the logits on reals and b on fakes; where an objective has a vector head, its critic.
- discriminator_accuracy: P[a_i > b_j] over the batch, free of any threshold, so it reads the same for every loss.
- generator_signal: median over samples of B * |dL_G/dx_f|, the gradient that reaches a generated sample.
- generator_weight: mean of B * |dL_G/db| over the B logits, the loss's share of that signal; the rest is D's Jacobian.
- diversity_ratio: tr Cov(fake batch) / tr Cov(real batch), the real one being the last that D was shown.
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
DEAD_SIGNAL: Final = 1e-6
SPIKE_FACTOR: Final = 10.0
SPIKE_DECAY: Final = 0.99


DISCRIMINATOR_STATISTICS: Final = ("loss", "gradient_norm", "logit_gap", "accuracy", "saturation")
GENERATOR_STATISTICS: Final = ("loss", "gradient_norm", "signal", "weight", "diversity_ratio", "dead_fraction")
"""What the two functions below return, in their order."""


def discriminator_statistics(
    loss: Tensor, gradient_norm: Tensor, real_critic: Tensor, fake_critic: Tensor, saturation: Tensor
) -> Tensor:
    """Return the `DISCRIMINATOR_STATISTICS` of one discriminator update.

    The critic values are [B], the rest scalars.
    """
    a, b = real_critic.detach().flatten(), fake_critic.detach().flatten()
    return torch.stack([loss.detach(), gradient_norm, a.mean() - b.mean(), share_above(a, b), saturation])


def generator_statistics(
    loss: Tensor, gradient_norm: Tensor, fake_images: Tensor, fake_logits: Tensor, real_variance: Tensor
) -> Tensor:
    """Return the `GENERATOR_STATISTICS` of one generator update.

    The images and logits carry retained gradients; the variance is `total_variance` of a real batch.
    """
    image_gradient = fake_images.grad
    assert image_gradient is not None
    batch = len(fake_images)
    received = torch.linalg.vector_norm(_rows(image_gradient), dim=1)
    strength = _gradient_at(fake_logits)
    weight = strength.mean() * len(strength)
    diversity = total_variance(fake_images.detach()) / real_variance
    dead = _share_below(received, DEAD_SIGNAL / batch)
    return torch.stack([loss.detach(), gradient_norm, received.median() * batch, weight, diversity, dead])


def total_variance(images: Tensor) -> Tensor:
    """Return the trace of a batch's covariance matrix, a scalar in float32."""
    rows = _rows(images)
    return torch.linalg.vector_norm(rows - rows.mean(dim=0), dim=1).square().sum() / (len(rows) - 1)


def logit_slopes(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return B * |dL/dlogit| of the reals and then of the fakes, [2B], from the gradients retained on the logits.

    A vector head has the norm over its outputs; a packed input counts as one of the B.
    """
    return torch.cat([_gradient_at(logits) * len(logits) for logits in (real_logits, fake_logits)])


def _rows(images: Tensor) -> Tensor:
    """Return one row a sample in float32, without a copy where images lie channels last."""
    return images.float().movedim(1, -1).flatten(1)


def _gradient_at(logits: Tensor) -> Tensor:
    # A loss that does not read these logits leaves them without a gradient.
    gradient = torch.zeros_like(logits) if logits.grad is None else logits.grad.float()
    return gradient.abs() if gradient.dim() == 1 else torch.linalg.vector_norm(gradient, dim=1)


def _share_below(values: Tensor, limit: Tensor | float) -> Tensor:
    """Return the share of values below the limit; NaN if a value is not finite, which 0 * value passes on."""
    return torch.where(values < limit, 1.0, 0.0 * values).mean()


def copy_parameters(module: nn.Module) -> list[Tensor]:
    """Return a copy of the parameters, for `update_ratio`."""
    return [parameter.detach().clone() for parameter in module.parameters()]


@torch.no_grad()
def update_ratio(module: nn.Module, before: list[Tensor]) -> Tensor:
    """Return |theta - before| / |before| over all parameters: how far an update moved them."""
    moved = [parameter - old for parameter, old in zip(module.parameters(), before, strict=True)]
    return get_total_norm(moved) / get_total_norm(before)


class Saturation:
    """The share of a discriminator's logits at which its loss is flat, by what the same loss showed at first.

    Losses differ in scale, and many have no steepest slope, so the reference is taken from the run itself: the largest
    slope of the first `updates` updates, fixed from then on, so that a later spike does not pass for the scale.
    """

    def __init__(self, updates: int, device: torch.device) -> None:
        self._updates = updates
        self._seen = torch.zeros((), dtype=torch.int64, device=device)
        # Positive, so that a loss that is flat everywhere from its first update is saturated, too.
        self._largest = torch.full((), 1e-30, device=device)

    def share(self, slopes: Tensor) -> Tensor:
        """Return the share of slopes, [n], that are below `SATURATION_SHARE` of the reference; all on the device."""
        grown = torch.maximum(self._largest, slopes.max())
        self._largest.copy_(torch.where(self._seen < self._updates, grown, self._largest))
        self._seen.add_(1)
        return _share_below(slopes, SATURATION_SHARE * self._largest)


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


class Monitors:
    """A buffer of `capacity` steps on the device, flushed to the host asynchronously and read one flush late."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity = capacity
        self._buffer = torch.zeros(capacity, len(MONITORS), device=device)
        self._first_nonfinite = torch.full((), -1, dtype=torch.int64, device=device)
        # Decayed sums of both gradient norms and of 1: their quotient is an average that does not start at 0.
        self._decayed = torch.zeros(3, device=device)
        self._one = torch.ones((), device=device)
        # Where the next row goes, and the step it is of: numbers on the device, for a step that is replayed.
        self._row = torch.zeros(1, dtype=torch.int64, device=device)
        self._step = torch.zeros((), dtype=torch.int64, device=device)
        self._filled = 0
        self._in_flight: _Copy | None = None

    def record(self, step: int, discriminator: Tensor, generator: Tensor) -> None:
        """Store one step's statistics, each followed by its player's update ratio; nothing is read back."""
        self.place(step)
        self.watch(discriminator, generator)

    def place(self, step: int) -> None:
        """Choose the step that `watch` stores next, and the row it goes to."""
        self._step.fill_(step)
        self._row.fill_(self._filled)
        self._filled += 1

    def watch(self, discriminator: Tensor, generator: Tensor) -> None:
        """Store the statistics of the step that was placed, on the device alone."""
        loss_d, norm_d, gap, accuracy, saturation, ratio_d = discriminator.unbind()
        loss_g, norm_g, signal, weight, diversity, dead, ratio_g = generator.unbind()
        losses, norms = (loss_d, loss_g), (norm_d, norm_g)
        shares, ratios = (saturation, dead), (ratio_d, ratio_g)
        spikes = self._spikes(*norms).unbind()
        row = torch.stack([*losses, *norms, gap, accuracy, signal, weight, diversity, *shares, *ratios, *spikes])
        # Losses and gradient norms decide; a ratio may be 0/0 in a healthy run.
        bad = ~torch.isfinite(row[:4]).all()
        self._first_nonfinite.copy_(torch.where((self._first_nonfinite < 0) & bad, self._step, self._first_nonfinite))
        self._buffer.index_copy_(0, self._row, row[None])

    def _spikes(self, norm_d: Tensor, norm_g: Tensor) -> Tensor:
        norms = torch.stack([norm_d, norm_g, self._one])
        average = self._decayed / self._decayed[2]  # 0/0 at the first step, above which nothing is
        self._decayed.lerp_(norms, 1 - SPIKE_DECAY)
        return (norms > SPIKE_FACTOR * average)[:2].float()

    def flush(self, last_step: int) -> Block | None:
        """Start copying what was recorded to the host, and return the block before it, if there is one."""
        previous = self.drain()
        self._in_flight = _Copy(last_step, self._buffer[: self._filled], self._first_nonfinite)
        self._filled = 0
        return previous

    def drain(self) -> Block | None:
        """Wait for the copy in flight and return its block."""
        copy, self._in_flight = self._in_flight, None
        return copy.wait() if copy is not None else None


class _Copy:
    """A copy to pinned host memory that the host waits for only when it reads it."""

    def __init__(self, last_step: int, values: Tensor, first_nonfinite: Tensor) -> None:
        self._last_step = last_step
        on_gpu = values.is_cuda
        self._values = torch.empty(values.shape, pin_memory=on_gpu)
        self._first = torch.empty((), dtype=torch.int64, pin_memory=on_gpu)
        self._values.copy_(values, non_blocking=on_gpu)
        self._first.copy_(first_nonfinite, non_blocking=on_gpu)
        self._event = torch.cuda.Event() if on_gpu else None
        if self._event is not None:
            self._event.record()

    def wait(self) -> Block:
        if self._event is not None:
            self._event.synchronize()
        first = int(self._first)
        return Block(self._last_step, self._values, first if first >= 0 else None)
