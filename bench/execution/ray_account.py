"""What an executor knows of its gateway by itself, for the day on which that ends.

What the gateway has printed last says nothing sure: whichever part of Ray notices a loss first has the last word. So
that comes after what is known: how the gateway has ended, when it was last heard of, and what was under way.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.common.endings import how_it_ended
from bench.execution.interface import Finished, Started, Task
from bench.execution.ray_messages import FromGateway, Ready

_LONGEST_WORDS = 300


class Account:
    """Kept up to date from what the gateway is told and tells."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard = self._ended = clock()
        self._code = 0
        self._is_connected = False
        self._waiting: set[str] = set()
        self._running: set[str] = set()

    def submitted(self, tasks: Iterable[Task]) -> None:
        self._waiting.update(task.trial.id for task in tasks)

    def heard(self) -> None:
        """Note that it has said something."""
        self._heard = self._clock()

    def ended(self, code: int) -> None:
        """Note that it has ended."""
        self._ended, self._code = self._clock(), code

    def take(self, message: FromGateway) -> None:
        """Note what it has said."""
        if isinstance(message, Ready):
            self._is_connected = True
        elif isinstance(message, Started):
            self._waiting.discard(message.task.trial.id)
            self._running.add(message.task.trial.id)
        elif isinstance(message, Finished):
            self._waiting.discard(message.task.trial.id)
            self._running.discard(message.task.trial.id)

    def sentence(self, log: Path) -> str:
        """Say how it has ended and what was under way, and what it has printed last, as words of Ray's."""
        silence = max(0.0, self._ended - self._heard)
        if self._is_connected:
            known = f", {silence:.0f} s after its last message, with {len(self._running)} running and "
            known += f"{len(self._waiting)} waiting"
        else:
            known = f", {silence:.0f} s after its start, before it was connected"
        words = last_words(log)
        return f"{how_it_ended(self._code)}{known}" + (f". Ray's last words: {words}" if words else "")


def last_words(log: Path) -> str:
    """Return the last line that a gateway has printed; nothing where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:_LONGEST_WORDS] for line in reversed(lines) if line.strip()), "")
