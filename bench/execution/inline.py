"""Attempts in this very process, one after the other: the twin of the local executor for debuggers and quick tests.

There is no timeout here, a crash takes the campaign along, what is printed is seen, and progress is told when an
attempt has ended: training runs in the thread that asks for messages, which is where a debugger wants it.
"""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from bench.events import Progress
from bench.execution.interface import Message, Started, Task
from bench.execution.worker import run_tasks


class InlineExecutor:
    """Runs one attempt at a time, in the calling thread."""

    workers = 1
    backlog = 0

    def __init__(self) -> None:
        self._submitted: deque[tuple[Task, ...]] = deque()

    def submit(self, *tasks: Task) -> None:
        self._submitted.append(tasks)

    def messages(self) -> Iterator[Message]:
        while self._submitted:
            tasks = self._submitted.popleft()
            for task in tasks:
                Path(task.log).unlink(missing_ok=True)
                yield Started(task=task)
            progress: list[Progress] = []
            for end in run_tasks(tasks, progress.append):
                yield from progress
                progress.clear()
                yield end

    def cancel(self) -> None:
        self._submitted.clear()

    def close(self) -> None:
        self.cancel()
