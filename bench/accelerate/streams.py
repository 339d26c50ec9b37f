"""Trials that share a GPU: each launches its work on a stream of its own, so that kernels of several run side by side.

A small network leaves most of a GPU idle. What trials share is the process, with its context on the device, and the
settings of that; a trial's numbers do not depend on what else is in the process.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch


def own_stream(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Return what makes a context in which work is queued on a CUDA stream of its own."""
    stream = torch.cuda.Stream(device)
    return lambda: torch.cuda.stream(stream)
