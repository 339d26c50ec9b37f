"""What the probes share: how they tell of their progress, and one thread to run on."""

import contextlib
from collections.abc import Callable, Iterator

import torch

from losses import Method

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how many of its steps are done, and how many there are."""


def label(method: Method) -> str:
    """Return a method's name, or of an expression without one the short spelling."""
    return method.short if method.name == str(method) else method.name


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: networks this small gain nothing by more, and lose much when cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
