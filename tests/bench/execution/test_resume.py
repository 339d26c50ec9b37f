"""Interrupted trials go on from their checkpoints: here, in real workers, and whatever has become of a file."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slow_cases import sampled
from small_trials import brief_trial, toy_trial, train_alone

from bench import campaign
from bench.config.trial import Trial
from bench.events import Event, Progress, TrialRetried
from bench.execution import training
from bench.execution.local import LocalExecutor
from bench.execution.memory import NeedsMemory
from bench.execution.worker import GRACE_SECONDS
from bench.store import environment
from bench.store.checkpoints import checkpoint_path
from bench.store.journal import Store
from bench.store.record import Outcome, Record
from bench.training import checkpoint, checkpoint_file
from bench.training.checkpoint_file import Origin, State
from bench.training.run import Run
from bench.training.run_options import RunOptions
from bench.training.stopping import Stopped

MEASURED = ("status", "message", "metrics", "history", "stability")
TRAINER = "impatient_training:train"


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "TRAINING_FOR_WRITING", 0.0)


class Here:
    """Trains in this process, and can be sent a signal at a step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._attempts = 0
        self._ask_at: int | None = None
        self.asked = False
        """Whether SIGTERM has come."""

    def kept(self, trial: Trial) -> Path:
        return checkpoint_path(self.folder / "checkpoints", trial.id)

    def train(self, *trials: Trial, ask_at: int | None = None, **options: object) -> list[Outcome | Exception | None]:
        """Train trials together; with `ask_at`, SIGTERM comes when the first one tells that it is there or beyond."""
        self._attempts += 1
        self._ask_at = ask_at
        members = []
        for index, trial in enumerate(trials):
            artifacts = self.folder / f"{self._attempts}.{index}"
            artifacts.mkdir(parents=True)
            members.append((trial, artifacts))
        chosen = RunOptions(**{"checkpoint_dir": str(self.folder / "checkpoints"), "progress_seconds": 0.0, **options})
        ended: dict[int, Outcome | Exception] = {}
        try:
            ended.update(training.train(members, chosen, self._emit))
        except Stopped:
            assert self.asked, "nobody has asked"
        return [ended.get(index) for index in range(len(trials))]

    def _emit(self, progress: Progress) -> None:
        if progress.note:
            self.notes.append(progress.note)
        elif self._ask_at is not None and progress.step >= self._ask_at:
            self._ask_at, self.asked = None, True
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setattr(training, "program", lambda: "c0ffee")  # somebody may commit meanwhile
    return Here(tmp_path / "here")


ALONE: dict[str, Outcome] = {}
"""By trial id: what trials come to that nobody interrupts."""


def alone(trial: Trial, folder: Path) -> Outcome:
    if trial.id not in ALONE:
        ALONE[trial.id] = train_alone(trial, folder / f"alone-{trial.id}")
    return ALONE[trial.id]


def assert_same(found: Outcome | Record | Exception | None, expected: Outcome) -> None:
    assert isinstance(found, Outcome | Record), found
    for name in MEASURED:
        assert getattr(found, name) == getattr(expected, name), name


def test_whoever_is_asked_to_end_goes_on_from_there(here: Here, tmp_path: Path) -> None:
    trial = brief_trial()
    assert here.train(trial, ask_at=6) == [None]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert here.kept(trial).exists()
    (found,) = here.train(trial)
    assert here.notes == ["goes on at step 6"]
    assert_same(found, alone(trial, tmp_path))


@pytest.mark.slow
def test_trials_of_a_process_have_checkpoints_of_their_own(here: Here, tmp_path: Path) -> None:
    """Their blocks end at different steps: each is asked at the end of its own, and one has ended before."""
    trials = [toy_trial(seed=0), toy_trial(seed=1, evaluate_every=40), toy_trial(seed=2, steps=20, evaluate_every=20)]
    stopped = here.train(*trials, ask_at=60)
    assert stopped[:2] == [None, None]
    assert isinstance(stopped[2], Outcome)
    assert [here.kept(trial).exists() for trial in trials] == [True, True, False]
    found = here.train(*trials[:2])
    assert here.notes == ["goes on at step 60", "goes on at step 80"]
    for index in range(2):
        assert_same(found[index], alone(trials[index], tmp_path))


