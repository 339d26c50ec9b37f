"""Time a call against a reference, in blocks of calls in the order A B B A.

A slow second, a falling clock or another process slows both sides of the ratio, and a steady drift cancels inside each
A B B A.
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
    """What is timed: `run(i)` makes the i-th call, on other inputs than the call before.

    Calls come in multiples of `interval`, in which a lazy term is due once. `reset` undoes the changes made by calls.
    It runs before every block and is not timed. `counted` launches the same operators one by one, where `run` does not:
    nobody sees the operators of a graph that is replayed.
    """

    run: Callable[[int], object]
    interval: int = 1
    reset: Callable[[], None] = lambda: None
    counted: Callable[[int], object] | None = None


@dataclass(frozen=True)
class Effort:
    """How long to measure: blocks of `block_seconds`, and between `least` and `most` rounds A B B A in `seconds`."""

    block_seconds: float = 0.01
    seconds: float = 2.0
    least: int = 3
    most: int = 10
    staged_calls: int = 5
    """At least this many calls are split into their ranges."""


DEFAULT_EFFORT: Final = Effort()
_TICK: Final = 1e-9
"""The least time that a block is taken to need: a coarse clock may not have moved in it."""


@dataclass(frozen=True)
class Blocks:
    """The seconds per call in each block, in order, and the number of calls in a block."""

    subject: list[float]
    reference: list[float]
    calls: int
    reference_calls: int


class _Side:
    """One of the two calls, after its warm-up and with the size of its blocks."""

    def __init__(self, call: Call, effort: Effort, *, cuda: bool) -> None:
        self._call, self._cuda = call, cuda
        self._next = 0
        self.samples: list[float] = []
        self.calls = call.interval
        self.block()  # the first run allocates memory and fills caches
        seconds = self.block()
        while seconds * self.calls < effort.block_seconds:
            # In steps, since the first calls are slower than those of a long block.
            wanted = effort.block_seconds / max(seconds, _TICK) / call.interval
            self.calls = min(math.ceil(wanted), 10 * self.calls // call.interval) * call.interval
            seconds = self.block()
        self.block_seconds = seconds * self.calls

    def block(self) -> float:
        """Run one block. Return its seconds per call."""
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
        once = max(2 * sum(side.block_seconds for side in sides), _TICK)
        for _ in range(min(max(int(effort.seconds / once), effort.least), effort.most)):
            for side in (0, 1, 1, 0):
                sides[side].samples.append(sides[side].block())
    return Blocks(sides[1].samples, sides[0].samples, sides[1].calls, sides[0].calls)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Collect garbage now, and keep the collector from running inside."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
