"""A clock that runs when it is told to, and takes whoever waits by it along: thirty days in a few seconds."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from bench.common.clock import Clock


@dataclass
class _Hook:
    due: float
    period: float
    call: Callable[[], None]


class MadeClock(Clock):
    """Run by one thread, which is never held up; others may wait by it, and are waited for until they wait again."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._changed = threading.Condition()
        self._due: dict[threading.Event, float] = {}
        """When the waiting threads are to wake. One that has woken stays here until it is back."""
        self._hooks: list[_Hook] = []

    def __call__(self) -> float:
        return self._now

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something done at intervals."""
        self._hooks.append(_Hook(self._now + seconds, seconds, call))

    def sleep(self, seconds: float) -> None:
        """Let so long pass, with all that is due in it."""
        until = self._now + seconds
        while True:
            hook = min(self._hooks, key=lambda each: each.due, default=None)
            if hook is None or hook.due > until:
                break
            self._run(hook.due)
            hook.due += hook.period
            hook.call()
        self._run(until)

    def jump(self, seconds: float) -> None:
        """Let so long be gone at once, as for a machine that stood still: whoever waits wakes once."""
        with self._changed:
            self._now += seconds
            self._wake()
        for hook in self._hooks:
            if hook.due <= self._now:
                hook.due = self._now + hook.period
                hook.call()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        with self._changed:
            self._due[event] = self._now + seconds
            self._changed.notify_all()
            while self._now < self._due[event] and not event.is_set():
                self._changed.wait(0.05)  # an event that comes wakes nobody here
            if event.is_set():
                del self._due[event]
            return event.is_set()

    def _run(self, until: float) -> None:
        with self._changed:
            while (first := min(self._due.values(), default=until)) < until:
                self._now = max(self._now, first)
                self._wake()
            self._now = max(self._now, until)

    def _wake(self) -> None:
        self._changed.notify_all()
        everybody_waits = self._changed.wait_for(lambda: all(due > self._now for due in self._due.values()), 60)
        assert everybody_waits, "a thread that was woken has not come back"
