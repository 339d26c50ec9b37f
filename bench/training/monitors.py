"""What is watched during training: kept on the device, read one flush late, so that no step waits for the host."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

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
)
"""One value a step each.

- logit_gap: E[a] - E[b], with a the logits on reals and b on fakes; where an objective has a vector head, its critic.
- discriminator_accuracy: P[a_i > b_j] over the batch, free of any threshold, so it reads the same for every loss.
- generator_signal: median over samples of B * |dL_G/dx_f|, the gradient that reaches a generated sample.
- generator_weight: mean of B * |dL_G/db| over the B logits, the loss's share of that signal; the rest is D's Jacobian.
- diversity_ratio: tr Cov(fake batch) / tr Cov(real batch).
"""


def discriminator_statistics(loss: Tensor, gradient_norm: Tensor, real_critic: Tensor, fake_critic: Tensor) -> Tensor:
    """Return [loss, gradient norm, logit gap, accuracy] of one discriminator update; the critic values are [B]."""
    a, b = real_critic.detach().flatten(), fake_critic.detach().flatten()
    accuracy = (a[:, None] > b[None, :]).float().mean()
    return torch.stack([loss.detach(), gradient_norm, a.mean() - b.mean(), accuracy])


def generator_statistics(
    loss: Tensor, gradient_norm: Tensor, fake_images: Tensor, fake_logits: Tensor, real_images: Tensor
) -> Tensor:
    """Return [loss, gradient norm, signal, weight, diversity ratio]; the images and logits carry retained gradients."""
    image_gradient, logit_gradient = fake_images.grad, fake_logits.grad
    assert image_gradient is not None
    assert logit_gradient is not None
    batch = len(fake_images)
    signal = torch.linalg.vector_norm(image_gradient.float().flatten(1), dim=1).median() * batch
    per_logit = logit_gradient.float()
    strength = per_logit.abs() if per_logit.dim() == 1 else torch.linalg.vector_norm(per_logit, dim=1)
    weight = strength.mean() * len(strength)
    diversity = _total_variance(fake_images.detach()) / _total_variance(real_images)
    return torch.stack([loss.detach(), gradient_norm, signal, weight, diversity])


def _total_variance(images: Tensor) -> Tensor:
    return images.float().flatten(1).var(dim=0).sum()


@dataclass(frozen=True)
class Block:
    """The monitors of the steps up to `last_step`: `values` is [steps, len(MONITORS)] float32 on the host."""

    last_step: int
    values: Tensor
    first_nonfinite_step: int | None

    def means(self) -> dict[str, float | None]:
        """Return each monitor's mean over the block, `None` where it is not finite."""
        means = self.values.double().mean(dim=0).tolist()
        return {name: value if math.isfinite(value) else None for name, value in zip(MONITORS, means, strict=True)}


class Monitors:
    """A buffer of `capacity` steps on the device, flushed to the host asynchronously and read one flush late."""

    def __init__(self, capacity: int, device: torch.device) -> None:
        self._capacity = capacity
        self._buffer = torch.zeros(capacity, len(MONITORS), device=device)
        self._first_nonfinite = torch.full((), -1, dtype=torch.int64, device=device)
        self._filled = 0
        self._in_flight: _Copy | None = None

    def record(self, step: int, discriminator: Tensor, generator: Tensor) -> None:
        """Store one step's statistics; nothing is read back."""
        loss_d, norm_d, gap, accuracy = discriminator.unbind()
        loss_g, norm_g, signal, weight, diversity = generator.unbind()
        row = torch.stack([loss_d, loss_g, norm_d, norm_g, gap, accuracy, signal, weight, diversity])
        # Losses and gradient norms decide; a ratio may be 0/0 in a healthy run.
        bad = ~torch.isfinite(row[:4]).all()
        self._first_nonfinite.copy_(torch.where((self._first_nonfinite < 0) & bad, step, self._first_nonfinite))
        self._buffer[self._filled].copy_(row)
        self._filled += 1

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
