"""The one clock of a campaign: what it measures its time by, and waits by."""

import threading
import time
from typing import Final


class Clock:
    """A clock that runs only forward: called, it tells seconds, of which differences alone mean something."""

    def __call__(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for an event, for so long at most; say whether it has come."""
        return event.wait(seconds)


SYSTEM: Final = Clock()
"""The clock of this machine."""
