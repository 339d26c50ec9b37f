"""Trials that share a GPU: each launches its work on a stream of its own, so that kernels of several run side by side.

A small network leaves most of a GPU idle. What trials share is the process, with its context on the device, and the
settings of that; a trial's numbers do not depend on what else is in the process.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import torch

TRAINING_PRIORITY: Final = -1
"""Of the streams of training; the lower goes first. Evaluations have 0, the last, so that steps need not wait for them.
torch hands each priority its own 32 streams."""


def own_stream(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Return what makes a context in which work is queued on a CUDA stream of its own."""
    stream = torch.cuda.Stream(device, priority=TRAINING_PRIORITY)
    return lambda: torch.cuda.stream(stream)
