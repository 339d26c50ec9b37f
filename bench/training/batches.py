"""What a step consumes: real batches and latents, drawn on the training device in blocks of steps.

Drawing a block at once only spreads the cost of the generator; the numbers are those of drawing each step alone. A
block has one place in memory, and which of its steps is read is a number on the device too, so that a replayed step
reads the right one without Python.
"""

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from bench.training.seeding import Stream

_BLOCK: Final = 32
_LARGEST_BLOCK: Final = 256
_LARGEST_DRAW: Final = 2**21
"""Numbers of a draw: what fits into a CPU's caches is small, but on another device a block costs the same launches."""


def block_of(device: torch.device, size: int) -> int:
    """Return how many steps are drawn at once, of so many numbers each."""
    if device.type == "cpu":
        return _BLOCK
    return min(max(_LARGEST_DRAW // size, _BLOCK), _LARGEST_BLOCK)


class _Blocked:
    """Answers for one step at a time from a draw of a block of steps; nothing is drawn before somebody reads."""

    def __init__(self, draw: Callable[[int, int], Tensor], block: int) -> None:
        self._draw = draw
        self._block = block
        self._step = self._first = 0
        self._values: Tensor | None = None
        self._place: Tensor | None = None

    def place(self, step: int) -> None:
        """Choose the step that is read from here on; a draw and a copy where it begins a block, else one number."""
        self._step = step
        if self._values is None or self._place is None:
            return
        first = step - step % self._block
        if first != self._first:
            self._values.copy_(self._draw(first, self._block))
        self._first = first
        self._place.fill_(step - first)

    def read(self) -> Tensor:
        """Return the values of the chosen step, as a tensor of their own."""
        if self._values is None or self._place is None:
            position = self._step % self._block
            self._first = self._step - position
            self._values = self._draw(self._first, self._block)
            self._place = torch.full((1,), position, dtype=torch.int64, device=self._values.device)
        return self._values.index_select(0, self._place)[0]


class Batch:
    """The batch of one update; what nobody reads is not made, and each read makes a tensor of its own."""

    def __init__(self, images: Callable[[], Tensor], latents: Callable[[], Tensor]) -> None:
        self._images = images
        self._latents = latents

    @property
    def real(self) -> Tensor:
        """The real batch in [-1, 1], channels last, or the points as they are."""
        return to_network_range(self._images())

    @property
    def latents(self) -> Tensor:
        """Standard normals [batch, latent_size]."""
        return self._latents()


class Batches:
    """The batch stream and the latent streams of one trial.

    Real batches are drawn with replacement, uniformly from the training part; stacked workloads draw one index for
    each channel. The two phases have streams of their own, and the real batch of the generator's phase costs nothing
    unless a loss asks for it.

    Args:
        images: the training part on the training device: uint8 [N, 1 or C, H, W], or float32 points [N, 2].
        stack: how many single-channel images make one sample.
    """

    def __init__(self, images: Tensor, *, stack: int, batch_size: int, latent_size: int, seed: int) -> None:
        self._images = images
        self._stack = stack
        self._batch_size = batch_size
        device = images.device

        def latents(name: str) -> _Blocked:
            stream = Stream(seed, name, device)
            shape = (batch_size, latent_size)
            return _Blocked(lambda step, count: stream.normal(step, shape, count), block_of(device, math.prod(shape)))

        def indices(name: str) -> _Blocked:
            stream = Stream(seed, name, device)
            shape = (batch_size, stack)
            return _Blocked(
                lambda step, count: stream.integers(step, shape, len(images), count),
                block_of(device, math.prod(shape)),
            )

        self._latents = {phase: latents(f"latents/{phase}") for phase in ("discriminator", "generator")}
        self._indices = {phase: indices(f"data/{phase}") for phase in ("discriminator", "generator")}

    def at(self, phase: str, step: int) -> "Batch":
        """Return the batch of a step of a phase; until the phase's next call it is read, on the device alone."""
        self._latents[phase].place(step)
        self._indices[phase].place(step)
        return Batch(lambda: self._gather(self._indices[phase].read()), self._latents[phase].read)

    def _gather(self, indices: Tensor) -> Tensor:
        chosen = self._images[indices.flatten()]
        return chosen.reshape(len(indices), -1, *chosen.shape[2:]) if self._stack > 1 else chosen


def to_network_range(images: Tensor) -> Tensor:
    """Map uint8 images to float32 in [-1, 1], channels last; points pass unchanged."""
    if images.dtype != torch.uint8:
        return images
    numbers = images.to(torch.float32, memory_format=torch.channels_last)  # the one copy, which the rest works in
    return numbers.div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """Quantise images in [-1, 1] as they would be stored in a file: the way every extractor sees them."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
