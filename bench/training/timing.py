"""What a trial costs on this machine: the pace of its steps, the players' updates apart, and memory."""

import resource
from typing import Final

import torch

from bench.training.blocks import BLOCK_STEPS
from bench.training.clock import BlockClock
from bench.training.loop import TrainingLoop
from bench.training.step import TrainingStep

PHASE_STEPS: Final = 16
"""Updates of each player that are timed apart when training has ended; the most common interval of a lazy term."""

EXCLUSIVE_BLOCKS: Final = 4
"""Blocks of steps by which a trial is timed at the end that overlapped with others; the first one warms up."""


def time_pace(loop: TrainingLoop, device: torch.device) -> BlockClock:
    """Return the clock that tells the trial's pace: the one of its training where too little overlapped with that.

    Otherwise blocks of further steps are timed now, while nothing else runs. They change the networks, so that what is
    kept must have been measured before.
    """
    return loop.clock if loop.clock.tells_pace(EXCLUSIVE_BLOCKS) else time_exclusively(loop, device)


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


def time_phases(step: TrainingStep, first: int, device: torch.device) -> dict[str, float | None]:
    """Return the seconds of an update of each player, over further steps from `first`; they change the networks."""
    clocks = {"discriminator": BlockClock(device), "generator": BlockClock(device)}
    for index in range(first, first + PHASE_STEPS):
        clocks["discriminator"].start()
        # One after the other, so that lazy terms, which count the discriminator's own updates, are due in turn.
        step.discriminator_gradients(step.batch("discriminator", first * step.critic_steps + index - first))
        step.apply_discriminator()
        clocks["discriminator"].stop(1)
        clocks["generator"].start()
        step.generator_gradients(step.batch("generator", index))
        step.apply_generator()
        clocks["generator"].stop(1)
    return {f"{player}_update_seconds": clock.mean_seconds() for player, clock in clocks.items()}


def peak_memory(device: torch.device) -> int:
    """Return the device's peak allocation on CUDA, else the process's peak resident size, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
