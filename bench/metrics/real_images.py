"""How the real images are measured in a large network: under fixed settings, and with a count that is told."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from bench.common.threads import torch_threads
from bench.config.workload import Workload
from bench.data import OnProgress
from bench.metrics import tensor_cache
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


def kept_path(network: str, workload: Workload, what: Iterable[str], device: torch.device, folder: Path) -> Path:
    """Return the file that keeps what was measured of a workload's real images in a network.

    Its name holds everything that this depends on: `what` is given, the machine is added here.
    """
    machine = (tensor_cache.device_key(device), str(torch.__version__), str(usable_cpus()))
    key = hashlib.sha256("\n".join((workload.kind, *what, *machine)).encode()).hexdigest()
    return folder / f"{network}-{workload.kind}-{key[:16]}.safetensors"


def give_back_memory() -> None:
    """Leave the device's memory to the processes that train: this one goes on beside them."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


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
