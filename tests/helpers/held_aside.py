"""Work beside training that a test decides the pace of."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import torch

from bench.training.aside import Aside

SECONDS = 60
"""Only a failing test waits for so long."""


class HeldAside(Aside):
    """Makes no call but the first until it is released; tells what ran when.

    Attributes:
        open: set it to let calls be made.
        running: how many calls are under way now.
        most: how many have been at once.
    """

    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))
        self.open = threading.Event()
        self.begun = 0
        self.running = 0
        self.most = 0
        self._counting = threading.Lock()

    def begin(self, call: Callable[[], object]) -> Future[object]:
        held = self.begun > 0
        self.begun += 1
        with self._counting:
            self.running += 1
            self.most = max(self.most, self.running)

        def made() -> object:
            try:
                assert not held or self.open.wait(SECONDS), "nobody let the evaluation go on"
                return call()
            finally:
                with self._counting:
                    self.running -= 1

        return super().begin(made)

    def __exit__(self, *error: object) -> None:
        self.open.set()
        super().__exit__(*error)


class ReleasedAside(HeldAside):
    """A held one that goes on once somebody waits for it."""

    def finish(self) -> None:
        self.open.set()
        super().finish()
        self.open.clear()
