"""Attempts in this very process, one after the other: the twin of the local executor for debuggers and quick tests.

There is no timeout here, a crash takes the campaign along, what is printed is seen, and progress is told when an
attempt has ended: training runs in the thread that asks for messages, which is where a debugger wants it.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bench.events import Progress
from bench.execution.interface import Finished, Message, Started, Task
from bench.execution.worker import run_pack


class InlineExecutor:
    """Runs one attempt at a time, in the calling thread."""

    workers = 1

    def __init__(self) -> None:
        self._packs: deque[tuple[Task, ...]] = deque()

    def submit(self, *pack: Task) -> None:
        self._packs.append(pack)

    def messages(self) -> Iterator[Message]:
        while self._packs:
            pack = self._packs.popleft()
            for task in pack:
                Path(task.log).unlink(missing_ok=True)
                yield Started(task=task)
            progress: list[Progress] = []
            for task, outcome in run_pack(pack, progress.append):
                yield from progress
                progress.clear()
                yield Finished(task=task, outcome=outcome)

    def cancel(self) -> None:
        self._packs.clear()

    def close(self) -> None:
        self.cancel()
