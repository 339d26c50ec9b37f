"""Named ranges of a step: where one phase, forward or penalty begins and ends, for profilers.

Without a watcher, which is the default, a range costs one look-up. With a watcher,

    with watching(torch.cuda.nvtx.range):
        method.discriminator_loss(discriminator, real_images, fake_images).total.backward()

every range is opened through it: by `torch.cuda.nvtx.range` for Nsight, by `torch.profiler.record_function` for a
trace, or by a stopwatch. It changes no number.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final

D_REAL: Final = "D real"
D_FAKE: Final = "D fake"
D_BOTH: Final = "D real and fake"
"""One forward of the discriminator on both batches."""
D_OTHER: Final = "D other"
"""A forward of the discriminator that a part makes for itself."""
G_FAKE: Final = "G fake"
G_OTHER: Final = "G other"
"""A forward of the generator that a part makes for itself."""
OBJECTIVE: Final = "objective"
PENALTY: Final = "penalty"
"""Begins the range of a regularizer of either phase; its name follows: "penalty r1"."""
INPUT_GRADIENT: Final = "input gradient"
D_BACKWARD: Final = "D backward"
G_BACKWARD: Final = "G backward"
D_UPDATE: Final = "D update"
G_UPDATE: Final = "G update"

Watcher = Callable[[str], AbstractContextManager[object]]
"""Makes the context manager of a range from its name."""

_OFF: Final = nullcontext()
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def mark(name: str) -> AbstractContextManager[object]:
    """Return the context manager of a range of that name: the watcher's, or one that does nothing."""
    watcher = _watcher.get()
    return _OFF if watcher is None else watcher(name)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Open every range inside through the watcher; a watcher from before is restored afterwards."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
