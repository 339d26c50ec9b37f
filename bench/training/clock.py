"""Throughput: the time of blocks of steps, evaluations and the warm-up left out, without stopping the device."""

import statistics
import time

import torch

Instant = float | torch.cuda.Event
"""A point in time: seconds of the wall clock, or an event in the queue of a CUDA device."""


class BlockClock:
    """Times blocks of steps: by device events on CUDA, so that queueing is not mistaken for working, else by wall."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._blocks: list[tuple[int, Instant, Instant]] = []
        self._started: Instant = 0.0

    def start(self) -> None:
        self._started = now(cuda=self._cuda)

    def stop(self, steps: int) -> None:
        self._blocks.append((steps, self._started, now(cuda=self._cuda)))

    def steps_per_second(self) -> float | None:
        """Return the median over the blocks after the first, which warms up; `None` for no block."""
        blocks = self._blocks[1:] if len(self._blocks) > 1 else self._blocks
        rates = [
            steps / seconds for steps, seconds in ((n, elapsed(*between)) for n, *between in blocks) if seconds > 0
        ]
        return statistics.median(rates) if rates else None

    def mean_seconds(self) -> float | None:
        """Return the seconds of one step, averaged over all blocks; `None` for no block."""
        steps = sum(n for n, *_ in self._blocks)
        return self.train_seconds() / steps if steps else None

    def train_seconds(self) -> float:
        return sum(elapsed(*between) for _, *between in self._blocks)


def now(*, cuda: bool) -> Instant:
    """Return this instant; on CUDA the one at which the device will have done what is queued so far."""
    if not cuda:
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def elapsed(first: Instant, last: Instant) -> float:
    """Return the seconds between two instants of one kind; waits for the device where they are events."""
    if isinstance(first, float) or isinstance(last, float):
        assert isinstance(first, float)
        assert isinstance(last, float)
        return last - first
    last.synchronize()
    return float(first.elapsed_time(last)) / 1000
