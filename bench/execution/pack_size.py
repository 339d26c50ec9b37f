"""The size of packs on this machine, tried out in a process that leaves nothing behind on the device."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.config.trial import Trial


def best_pack(trial: Trial, *, data_dir: Path | None, device: str, threads: int, capture: bool) -> tuple[int, float]:
    """Return how many copies of a trial share the device best, and their steps a second over those of one alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_try, trial, data_dir, device, threads, capture).result()


def _try(trial: Trial, data_dir: Path | None, device: str, threads: int, capture: bool) -> tuple[int, float]:  # noqa: FBT001
    from bench.training.pack_size import Tried, choose, try_sizes

    tried: list[Tried] = []

    def sizes() -> Iterator[Tried]:
        for each in try_sizes(trial, data_dir=data_dir, device=device, threads=threads, capture=capture):
            tried.append(each)
            yield each

    best = choose(sizes())
    return best.size, best.steps_per_second / tried[0].steps_per_second
