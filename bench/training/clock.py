"""Throughput: the time of blocks of steps, evaluations and the warm-up left out, without stopping the device."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

Instant = float | torch.cuda.Event
"""A point in time: seconds of the wall clock, or an event in the queue of a CUDA device."""


@dataclass(frozen=True)
class _Block:
    steps: int
    started: Instant
    stopped: Instant
    overlapped: bool

    @cached_property
    def seconds(self) -> float:
        """How long it took, read once; it is waited for the device."""
        return elapsed(self.started, self.stopped)

    @property
    def is_over(self) -> bool:
        """Whether the device has done it, so that nothing is to be waited for."""
        return isinstance(self.stopped, float) or self.stopped.query()


class BlockClock:
    """Times blocks of steps: by device events on CUDA, so that queueing is not mistaken for working, else by wall."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._earlier: list[_Block] = []
        """What earlier attempts have trained: it took its time, and may have been made another way."""
        self._blocks: list[_Block] = []
        self._started: Instant = 0.0

    def start(self) -> None:
        self._started = now(cuda=self._cuda)

    def stop(self, steps: int, *, overlapped: bool = False) -> None:
        """End a block of steps. `overlapped` says that something else ran meanwhile, so that it tells no pace."""
        self._blocks.append(_Block(steps, self._started, now(cuda=self._cuda), overlapped))

    def tells_pace(self, least: int) -> bool:
        """Whether nothing overlapped with any block that tells a pace, or at least with so many of them."""
        blocks = self._that_tell(self._blocks)
        exclusive = sum(not block.overlapped for block in blocks)
        return exclusive == len(blocks) or exclusive >= least

    def steps_per_second(self) -> float | None:
        """Return the median over the blocks after the first, which warms up; `None` for no block.

        Of these the ones count that nothing overlapped with, or all where there are none. Blocks of earlier attempts
        count only where this one has made none but its first.
        """
        return self._rate(self._that_tell(self._blocks))

    def pace_so_far(self) -> float | None:
        """Return the same of the blocks that the device has done, without waiting for it: for whoever watches."""
        done = len(self._blocks)
        while done and not self._blocks[done - 1].is_over:  # a device does them in their order
            done -= 1
        return self._rate(self._that_tell(self._blocks[:done]))

    def _that_tell(self, blocks: list[_Block]) -> list[_Block]:
        """Return these blocks of this attempt, or those of earlier ones where these are at most the one to warm up."""
        return blocks if len(blocks) > 1 else self._earlier or blocks

    @staticmethod
    def _rate(blocks: Sequence[_Block]) -> float | None:
        blocks = blocks[1:] if len(blocks) > 1 else blocks
        blocks = [block for block in blocks if not block.overlapped] or blocks
        timed = ((block.steps, block.seconds) for block in blocks)
        rates = [steps / seconds for steps, seconds in timed if seconds > 0]
        return statistics.median(rates) if rates else None

    def mean_seconds(self) -> float | None:
        """Return the seconds of one step, averaged over all blocks; `None` for no block."""
        steps = sum(block.steps for block in self._all)
        return self.train_seconds() / steps if steps else None

    def snapshot(self) -> list[tuple[int, float, bool]]:
        """Return the steps of each block, its seconds, and whether something overlapped with it."""
        return [(block.steps, block.seconds, block.overlapped) for block in self._all]

    def restore(self, blocks: list[tuple[int, float, bool]]) -> None:
        """Take up what `snapshot` returned, as the blocks of earlier attempts."""
        self._earlier = [_Block(steps, 0.0, seconds, overlapped) for steps, seconds, overlapped in blocks]

    def train_seconds(self) -> float:
        """Return the seconds of all blocks, those of earlier attempts too."""
        return sum(block.seconds for block in self._all)

    @property
    def _all(self) -> list[_Block]:
        return [*self._earlier, *self._blocks]


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
