"""How many trials share a device best: found by making their steps for a moment, each size on top of the one before."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from bench import data
from bench.config.trial import Trial
from bench.training.blocks import BLOCK_STEPS
from bench.training.capture import recorder_for, watched
from bench.training.monitors import Monitors
from bench.training.pack import own_stream
from bench.training.trainer import build_step, prepare_process

SIZES: Final = (1, 2, 4, 8, 16, 32)

WORTH: Final = 1.1
"""A larger pack has to make so many times the steps a second of the best one so far: each costs memory and patience."""

MEMORY_SHARE: Final = 0.8
"""How much of the device's memory a pack may fill; evaluation wants some, too."""


class Tried(NamedTuple):
    """A size, and how many steps a second the trials of such a pack make together."""

    size: int
    steps_per_second: float


def choose(tried: Iterable[Tried]) -> Tried:
    """Return the largest size whose gain was worth it, looking no further than the first that was not."""
    best: Tried | None = None
    for each in tried:
        if best is not None and each.steps_per_second < WORTH * best.steps_per_second:
            break
        best = each
    assert best is not None
    return best


def try_sizes(
    trial: Trial, *, data_dir: Path | None, device: str, threads: int, capture: bool = False
) -> Iterator[Tried]:
    """Make steps of ever more copies of a trial, and tell how fast; end before the device's memory is full.

    Nothing of it is kept. The arguments are those of `bench.training.trainer.train`.
    """
    place = torch.device(device)
    prepare_process(trial, threads)
    images = torch.from_numpy(data.load(trial.spec.workload, data_dir, expected=trial.spec.data_hash).train).to(place)
    copies: list[_Copy] = []
    for size in SIZES:
        try:
            copies += [_Copy(trial, images, place, capture=capture) for _ in range(size - len(copies))]
            _together(copies, place)  # plans, caches and recordings
            seconds = _together(copies, place)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            return
        yield Tried(size, size * BLOCK_STEPS / seconds)
        if 2 * _memory_share(place) > MEMORY_SHARE:
            return


class _Copy:
    """A trial's steps as a pack makes them, on a stream of their own."""

    def __init__(self, trial: Trial, images: Tensor, device: torch.device, *, capture: bool) -> None:
        self._current = own_stream(device)
        step = build_step(trial, images, device, stack=data.workload(trial.spec.workload).stack)
        self._monitors = Monitors(BLOCK_STEPS, device)
        self._watched = watched(step, self._monitors, recorder_for(device) if capture else None)

    def make(self, index: int) -> None:
        with self._current():
            self._watched.run(index)
            if index == BLOCK_STEPS - 1:
                self._monitors.flush(index)


def _together(copies: Sequence[_Copy], device: torch.device) -> float:
    """Make a block of steps in turn, and return the seconds it took."""
    _wait(device)
    started = time.perf_counter()
    for index in range(BLOCK_STEPS):
        for copy in copies:
            copy.make(index)
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _memory_share(device: torch.device) -> float:
    """Return how much of the device's memory is in use, by whomever; 0 on the CPU, where nobody asks."""
    if device.type != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    return 1 - free / total