def test_one_that_is_asked_while_it_is_concluded_ends_at_once(
    here: Here, monkeypatch: pytest.MonkeyPatch, eager: None
) -> None:
    """What others of the process have is kept all the same, at the end of the block that they are in."""
    trials = [brief_trial(seed=0, steps=5, evaluate_every=5), brief_trial(seed=1)]
    conclude = Run.conclude

    def concluding(run: Run, artifacts: Path) -> Outcome:
        if run._trial == trials[0]:
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("it goes on")
        return conclude(run, artifacts)

    monkeypatch.setattr(Run, "conclude", concluding)
    here.asked = True
    assert here.train(*trials) == [None, None]
    here.train(trials[1])
    assert here.notes == ["goes on at step 6"]


@pytest.mark.slow
def test_without_a_folder_or_minutes_nothing_is_kept_and_no_signal_is_taken(
    here: Here, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening: list[object] = []
    monkeypatch.setattr("bench.training.stopping.StopRequest.listening", lambda _: listening.append(1))
    for options in ({"checkpoint_dir": None}, {"checkpoint_minutes": 0.0}):
        (found,) = here.train(brief_trial(), **options)
        assert isinstance(found, Outcome)
    assert not (here.folder / "checkpoints").exists()
    assert listening == []


@pytest.mark.parametrize("minutes", [-1.0, float("nan")])
def test_minutes_below_none_are_refused(minutes: float) -> None:
    with pytest.raises(ValueError, match="checkpoint_minutes"):
        RunOptions(checkpoint_minutes=minutes)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _swap(path: Path) -> None:
    other = Here(path.parents[1] / "other")
    other.train(brief_trial(seed=5), ask_at=6)
    path.write_bytes(other.kept(brief_trial(seed=5)).read_bytes())


def _misfit(path: Path) -> None:
    """Whole, and of this trial by its head, but of another network."""
    from bench.execution.device import accelerator_name
    from bench.store.environment import environment
    from bench.training import checkpoint_file
    from bench.training.version import ENGINE_VERSION

    origin = checkpoint_file.Origin(
        trial_id=brief_trial().id,
        engine=ENGINE_VERSION,
        commit="c0ffee",
        fingerprint=environment("cpu", 1, accelerator_name("cpu")).fingerprint,
    )
    import torch

    state = checkpoint_file.read(path, origin, torch.device("cpu"))
    assert state is not None
    state["average"] = {"another": torch.zeros(3)}
    checkpoint_file.write(path, origin, state)


@pytest.mark.parametrize(
    ("spoil", "words"),
    sampled(
        [
            (_cut, "starts anew: its checkpoint is damaged"),
            (_empty, "starts anew: its checkpoint is damaged"),
            (_flip, "starts anew: its checkpoint is damaged"),
            (_swap, "starts anew: its checkpoint is of the trial "),
            (_misfit, "starts anew: its checkpoint does not fit (RuntimeError)"),
        ],
        every=2,
    ),
)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_said_and_costs_only_itself(
    here: Here, tmp_path: Path, spoil, words: str
) -> None:
    trial = brief_trial()
    here.train(trial, ask_at=6)
    spoil(here.kept(trial))
    here.notes.clear()
    (found,) = here.train(trial)
    assert len([note for note in here.notes if note.startswith(words)]) == 1
    assert not [note for note in here.notes if "goes on" in note and spoil is not _misfit]
    assert_same(found, alone(trial, tmp_path))
    assert "earlier_seconds" not in found.cost


def test_a_trial_does_not_go_on_with_a_program_that_was_edited_since(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has committed the change: by its commit it is the same program, and its loss may be another."""
    source = tmp_path / "losses" / "hinge.py"
    source.parent.mkdir(parents=True)
    monkeypatch.setattr(environment, "code_root", lambda: tmp_path)
    monkeypatch.setattr(environment, "commit", lambda: "c0ffee-dirty")
    monkeypatch.setattr(training, "program", environment.program.__wrapped__)  # as in a process of its own each time
    trial = brief_trial()
    source.write_text("one")
    here.train(trial, ask_at=6)
    source.write_text("two")
    (found,) = here.train(trial)
    assert isinstance(found, Outcome)
    (note,) = here.notes
    assert note.startswith("starts anew: its checkpoint is of the program c0ffee-dirty, source ")


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("torch.load", RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes")),
        ("bench.training.run.restore", MemoryError("none left")),
    ],
)
def test_a_lack_of_memory_for_a_checkpoint_does_not_cost_it(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    """It is tried again with fewer others beside it, which have the memory until then."""
    trial = brief_trial()
    here.train(trial, ask_at=6)

    def lacking(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, lacking)
        found, _ = here.train(trial, brief_trial(seed=1, steps=1, evaluate_every=1))
    assert isinstance(found, NeedsMemory)
    assert here.notes == []
    (found,) = here.train(trial)
    assert here.notes == ["goes on at step 6"]
    assert_same(found, alone(trial, tmp_path))


def test_one_that_cannot_be_written_is_said_once_and_training_goes_on(here: Here, tmp_path: Path, eager: None) -> None:
    here.folder.mkdir()
    (here.folder / "checkpoints").write_text("a file where the folder would be")
    trial = brief_trial()
    (found,) = here.train(trial)
    assert here.notes == ["its checkpoint cannot be written (File exists): an interruption costs all of it"]
    assert_same(found, alone(trial, tmp_path))


@pytest.mark.parametrize("again", [False, True], ids=["of this attempt", "of the one before"])
def test_one_that_cannot_be_written_leaves_the_one_before_and_says_what_is_at_stake(
    here: Here, eager: None, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    trial = brief_trial(steps=18)
    write = checkpoint_file.write
    written: list[int] = []

    def writing(path: Path, origin: Origin, state: State) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(state["completed_steps"])
        return write(path, origin, state)

    monkeypatch.setattr(checkpoint_file, "write", writing)
    here.train(trial, ask_at=6 if again else None)
    if again:
        here.train(trial)
    assert written == [6]
    said = "its checkpoint cannot be written (No space left on device): an interruption costs what it does after step 6"
    assert here.notes[-1] == said


def test_one_that_there_is_no_memory_to_write_does_not_end_its_trial(
    here: Here, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on a GPU takes memory of the host on its way into a file, which training itself does not."""

    def lacking(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory\nand where")

    monkeypatch.setattr("torch.save", lacking)
    (found,) = here.train(brief_trial())
    assert isinstance(found, Outcome)
    (note,) = here.notes
    assert note.startswith("its checkpoint cannot be written (DefaultCPUAllocator: can't allocate memory): an interr")
    assert list((here.folder / "checkpoints").iterdir()) == []


def test_a_part_that_fails_is_tried_again_from_the_last_checkpoint(
    here: Here, tmp_path: Path, eager: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = brief_trial()
    make = training.Run.steps

    def failing(run: Run) -> Iterator[int]:
        for step in make(run):
            if step == 7:
                raise RuntimeError("out of memory")
            yield step

    with monkeypatch.context() as patch:
        patch.setattr(training.Run, "steps", failing)
        (failed,) = here.train(trial)
    assert str(failed) == "out of memory"
    (found,) = here.train(trial)
    assert here.notes == ["goes on at step 6"]
    assert_same(found, alone(trial, tmp_path))


# Real workers, a campaign and its results folder.

SLOWLY = {"steps": 500, "evaluate_every": 250}


class Campaign:
    """Trials under the local executor, watched from outside."""

    def __init__(self, root: Path, *trials: Trial, **options: object) -> None:
        self.store = Store(root)
        self.trials = trials
        self.executor = LocalExecutor(1)
        self.events: list[Event] = []
        self.stream = campaign.run(trials, self.executor, self.store, RunOptions(**options), trainer=TRAINER)

    def pid(self) -> int:
        """Wait until each trial has a checkpoint; return the worker's process."""
        for event in self.stream:
            self.events.append(event)
            if all(checkpoint_path(self.store.checkpoints, trial.id).exists() for trial in self.trials):
                break
        (process,) = self.executor._running
        return process.pid

    def finish(self) -> dict[str, Record]:
        self.events += self.stream
        return self.store.latest()

    @property
    def notes(self) -> list[str]:
        return [event.note for event in self.events if isinstance(event, Progress) and event.note]


@pytest.fixture
def whole(tmp_path: Path) -> Outcome:
    return alone(toy_trial(**SLOWLY), tmp_path)


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def assert_went_on(notes: list[str], count: int = 1) -> None:
    assert len(notes) == count
    for note in notes:
        assert note.startswith("goes on at step ")
        assert 0 < int(note.rpartition(" ")[2].replace(",", "")) <= 500


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_goes_on_in_the_next_one(
    tmp_path: Path, whole: Outcome, number: signal.Signals
) -> None:
    trial = toy_trial(**SLOWLY)
    watched = Campaign(tmp_path / "results", trial)
    os.kill(watched.pid(), number)
    record = watched.finish()[trial.id]
    (retried,) = [event for event in watched.events if isinstance(event, TrialRetried)]
    assert f"killed by {number.name}" in retried.reason
    assert record.attempt == 1
    assert record.cost["earlier_seconds"] > 0
    assert_same(record, whole)
    assert_went_on(watched.notes)
    assert list(watched.store.checkpoints.iterdir()) == [], "its record is there"


@pytest.mark.slow
def test_a_campaign_that_is_stopped_goes_on_from_the_checkpoints_of_its_workers(tmp_path: Path, whole: Outcome) -> None:
    trials = [toy_trial(**SLOWLY), toy_trial(**SLOWLY, seed=1)]
    stopped = Campaign(tmp_path / "results", *trials, trials_per_process=2)
    stopped.pid()
    stopped.stream.close()  # as Ctrl-C does
    again = Campaign(tmp_path / "results", *trials, trials_per_process=2)
    records = again.finish()
    assert_went_on(again.notes, 2)
    assert_same(records[trials[0].id], whole)
    assert_same(records[trials[1].id], alone(trials[1], tmp_path))


@pytest.mark.slow
def test_an_attempt_that_takes_too_long_goes_on_in_the_next_run(tmp_path: Path, whole: Outcome) -> None:
    trial = toy_trial(**SLOWLY)
    tried, notes, seconds = 0, [], 5.0
    while True:
        attempt = Campaign(tmp_path / "results", trial, timeout_minutes=seconds / 60)
        record = attempt.finish()[trial.id]
        notes += attempt.notes
        if record.status != "timeout":
            break
        tried, seconds = tried + 1, 1.5 * seconds
        assert tried < 12, "it never gets on"
    assert_same(record, whole)
    if tried:
        assert checkpoint_path(attempt.store.checkpoints, trial.id).exists() is False


DRIVER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:2]
from small_trials import brief_trial, toy_trial
from bench import campaign
from bench.events import Progress
from bench.execution.local import LocalExecutor
from bench.store.journal import Store
trial = toy_trial(steps=300, evaluate_every=5)
for event in campaign.run([trial], LocalExecutor(1), Store(Path(sys.argv[2]))):
    if isinstance(event, Progress) and event.step:
        print(event.step, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_worker_of_a_campaign_that_is_killed_keeps_what_it_has(tmp_path: Path, number: signal.Signals) -> None:
    """It ends the block that is under way, long before a checkpoint is due, and writes one."""
    trial, helpers = toy_trial(steps=300, evaluate_every=5), Path(__file__).parents[2] / "helpers"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(helpers), str(tmp_path / "results")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    again = Campaign(tmp_path / "results", trial)
    kept = checkpoint_path(again.store.checkpoints, trial.id)
    assert driver.stdout is not None
    assert int(driver.stdout.readline()) > 0
    assert not kept.exists()
    driver.send_signal(number)
    driver.wait()
    driver.stdout.close()
    end = time.monotonic() + GRACE_SECONDS
    while not kept.exists():
        assert time.monotonic() < end, "nothing was kept"
        time.sleep(0.02)
    record = again.finish()[trial.id]
    assert record.attempt == 0
    assert_went_on(again.notes)
    assert_same(record, alone(trial, tmp_path))
