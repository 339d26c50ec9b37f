"""Where a campaign stands, by what its events have told so far."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

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
    started: float = field(default_factory=time.monotonic)
    labels: dict[str, str] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        if isinstance(event, CampaignStarted):
            self.planned, self.recorded = event.planned, event.recorded
            self.started = time.monotonic()
        elif isinstance(event, TrialStarted):
            self.labels[event.trial.id] = label(event.trial)
            self.running[event.trial.id] = Running(label(event.trial))
        elif isinstance(event, Progress):
            self.running.setdefault(event.trial_id, Running(self.name(event.trial_id))).latest = event
        elif isinstance(event, TrialRetried):
            self.running.pop(event.trial_id, None)
        elif isinstance(event, TrialFinished):
            self.running.pop(event.trial.id, None)
            self.labels.pop(event.trial.id, None)  # nothing more is said of it, and there may be a million
            self.finished += 1
            self.problems += event.status in {"error", "timeout"}
        elif isinstance(event, RecordedElsewhere):
            self.recorded += 1
            self.problems += event.status in {"error", "timeout"}

    def name(self, trial_id: str) -> str:
        return self.labels.get(trial_id, trial_id)

    @property
    def done(self) -> int:
        return self.recorded + self.finished

    @property
    def share(self) -> float:
        """How much of what this run has to do is done, the trials in flight by their steps."""
        todo = self.planned - self.recorded
        latest = [each.latest for each in self.running.values() if each.latest]
        return (self.finished + sum(each.step / each.steps for each in latest)) / todo if todo else 1.0

    def seconds_left(self) -> float | None:
        """Extrapolate from the share done; `None` while too little is done to say."""
        elapsed = time.monotonic() - self.started
        if self.share < 0.02 or elapsed < 2.0:
            return None
        return elapsed * (1.0 - self.share) / self.share


def label(trial: Trial) -> str:
    """Return what a trial is called in progress; of a folder below the current one without the way there."""
    spec = trial.spec
    return f"{spec.method_name} on {spec.workload.replace(f':{Path.cwd()}{os.sep}', ':', 1)}, seed {spec.seed}"
