"""Work in the background that a test decides the pace of."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import torch

from bench.accelerate.background import BackgroundRunner

SECONDS = 60
"""Only a failing test waits for so long."""


class HeldRunner(BackgroundRunner):
    """Makes no call but the first until it is released; tells what ran when.

    Attributes:
        open: set it to let calls be made.
        running: how many calls are under way now.
        most: how many have been at once.
    """

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.open = threading.Event()
        self.submitted = 0
        self.running = 0
        self.most = 0
        self._counting = threading.Lock()

    def submit(self, call: Callable[..., object], *given: object) -> Future[object]:
        held = self.submitted > 0
        self.submitted += 1
        with self._counting:
            self.running += 1
            self.most = max(self.most, self.running)

        def made(*copied: object) -> object:
            try:
                assert not held or self.open.wait(SECONDS), "nobody let the evaluation go on"
                return call(*copied)
            finally:
                with self._counting:
                    self.running -= 1

        return super().submit(made, *given)

    def __exit__(self, *error: object) -> None:
        self.open.set()
        super().__exit__(*error)


class ReleasedRunner(HeldRunner):
    """A held one that goes on once somebody waits for it."""

    def wait(self) -> None:
        self.open.set()
        super().wait()
        self.open.clear()
