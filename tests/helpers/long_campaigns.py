"""A campaign of weeks in seconds: the real one, with an executor and a clock that are made up.

Trials take minutes by the made clock. Some break, hang, lose their process or their node; the machine stands still for
hours, the times that others write are years off, the executor is lost, and Ctrl-C comes.
"""

import heapq
import itertools
import os
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from made_clock import MadeClock

from bench.config.trial import Trial
from bench.events import Progress
from bench.execution.interface import ExecutorLostError, Finished, Message, Started, Task
from bench.store.journal import Store
from bench.store.liveness import BEAT_SECONDS, LEASE_SECONDS, Holder
from bench.store.record import Outcome, Status, make_record

Told = tuple[str, int, str]
"""An attempt that has ended: its trial, its number, its status."""

LIMIT = 3600.0
"""After so many seconds a hanging trial is stopped."""


def _outcome(status: Status, message: str, when: datetime) -> Outcome:
    return Outcome(status=status, message=message, started_at=when.isoformat(), finished_at=when.isoformat())


class World:
    """What the clocks on walls show, which nobody may rely on."""

    def __init__(self, clock: MadeClock) -> None:
        self.clock = clock
        self.off = timedelta()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.clock()) + self.off


class LongExecutor:
    """Runs nothing: at most `workers` at once take their time, each `seconds` in the mean."""

    backlog = 0

    def __init__(
        self, world: World, workers: int, seconds: float, told: list[Told], *, lost_at: float = float("inf")
    ) -> None:
        self.workers = workers
        self._world, self._clock, self._seconds, self._lost_at = world, world.clock, seconds, lost_at
        self._waiting: list[Task] = []
        self._coming: list[tuple[float, int, Message]] = []
        self._number = itertools.count()
        self._outstanding = 0
        self._told = told
        self.seconds: dict[tuple[str, int], float] = {}
        """How long it took."""
        self.began: dict[str, float] = {}
        """When each trial began, the last time."""
        self.most = 0
        """How many ran at once."""
        self.is_closed = False

    def submit(self, *tasks: Task) -> None:
        self._waiting += tasks
        self._outstanding += len(tasks)

    def messages(self) -> Iterator[Message]:
        running = 0
        while self._outstanding:
            while self._waiting and running < self.workers:
                running += 1
                self.most = max(self.most, running)
                yield self._begin(self._waiting.pop(0))
            due, _, message = heapq.heappop(self._coming)
            if due > self._lost_at:
                self._clock.sleep(self._lost_at - self._clock())
                raise ExecutorLostError("the cluster was lost")
            self._clock.sleep(max(0.0, due - self._clock()))
            if isinstance(message, Finished):
                self._outstanding -= 1
                running -= 1
                message = msgspec.structs.replace(message, outcome=self._at_its_end(message.outcome))
                self._told.append((message.task.trial.id, message.task.attempt, message.outcome.status))
            yield message

    def cancel(self) -> None:
        self._outstanding = 0

    def close(self) -> None:
        self.cancel()
        self.is_closed = True

    def _begin(self, task: Task) -> Started:
        """Draw what becomes of an attempt, and when it is told."""
        trial = task.trial
        draw = random.Random(f"{trial.spec.seed}.{task.attempt}")
        seconds, fate = self._seconds * draw.uniform(0.5, 1.5), draw.random()
        status: Status = "ok"
        if fate < 0.03:
            status, seconds = "error", seconds * draw.random()
        elif fate < 0.04:
            status, seconds = "error", 1.0
        elif fate < 0.05:
            status, seconds = "timeout", LIMIT
        elif fate < 0.07:
            status = "nonfinite"
        for share in (0.25, 0.5, 0.75):
            if fate > 0.99 and share == 0.5:  # its node is lost, and another goes on from the checkpoint
                self._tell(seconds * share, Progress.remark(trial, "its node was lost; it goes on elsewhere"))
                seconds *= 1.25
            step = int(share * trial.spec.steps)
            self._tell(
                seconds * share,
                Progress(trial_id=trial.id, step=step, steps=trial.spec.steps, images_per_second=100.0),
            )
        outcome = _outcome(status, "" if status in ("ok", "nonfinite") else status, self._world.now())
        self._tell(seconds, Finished(task=task, outcome=outcome, lost=fate < 0.03))
        self.seconds[trial.id, task.attempt], self.began[trial.id] = seconds, self._clock()
        return Started(task=task)

    def _tell(self, seconds: float, message: Message) -> None:
        heapq.heappush(self._coming, (self._clock() + seconds, next(self._number), message))

    def _at_its_end(self, outcome: Outcome) -> Outcome:
        return msgspec.structs.replace(outcome, finished_at=self._world.now().isoformat())


class Elsewhere:
    """The campaign of another machine: it is at some trials, records one now and then, and falls silent for good.

    It does so when it has been waited for, as long as a few leases.
    """

    NAME = "0123456789ab"
    PATIENCE = 3 * LEASE_SECONDS

    def __init__(self, store: Store, world: World, trials: Sequence[Trial], every: float) -> None:
        self._store, self._world = store, world
        self.left = list(trials)
        self.recorded: list[str] = []
        self.waited_for_since = float("inf")
        self.silent_since = float("inf")
        self._sign = store.claims / f"{self.NAME}.alive"
        self._moment = time.time_ns()
        store.claims.mkdir(parents=True, exist_ok=True)
        self._sign.write_bytes(msgspec.json.encode(Holder(campaign=self.NAME, host="far", pid=7, boot="another")))
        for trial in trials:
            self._claim(trial).write_text(self.NAME)
        world.clock.every(BEAT_SECONDS, self._beat)
        world.clock.every(every, self._record_another)

    def is_waited_for(self) -> None:
        """Take note of it."""
        self.waited_for_since = min(self.waited_for_since, self._world.clock())

    def _beat(self) -> None:
        now = self._world.clock()
        if now > self.silent_since:
            return
        self._moment += 1000  # real time hardly passes
        os.utime(self._sign, ns=(self._moment, self._moment))
        if now >= self.waited_for_since + self.PATIENCE:
            self._record()
            self.silent_since = now

    def _record_another(self) -> None:
        if len(self.left) > 3 and self.waited_for_since == float("inf"):
            self._record()

    def _record(self) -> None:
        trial = self.left.pop(0)
        self._store.append(make_record(trial, 0, _outcome("ok", "", self._world.now())))
        self._claim(trial).unlink()
        self.recorded.append(trial.id)

    def _claim(self, trial: Trial) -> Path:
        return self._store.claims / f"{trial.id}.0.0.claim"
