"""What a trial costs on this machine: the pace of its steps, the players' updates apart, and memory."""

import importlib
import sys
from pathlib import Path
from typing import Final

import msgspec
import torch

from bench.config.trial import Spec
from bench.training.blocks import BLOCK_STEPS
from bench.training.clock import BlockClock
from bench.training.loop import TrainingLoop
from bench.training.step import TrainingStep
from losses.types import Phase

PHASE_STEPS: Final = 16
"""Updates of each player that are timed apart when training has ended; the most common interval of a lazy term."""

_STATUS: Final = Path("/proc/self/status")

EXCLUSIVE_BLOCKS: Final = 4
"""Blocks of steps by which a trial is timed at the end that overlapped with others; the first one warms up."""


class Paces:
    """Which kinds of trial this process has timed alone. Trials that differ in their seed alone are of one kind."""

    def __init__(self) -> None:
        self._timed: set[bytes] = set()

    def knows(self, spec: Spec) -> bool:
        """Say whether a trial of this kind has been timed alone."""
        return self._kind(spec) in self._timed

    def add(self, spec: Spec) -> None:
        self._timed.add(self._kind(spec))

    def _kind(self, spec: Spec) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(spec, seed=0))


def time_pace(loop: TrainingLoop, device: torch.device, paces: Paces) -> BlockClock | None:
    """Return the clock that tells the trial's pace: the one of its training, where nothing overlapped with it.

    Otherwise blocks of further steps are timed now, while nothing else runs, and all other trials of the process wait.
    So that is done once for each kind of trial, with one whose numbers are finite; the pace of the others is unknown
    (None), and not that of the one, since two records would pass for two measurements. The steps change the networks,
    so that what is kept must have been measured before.
    """
    if loop.clock.tells_pace(EXCLUSIVE_BLOCKS):
        return loop.clock
    if paces.knows(loop.spec):
        return None
    if loop.curves.first_nonfinite_step is None:
        paces.add(loop.spec)
    return time_exclusively(loop, device)


def time_exclusively(loop: TrainingLoop, device: torch.device) -> BlockClock:
    """Time blocks of further steps."""
    clock = BlockClock(device)
    first = loop.completed_steps
    for block in range(EXCLUSIVE_BLOCKS):
        clock.start()
        for step in range(first + block * BLOCK_STEPS, first + (block + 1) * BLOCK_STEPS):
            loop.make(step)
        clock.stop(BLOCK_STEPS)
        loop.monitors.flush(step)
    loop.monitors.drain()
    return clock


def time_phases(loop: TrainingLoop, step: TrainingStep, device: torch.device) -> dict[str, float | None]:
    """Return the seconds of an update of each player, over further steps; they change the networks.

    They are made the way that the trial's steps were. None where that way is not there yet, as in a training that ended
    before each kind of update was recorded.
    """
    first = loop.completed_steps
    seconds: dict[str, float | None] = {}
    clocks: dict[Phase, BlockClock] = {"discriminator": BlockClock(device), "generator": BlockClock(device)}
    typical: dict[Phase, bool] = dict.fromkeys(clocks, True)
    for index in range(PHASE_STEPS):
        # One after the other, so that lazy terms, which count the discriminator's own updates, are due in turn.
        numbers: dict[Phase, int] = {"discriminator": first * step.critic_steps + index, "generator": first + index}
        for phase, clock in clocks.items():
            clock.start()
            typical[phase] &= loop.stepper.update(phase, numbers[phase])
            clock.stop(1)
    for phase, clock in clocks.items():
        seconds[f"{phase}_update_seconds"] = clock.mean_seconds() if typical[phase] else None
    return seconds


def reset_peak_memory(device: torch.device) -> None:
    """Let the peak on a GPU be that of what comes now; that of a process on the CPU is that of all it ever did."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> int | None:
    """Return the device's peak allocation on CUDA, else the process's peak resident size, in bytes.

    None where the system does not say it, as Windows.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if (own := _high_water_mark()) is not None:
        return own
    try:
        resource = importlib.import_module("resource")
    except ImportError:
        return None
    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes


def _high_water_mark() -> int | None:
    """Return this process's peak resident size as Linux keeps it, in bytes; None where it does not say.

    What `getrusage` says on Linux is at least what the process held that started this one: it outlives `exec`.
    """
    try:
        lines = _STATUS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(sizes[0]) if sizes else None
