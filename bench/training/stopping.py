"""A process that is asked to end by SIGTERM: first it keeps what it has trained, at the end of the block under way.

Whoever preempts a machine sends that signal first, and SIGKILL some seconds later. So does whoever cancels a campaign.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class Stopped(SystemExit):
    """This process has been asked to end, and what is worth keeping is kept."""

    number: Final = signal.SIGTERM

    def __init__(self) -> None:
        super().__init__(128 + self.number)


class StopRequest:
    """Whether this process has been asked to end.

    Outside `deferred` the signal raises `Stopped` where it comes; inside, whoever trains asks `requested` now and then.
    """

    def __init__(self) -> None:
        self.requested = False
        self._is_deferred = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM inside; where somebody else does already, or in another thread than the main one, leave it."""
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        ):
            yield
            return
        signal.signal(signal.SIGTERM, lambda *_: self.ask())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Wait with the end until whoever trains has asked for it."""
        before, self._is_deferred = self._is_deferred, True
        try:
            yield
        finally:
            self._is_deferred = before

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """End where the signal comes, inside `deferred` too; also at the beginning, if it has come already."""
        if self.requested:
            raise Stopped
        before, self._is_deferred = self._is_deferred, False
        try:
            yield
        finally:
            self._is_deferred = before

    def ask(self) -> None:
        """Ask this process to end. Asking again changes nothing."""
        if self.requested:
            return
        self.requested = True
        if not self._is_deferred:
            raise Stopped
