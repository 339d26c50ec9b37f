"""The real trainer, with a note of when it begins and ends, and of the CPU that its process has had by then."""

import atexit
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bench.config.trial import Trial
from bench.events import Progress
from bench.execution import training
from bench.store.record import Outcome
from bench.training.run_options import RunOptions

FILE_VARIABLE = "TIMED_TRAINING_FILE"
"""Names the file that the notes are appended to."""


class Note(msgspec.Struct):
    """A moment in a process that trains; clocks that run only forward are the same in all processes of a machine."""

    what: str
    """`begins`, `has-ended`, or `exits`."""
    trial_id: str
    at: float
    cpu: float


def train(
    trials: Sequence[tuple[Trial, Path]], options: RunOptions, emit: Callable[[Progress], None]
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Train as `bench.execution.training.train` does."""
    trial_id = trials[0][0].id
    _note("begins", trial_id)
    atexit.register(_note, "exits", trial_id)
    for index, made in training.train(trials, options, emit):
        _note("has-ended", trial_id)
        yield index, made


def _note(what: str, trial_id: str) -> None:
    note = Note(what=what, trial_id=trial_id, at=time.monotonic(), cpu=time.process_time())
    with Path(os.environ[FILE_VARIABLE]).open("ab") as file:
        file.write(msgspec.json.encode(note) + b"\n")
