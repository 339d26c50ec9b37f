"""Exact resume: all that a trial's further steps depend on, written now and then, and taken up by the next attempt.

Random streams are functions of the step (`bench.training.seeding`, `losses.streams`), so that none has a state. What
has one says so itself, by `snapshot` and `restore`. A trial that goes on from its checkpoint has the bits of one that
was never interrupted; only its times are others.

A checkpoint is due with every evaluation and every few minutes, but never before it has been paid for: a hundred times
as long as the last one took, and half a minute at least. So they cost a trial one per cent at most, and one of a few
seconds nothing.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch

from bench.common.errors import first_line, is_memory_error
from bench.files.writing import reason
from bench.training import checkpoint_file
from bench.training.checkpoint_file import Origin, State, UnusableCheckpointError
from bench.training.loop import TrainingLoop
from bench.training.step import TrainingStep
from bench.training.stopping import Stopped, StopRequest

LEAST_SECONDS: Final = 30.0
"""So long a trial trains at least between two checkpoints."""

TRAINING_FOR_WRITING: Final = 100.0
"""So many times as long as a checkpoint took to write, a trial trains before the next one."""


def snapshot(loop: TrainingLoop, step: TrainingStep) -> State:
    """Return all that further steps depend on, between two blocks and with no evaluation under way.

    Tensors are the very ones that train: write them before the next step.
    """
    return {
        "completed_steps": loop.completed_steps,
        "step": step.snapshot(),
        "stepper": loop.stepper.snapshot(),
        "average": loop.average.module.state_dict(),
        "monitors": loop.monitors.snapshot(),
        "curves": loop.curves.snapshot(),
        "evaluations": loop.evaluations.snapshot(),
        "clock": loop.clock.snapshot(),
    }


def restore(state: State, loop: TrainingLoop, step: TrainingStep) -> None:
    """Put everything to where a snapshot was taken; `loop` and `step` are as they were built.

    What it raises for something that is no snapshot of this trial may be anything, and leaves them unusable.
    """
    step.restore(state["step"])
    loop.stepper.restore(state["stepper"])
    loop.average.module.load_state_dict(state["average"])
    loop.monitors.restore(state["monitors"])
    loop.curves.restore(state["curves"])
    loop.evaluations.restore(state["evaluations"])
    loop.clock.restore(state["clock"])
    loop.completed_steps = state["completed_steps"]


class Checkpoint:
    """The checkpoint of one trial on its way.

    Args:
        path: of its file.
        origin: of what and by what it is.
        minutes: a checkpoint is due after so long, and earlier with an evaluation.
        stop: is asked after each block whether training goes on.
        trials_in_process: the others stand still while one is written, so that each waits so many times longer.
        note: is told in a line what went wrong.
    """

    def __init__(
        self,
        path: Path,
        origin: Origin,
        *,
        minutes: float,
        stop: StopRequest,
        trials_in_process: int,
        note: Callable[[str], None],
    ) -> None:
        self._path = path
        self._origin = origin
        self._interval = 60 * minutes
        self._stop = stop
        self._trials_in_process = trials_in_process
        self._note = note
        self._written_at = time.monotonic()
        self._took = 0.0
        self._evaluations = 0
        self._has_failed = False
        self.last_step: int | None = None
        """Of the checkpoint that is there, where it can be gone on from."""

    def read(self, device: torch.device) -> State | None:
        """Return what an earlier attempt has left; None, and a note, where it cannot be gone on from."""
        try:
            return checkpoint_file.read(self._path, self._origin, device)
        except UnusableCheckpointError as error:
            self._note(f"starts anew: its checkpoint {error}")
            return None

    def after_block(self, loop: TrainingLoop, step: TrainingStep) -> None:
        """Write a checkpoint where one is due; raise `Stopped` after it where the process has been asked to end."""
        if self._stop.requested:
            loop.evaluations.collect()
            self._write(loop, step)
            raise Stopped
        if self._is_due(len(loop.evaluations.made)) and not loop.evaluations.collect_finished():
            self._write(loop, step)

    def _is_due(self, evaluations: int) -> bool:
        since = time.monotonic() - self._written_at
        if since < max(LEAST_SECONDS, TRAINING_FOR_WRITING * self._trials_in_process * self._took):
            return False
        return evaluations > self._evaluations or since >= self._interval

    def _write(self, loop: TrainingLoop, step: TrainingStep) -> None:
        started = time.monotonic()
        try:
            checkpoint_file.write(self._path, self._origin, snapshot(loop, step))
        except Exception as error:
            if not (isinstance(error, OSError) or is_memory_error(error)):
                raise
            why = reason(error) if isinstance(error, OSError) else first_line(error)
            if not self._has_failed:
                costs = "all of it" if self.last_step is None else f"what it does after step {self.last_step:,}"
                self._note(f"its checkpoint cannot be written ({why}): an interruption costs {costs}")
            self._has_failed = True
        else:
            self.last_step = loop.completed_steps
        self._written_at = time.monotonic()
        self._took = self._written_at - started
        self._evaluations = len(loop.evaluations.made)
