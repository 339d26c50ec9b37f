"""Ending a run from outside: Ctrl-C, and the signals that ask a process to end, which do the same."""

import contextlib
import signal
import threading
from types import FrameType, TracebackType
from typing import Final, Self

import click

from bench.training.stopping import Stopped

_ASK_TO_END: Final = (signal.SIGTERM, signal.SIGHUP)
"""What `docker stop`, a scheduler or `kill` sends, and what comes when the terminal is closed."""

_LATER: Final = "trials in progress go on from their last checkpoints the next time"

_STOPPING: Final = {
    "local": "stopping: trials in progress keep their state, for up to 20 s; Ctrl-C again ends them at once",
    "inline": f"stopping: {_LATER}",
    "ray": f"stopping: {_LATER}; the cluster is told, for up to 20 s; Ctrl-C again ends that at once",
}


class AskedToEnd(KeyboardInterrupt):
    """This process has been asked to end by a signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(stopped: BaseException | None) -> int:
    """Return the exit code of a run that was stopped by Ctrl-C or a signal, as shells give it."""
    return 128 + (stopped.number if isinstance(stopped, AskedToEnd | Stopped) else signal.SIGINT)


class Ending:
    """What is said when a run is stopped. While it is open, signals that ask the process to end stop it, too.

    A signal that somebody takes or ignores already, as `nohup` does, is left alone.

    Args:
        kind: of executor, as `--executor` says it. Where trials run in this process, SIGTERM is theirs: they keep a
            checkpoint then.
    """

    def __init__(self, kind: str) -> None:
        self._words = _STOPPING[kind]
        self._signals = _ASK_TO_END[1:] if kind == "inline" else _ASK_TO_END
        self._taken: list[signal.Signals] = []
        self._is_told = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._taken = [number for number in self._signals if signal.getsignal(number) is signal.SIG_DFL]
        for number in self._taken:
            signal.signal(number, self._end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)

    def tell(self) -> None:
        """Say, once, that the run stops; afterwards only Ctrl-C ends it sooner, and no signal that comes again."""
        if self._is_told:
            return
        self._is_told = True
        with contextlib.suppress(OSError):  # the terminal is gone, as SIGHUP says
            click.echo(self._words, err=True)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if not self._is_told:
            raise AskedToEnd(number)
