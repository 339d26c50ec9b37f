"""Where a campaign stands, by what its events have told so far."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from bench.common.clock import SYSTEM, Clock
from bench.config.trial import Trial
from bench.events import (
    CampaignStarted,
    Event,
    Progress,
    RecordedElsewhere,
    TrialFinished,
    TrialRetried,
    TrialStarted,
)


@dataclass
class Running:
    """A trial that is being trained."""

    label: str
    latest: Progress | None = None


@dataclass
class Tally:
    """Where a campaign stands, kept up to date from its events."""

    planned: int = 0
    recorded: int = 0
    finished: int = 0
    problems: int = 0
    """Trials that ended in an error or a timeout."""
    running: dict[str, Running] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)
    """How much of each unfinished trial an earlier run had done."""
    earlier_of_finished: float = 0.0
    """The same, of all that have finished."""
    clock: Clock = SYSTEM
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    def take(self, event: Event) -> None:
        if isinstance(event, CampaignStarted):
            self.planned, self.recorded = event.planned, event.recorded
            self.started = self.clock()
        elif isinstance(event, TrialStarted):
            self.labels[event.trial.id] = label(event.trial)
            self.running[event.trial.id] = Running(label(event.trial))
        elif isinstance(event, Progress):
            running = self.running.setdefault(event.trial_id, Running(self.name(event.trial_id)))
            if event.step or not event.note:  # a mere remark says nothing of where the trial stands
                running.latest = event
                self._take_earlier(event)
        elif isinstance(event, TrialRetried):
            self.running.pop(event.trial_id, None)
        elif isinstance(event, TrialFinished):
            self.running.pop(event.trial.id, None)
            self.labels.pop(event.trial.id, None)  # nothing more is said of it, and there may be a million
            self.earlier_of_finished += self.earlier.pop(event.trial.id, 0.0)
            self.finished += 1
            self.problems += event.status in {"error", "timeout"}
        elif isinstance(event, RecordedElsewhere):
            self.recorded += 1
            self.problems += event.status in {"error", "timeout"}

    def _take_earlier(self, event: Progress) -> None:
        """Keep where a trial stood when it was first heard of; an attempt that begins before that does it anew."""
        share = event.step / event.steps
        first = share if event.note else 0.0  # who goes on from a checkpoint says so
        self.earlier[event.trial_id] = min(share, self.earlier.get(event.trial_id, first))

    def name(self, trial_id: str) -> str:
        return self.labels.get(trial_id, trial_id)

    @property
    def done(self) -> int:
        return self.recorded + self.finished

    @property
    def share(self) -> float:
        """How much of what this run has to do is done, the trials in flight by their steps."""
        todo = self.planned - self.recorded
        latest = [running.latest for running in self.running.values() if running.latest]
        return (self.finished + sum(progress.step / progress.steps for progress in latest)) / todo if todo else 1.0

    def seconds_left(self) -> float | None:
        """Extrapolate from what this run has done; `None` while that is too little to say.

        What earlier runs had done of the trials in their checkpoints took none of its time.
        """
        elapsed = self.clock() - self.started
        todo = self.planned - self.recorded
        left = (1.0 - self.share) * todo
        made = self.share * todo - self.earlier_of_finished - sum(self.earlier.values())
        if elapsed < 2.0 or made < 0.02 * (made + left):
            return None
        return elapsed * left / made if left else 0.0


def label(trial: Trial) -> str:
    """Return what a trial is called in progress; of a folder below the current one without the way there."""
    spec = trial.spec
    return f"{spec.method_name} on {spec.workload.replace(f':{Path.cwd()}{os.sep}', ':', 1)}, seed {spec.seed}"
