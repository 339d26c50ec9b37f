"""How many threads numerical libraries compute with: in this process, and in one that is about to start."""

import contextlib
from collections.abc import Iterator
from typing import Final

_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""What a process reads when it first computes."""


def thread_variables(count: int) -> dict[str, str]:
    """Return the environment variables of a process that is to compute with so many threads."""
    return dict.fromkeys(_VARIABLES, str(count))


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch compute with so many threads for a while.

    Small tensors want one: they gain nothing by more, and threads wait long for each other.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
