"""The places of one machine: every GPU that a campaign may use, and which of them the next process gets."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from bench.execution.device import VISIBLE_GPUS, gpu_count, visible_gpu
from bench.execution.interface import Place


def places_on(device: str, environment: Mapping[str, str]) -> tuple[Place, ...]:
    """Return a place for each GPU that a device means: all visible ones for `cuda`, one for `cuda:N`.

    A process that runs there sees this GPU alone. The CPU is one place.

    Raises:
        ValueError: `cuda:N` is not visible.
    """
    if device.partition(":")[0] != "cuda":
        return (Place(),)
    devices = [f"cuda:{number}" for number in range(gpu_count(environment))] if device == "cuda" else [device]
    names = [visible_gpu(name, environment) for name in devices or [device]]
    return tuple(Place(name=f"GPU {name}", environment={VISIBLE_GPUS: name}) for name in names if name is not None)


def mixed_cards(device: str, places: Sequence[Place]) -> str:
    """Return the models of the GPUs behind these places and how many there are of each; nothing where all are alike."""
    if device != "cuda" or len(places) < 2:
        return ""
    import torch

    # Fewer than the places only for slices of divided cards, of which CUDA shows a process one.
    models = Counter(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return ", ".join(f"{count} x {model}" for model, count in models.items()) if len(models) > 1 else ""


class Placement:
    """Gives the processes of an executor their places, as evenly as they come and go. Threads may share it."""

    def __init__(self, places: Sequence[Place]) -> None:
        if not places:
            raise ValueError("an executor has at least one place to run a process in")
        self._places = tuple(places)
        self._busy = [0] * len(places)
        self._lock = threading.Lock()

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Hold the place with the fewest processes, the first of several."""
        with self._lock:
            index = self._busy.index(min(self._busy))
            self._busy[index] += 1
        try:
            yield self._places[index]
        finally:
            with self._lock:
                self._busy[index] -= 1
