"""Timing one path beside the reference: blocks of calls in the order A B B A, so that both meet the same machine.

A slow second, a clock that falls and a neighbor's load hit both sides of a ratio alike, and what drifts evenly cancels
inside each A B B A.
"""

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.training.clock import elapsed, now


@dataclass(frozen=True)
class Call:
    """What is timed: `run(i)` makes the i-th call, each on other inputs than the one before.

    Calls come in multiples of `interval`, on which a lazy term falls due once; `reset` puts back, untimed and before
    every block, what calls change.
    """

    run: Callable[[int], object]
    interval: int = 1
    reset: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Effort:
    """How long to measure: blocks of `block_seconds`, and of A B B A at least `least`, at most `most`, as fit."""

    block_seconds: float = 0.01
    seconds: float = 2.0
    least: int = 3
    most: int = 10
    staged_calls: int = 5
    """How many calls are taken apart into their ranges, at least."""


DEFAULT_EFFORT: Final = Effort()


@dataclass(frozen=True)
class Blocks:
    """Seconds a call of each block, in order, and how many calls a block has."""

    subject: list[float]
    reference: list[float]
    calls: int
    reference_calls: int


class _Side:
    """One of the two calls, with its warm-up done and the size of its blocks chosen."""

    def __init__(self, call: Call, effort: Effort, *, cuda: bool) -> None:
        self._call, self._cuda = call, cuda
        self._next = 0
        self.samples: list[float] = []
        self.calls = call.interval
        self.block()  # the first time pays for memory, plans and caches
        seconds = self.block()
        while seconds * self.calls < effort.block_seconds:
            # By steps, since the first calls are slower than those of a long block.
            wanted = effort.block_seconds / max(seconds, 1e-9) / call.interval
            self.calls = min(math.ceil(wanted), 10 * self.calls // call.interval) * call.interval
            seconds = self.block()
        self.block_seconds = seconds * self.calls

    def block(self) -> float:
        """Run one block; return the seconds of one of its calls."""
        self._call.reset()
        first, run = self._next, self._call.run
        started = now(cuda=self._cuda)
        for index in range(first, first + self.calls):
            run(index)
        ended = now(cuda=self._cuda)
        self._next = first + self.calls
        return elapsed(started, ended) / self.calls


def interleave(subject: Call, reference: Call, effort: Effort = DEFAULT_EFFORT, *, cuda: bool = False) -> Blocks:
    """Time both calls in blocks A B B A, A being the reference."""
    with _no_collection():
        sides = [_Side(call, effort, cuda=cuda) for call in (reference, subject)]
        once = 2 * sum(side.block_seconds for side in sides)
        for _ in range(min(max(int(effort.seconds / once), effort.least), effort.most)):
            for side in (0, 1, 1, 0):
                sides[side].samples.append(sides[side].block())
    return Blocks(sides[1].samples, sides[0].samples, sides[1].calls, sides[0].calls)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from running inside; what it would have collected is collected before."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
