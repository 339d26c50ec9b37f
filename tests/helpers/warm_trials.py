"""What a short trial costs beside its training where workers are warm: wall time at the supervisor, and CPU.

PYTHONPATH=.:tests/helpers python tests/helpers/warm_trials.py [TRIALS] [STEPS]
"""

import itertools
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from load import children
from small_trials import toy_trial
from timed_training import FILE_VARIABLE, Note

from bench import campaign
from bench.events import TrialFinished
from bench.execution.local import LocalExecutor
from bench.execution.template import WARM_MODULES
from bench.store.journal import Store
from bench.store.record import INFRASTRUCTURE_STATUSES
from bench.training.run_options import RunOptions

NAMES = (
    "whole", "before", "training", "leaving", "recording", "beside",
    "cpu_process", "cpu_training", "cpu_supervisor", "cpu_beside",
)  # fmt: skip


@dataclass
class Cost:
    """Of one trial, in seconds."""

    whole: float
    """From the end of the trial before to its own, at the supervisor, with its record written."""
    before: float
    """From the end of the trial before until it trains."""
    training: float
    leaving: float
    """From the end of training to that of its process, with the outcome written."""
    recording: float
    """From there until it is recorded."""
    cpu_process: float
    """Of its process, from the fork to its very end, and of what that has started; in hundredths of a second."""
    cpu_training: float
    cpu_supervisor: float
    """Of the supervisor, while this trial was the one."""

    @property
    def beside(self) -> float:
        return self.whole - self.training

    @property
    def cpu_beside(self) -> float:
        return self.cpu_process - self.cpu_training + self.cpu_supervisor


def measure(folder: Path, count: int, **changes: object) -> list[Cost]:
    """Run so many trials, one after the other. The first one, which waits for the template, is left out."""
    trials = [toy_trial(seed=seed, **changes) for seed in range(count + 1)]
    notes = folder / "notes"
    os.environ[FILE_VARIABLE] = str(notes)
    ends: list[tuple[str, float, float, float]] = []
    executor, store = LocalExecutor(1, warm=WARM_MODULES), Store(folder / "results")
    for event in campaign.run(trials, executor, store, RunOptions(threads=1), trainer="timed_training:train"):
        if isinstance(event, TrialFinished):
            assert event.status not in INFRASTRUCTURE_STATUSES, event.message
            ends.append((event.trial.id, time.monotonic(), time.process_time(), _cpu_of_workers()))
    told: dict[str, dict[str, Note]] = {}
    for line in notes.read_bytes().splitlines():
        note = msgspec.json.decode(line, type=Note)
        told.setdefault(note.trial_id, {})[note.what] = note
    costs = []
    for (_, before, cpu_before, workers_before), (trial_id, ended, cpu, workers) in itertools.pairwise(ends):
        begins, over, exits = (told[trial_id][what] for what in ("begins", "has-ended", "exits"))
        costs.append(
            Cost(
                whole=ended - before,
                before=begins.at - before,
                training=over.at - begins.at,
                leaving=exits.at - over.at,
                recording=ended - exits.at,
                cpu_process=workers - workers_before,
                cpu_training=over.cpu - begins.cpu,
                cpu_supervisor=cpu - cpu_before,
            )
        )
    return costs


def _cpu_of_workers() -> float:
    """Return the CPU of all workers that have ended, as their template has waited for them."""
    (template,) = children("bench.execution.template")
    times = Path(f"/proc/{template}/stat").read_text().rpartition(")")[2].split()
    return (int(times[13]) + int(times[14])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print what was measured."""
    count, steps = (int(each) for each in (*sys.argv[1:3], *("2", "3000")[len(sys.argv[1:3]) :]))
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), count, steps=steps, evaluate_every=steps // 4, samples=10_000)
    for name in NAMES:
        values = [getattr(cost, name) for cost in costs]
        shown = ", ".join(f"{value:.3f}" for value in values)
        sys.stdout.write(f"{name:15} median {statistics.median(values):7.3f} s   ({shown})\n")
    sys.stdout.write(f"load of the machine: {os.getloadavg()[0]:.1f}\n")


if __name__ == "__main__":
    main()
