"""What an executor is given, what it tells, and what it can be asked to do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from msgspec import Struct

from bench.config.trial import Trial
from bench.events import Progress
from bench.store.record import Environment, Outcome
from bench.training.run_options import RunOptions

TRAINER: Final = "bench.execution.training:train"
"""The function that trains, as module:name. Only whoever runs a trial imports it, so that nobody else needs torch."""


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt at a trial: what is trained, and everything about where, which is no part of the trial's identity."""

    trial: Trial
    attempt: int
    scratch: str
    """An absolute path that this attempt alone may write to; its artifacts come to lie in `scratch/artifacts`."""
    log: str
    """The file that takes whatever the attempt writes to stdout and stderr, and the traceback if it fails."""
    options: RunOptions = RunOptions()
    trainer: str = TRAINER

    @property
    def artifacts(self) -> Path:
        return Path(self.scratch) / "artifacts"


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a process runs. An executor chooses one when the process starts, not when its tasks are submitted."""

    name: str = ""
    """As people call it, such as "GPU 1"; empty where there is nothing to tell apart."""
    environment: dict[str, str] = {}
    """Variables that a process has there, over those of the executor's own process."""


class Resources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each process takes of its place. An executor starts no more processes than a place has room for."""

    cpus: int = 1
    """Threads of each process, as in `RunOptions.threads`."""
    gpus: float = 0.0
    """How many GPUs; several processes share one where it is a fraction."""
    memory: int = 0
    """Bytes of the host's memory; 0 where it does not matter."""
    gpu_model: str = ""
    """Only places with this card; empty where any will do."""


class NeedsOwnProcess(Exception):  # noqa: N818 - what is to be done about it
    """Raised for a trial that failed because of the others in its process, and may end well without them."""


class ExecutorLostError(RuntimeError):
    """An executor cannot go on. What has finished is recorded, and the same command goes on from there."""


class Started(Struct, frozen=True, tag="started"):
    """The attempt has begun."""

    task: Task
    place: str = ""
    """The name of its place."""


class Finished(Struct, frozen=True, tag="finished"):
    """The attempt has an outcome, of whatever status.

    `lost` says that a second attempt, in a process of its own, may go better: the process vanished without an outcome
    (a signal, the out-of-memory killer), which was written in its name, or other trials were in the way.
    """

    task: Task
    outcome: Outcome
    lost: bool = False


Message = Started | Progress | Finished


class Announcement(Struct, frozen=True, tag="announcement"):
    """The first line of a worker: where it runs, in case it is lost before it can say so in its outcome."""

    environment: Environment
    commit: str | None
    started_at: str


class Concluded(Struct, frozen=True, tag="concluded"):
    """A line of a worker: the outcome of one of its tasks is there."""

    trial_id: str
    outcome: Outcome | None = None
    """The outcome itself, where it could not be written to its file; `None` where the file has it."""
    lost: bool = False
    """As in `Finished`."""


class Executor(Protocol):
    """Runs tasks, for one campaign. All methods are called from one thread."""

    @property
    def workers(self) -> int:
        """How many attempts run at once."""
        ...

    @property
    def backlog(self) -> int:
        """How many more processes are to be submitted, so that a place that grows on demand sees the demand."""
        ...

    def submit(self, *tasks: Task) -> None:
        """Queue tasks that share a process, one or several; what is queued starts in the order of submission.

        They have their options and their trainer in common. Where the process runs is decided when it starts.
        """
        ...

    def messages(self) -> Iterator[Message]:
        """Yield what happens until every submitted task has finished; tasks may be submitted while it is read.

        Raises:
            ExecutorLostError: what runs the processes is gone, and with it the attempts in flight.
        """
        ...

    def cancel(self) -> None:
        """Stop everything at once. What was in flight has no outcome; `messages` ends."""
        ...

    def close(self) -> None:
        """Release what the executor holds, cancelling first what still runs. Closing twice is harmless."""
        ...
