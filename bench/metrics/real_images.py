"""How the real images are measured in a large network: under fixed settings, and with a count that is told."""

import contextlib
from collections.abc import Iterator

import torch

from bench.common.threads import torch_threads
from bench.data import OnProgress
from bench.metrics.evaluate import full_precision
from bench.store.environment import usable_cpus


@contextlib.contextmanager
def settled(device: torch.device) -> Iterator[None]:
    """Use settings that do not depend on the trial: its precision and its number of threads.

    The first process that needs them measures the real images, and bits are compared between runs.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with torch_threads(usable_cpus()), full_precision(device):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


class ImageCounter:
    """Adds up images and reports the progress."""

    def __init__(self, name: str, total: int, on_progress: OnProgress | None) -> None:
        self._name = name
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def __call__(self, images: int) -> None:
        self._done += images
        if self._on_progress is not None:
            self._on_progress(self._name, self._done, self._total)
