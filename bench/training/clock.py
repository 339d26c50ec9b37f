"""Throughput: the time of blocks of steps, evaluations and the warm-up left out, without stopping the device."""

import statistics
import time

import torch


class BlockClock:
    """Times blocks of steps: by device events on CUDA, so that queueing is not mistaken for working, else by wall."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._blocks: list[tuple[int, float | tuple[torch.cuda.Event, torch.cuda.Event]]] = []
        self._started: float | torch.cuda.Event = 0.0

    def start(self) -> None:
        self._started = self._now()

    def stop(self, steps: int) -> None:
        started, ended = self._started, self._now()
        if isinstance(started, float) and isinstance(ended, float):
            self._blocks.append((steps, ended - started))
        elif not isinstance(started, float) and not isinstance(ended, float):
            self._blocks.append((steps, (started, ended)))

    def steps_per_second(self) -> float | None:
        """Return the median over the blocks after the first, which warms up; `None` for no block."""
        blocks = self._blocks[1:] if len(self._blocks) > 1 else self._blocks
        rates = [steps / seconds for steps, seconds in ((n, _seconds(t)) for n, t in blocks) if seconds > 0]
        return statistics.median(rates) if rates else None

    def mean_seconds(self) -> float | None:
        """Return the seconds of one step, averaged over all blocks; `None` for no block."""
        steps = sum(n for n, _ in self._blocks)
        return self.train_seconds() / steps if steps else None

    def train_seconds(self) -> float:
        return sum(_seconds(interval) for _, interval in self._blocks)

    def _now(self) -> float | torch.cuda.Event:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


def _seconds(interval: float | tuple[torch.cuda.Event, torch.cuda.Event]) -> float:
    if isinstance(interval, float):
        return interval
    first, last = interval
    last.synchronize()
    return float(first.elapsed_time(last)) / 1000
