"""A campaign that is killed, or cannot keep what it has: nothing is lost that can be kept."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from fake_campaigns import FAKE, MakeTrial, Recording, deterministic, of

from bench.campaign import run
from bench.config.suite import load_suite
from bench.config.trial import Trial
from bench.events import (
    NotKept,
)
from bench.execution.inline import InlineExecutor
from bench.execution.interface import TRAINER, Executor
from bench.execution.local import LocalExecutor
from bench.plan import expand
from bench.store.checkpoints import checkpoint_path
from bench.store.journal import Store, StoreError, read_record
from bench.store.record import Record
from bench.training.run_options import RunOptions

ROOT = Path(__file__).parents[3]

DRIVER = """
import sys
from pathlib import Path
import msgspec
from bench.campaign import run
from bench.config.trial import Trial
from bench.events import TrialFinished
from bench.execution.local import LocalExecutor
from bench.store.journal import Store
trials = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[Trial])
for event in run(trials, LocalExecutor(2), Store(Path(sys.argv[2])), trainer=sys.argv[3]):
    if isinstance(event, TrialFinished):
        print(event.trial.id, event.status, flush=True)
"""


def run_and_kill(trials: list[Trial], results: Path, trainer: str) -> None:
    """Run a campaign in a process of its own, and kill that once a trial has finished."""
    plan = results.with_suffix(".plan.json")
    plan.write_bytes(msgspec.json.encode(trials))
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(plan), str(results), trainer],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def check_killed_and_resumed(trials: list[Trial], tmp_path: Path, trainer: str) -> None:
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    list(run(trials, LocalExecutor(2), whole, trainer=trainer))
    run_and_kill(trials, broken.root, trainer)
    kept = {record.trial_id: record for record in broken.records()}
    assert 1 <= len(kept) < len(trials), "the kill came in the middle"
    list(run(trials, LocalExecutor(2), broken, trainer=trainer))
    assert deterministic(broken) == deterministic(whole)
    assert len(broken.records()) == len(trials)
    assert all(broken.latest()[trial_id] == record for trial_id, record in kept.items()), "none was run again"
    for trial in trials:
        one, other = (store.artifacts_dir(trial.id) / "samples.png" for store in (whole, broken))
        assert one.read_bytes() == other.read_bytes()
    # A child of the dead one may have been starting when the second campaign swept; it is gone by now.
    list(run(trials, LocalExecutor(2), broken, trainer=trainer))
    assert not [path for path in (broken.root / "scratch").iterdir() if path.is_dir()], "the dead one's is swept"


@pytest.mark.slow
def test_killed_campaign_resumes_to_the_same_records(trial: MakeTrial, tmp_path: Path) -> None:
    check_killed_and_resumed([trial("nap", seed) for seed in range(6)], tmp_path, FAKE)


@pytest.mark.slow
def test_killed_campaign_resumes_to_the_same_records_with_real_training(tmp_path: Path) -> None:
    suite = load_suite("smoke", {"seeds": 2, "steps": 20, "evaluate_every": 10, "samples": 500})
    check_killed_and_resumed(expand(suite), tmp_path, TRAINER)


def test_records_that_cannot_be_stored_are_kept_elsewhere_and_the_campaign_goes_on(
    store: Store, trial: MakeTrial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    append = Store.append

    def full(self: Store, record: Record) -> object:
        if record.spec.method == "plain":
            raise OSError(28, "No space left on device")
        return append(self, record)

    monkeypatch.setattr(Store, "append", full)
    with pytest.raises(StoreError, match=r"1 of the records cannot be written into .*No space left on device"):
        list(run([trial(), trial("nonfinite")], InlineExecutor(), store, trainer=FAKE))
    (kept,) = tmp_path.glob("gan-loss-bench-records-*")
    assert [read_record(path).spec.method for path in kept.iterdir()] == ["plain"]
    assert [record.spec.method for record in store.records()] == ["nonfinite"], "the next one was trained all the same"


def test_artifacts_that_cannot_be_kept_cost_no_record(
    store: Store, trial: MakeTrial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Store, "keep_artifacts", refuse)
    events = list(run([trial()], InlineExecutor(), store, trainer=FAKE))
    assert of(events, NotKept) == [NotKept(trial_id=trial().id, what="artifacts", reason="Permission denied")]
    assert [record.status for record in store.records()] == ["ok"]


def test_nothing_is_trained_where_nothing_can_be_stored(tmp_path: Path, trial: MakeTrial) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"nothing can be written into .*Not a directory"):
        next(run([trial()], InlineExecutor(), Store(tmp_path / "file" / "results"), trainer=FAKE))


@pytest.mark.parametrize(
    ("method", "stays"), [("plain", False), ("nonfinite", False), ("break", True), ("sleep", True)]
)
def test_a_checkpoint_stays_until_its_trial_has_a_result(
    store: Store, trial: MakeTrial, method: str, stays: bool
) -> None:
    wanted = trial(method)
    kept = checkpoint_path(store.checkpoints, wanted.id)
    store.checkpoints.mkdir(parents=True)
    kept.touch()
    options = RunOptions(timeout_minutes=1 / 60 if method == "sleep" else 1.0)
    list(run([wanted], LocalExecutor(1), store, options, trainer=FAKE))
    assert kept.exists() == stays


def test_checkpoints_of_recorded_trials_are_removed_and_those_of_others_left(store: Store, trial: MakeTrial) -> None:
    """As where a campaign was killed between a record and the end of its checkpoint."""
    wanted, other = trial("plain"), trial("plain", 1)
    list(run([wanted], InlineExecutor(), store, trainer=FAKE))
    store.checkpoints.mkdir(parents=True, exist_ok=True)
    for each in (wanted, other):
        checkpoint_path(store.checkpoints, each.id).touch()
    list(run([wanted], InlineExecutor(), store, trainer=FAKE))
    assert [path.name for path in store.checkpoints.iterdir()] == [f"{other.id}.checkpoint"]


def test_a_folder_of_checkpoints_may_lie_elsewhere(store: Store, trial: MakeTrial, tmp_path: Path) -> None:
    executor = Recording()
    given: Executor = executor
    options = RunOptions(checkpoint_dir=str(tmp_path / "elsewhere"))
    list(run([trial()], given, store, options))
    assert executor.tasks[0].options == options
