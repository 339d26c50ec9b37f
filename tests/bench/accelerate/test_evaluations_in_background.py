"""Evaluations in the background are those in line, bit for bit, however late they are made."""

import threading
from pathlib import Path

import pytest
import torch
from held_background import HeldRunner, ReleasedRunner
from slow_cases import sampled
from small_trials import brief_trial, make_trial, toy_trial, train_alone
from tape import Tapes

from bench.accelerate.background import BackgroundRunner
from bench.accelerate.capture import CapturedStepper
from bench.config.trial import Optimizer, Trial
from bench.execution import training
from bench.store.record import Outcome
from bench.training import timing
from bench.training.build import prepare_process
from bench.training.evaluations import Evaluations
from bench.training.loop import TrainingLoop
from bench.training.monitors import Monitors
from bench.training.run import Run
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep
from bench.training.stepper import Runner

pytestmark = pytest.mark.usefixtures("untimed")

CPU = torch.device("cpu")
MEASURED = ("status", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")
EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))


def image_trial(**changes: object) -> Trial:
    """A generator with batch norm, whose statistics are part of what is evaluated."""
    return make_trial("nsgan", width=4, **{"steps": 30, "evaluate_every": 10, "samples": 50, **changes})


def outcome(folder: Path, trial: Trial, runner: Runner | None = None, recorder: Tapes | None = None) -> Outcome:
    folder.mkdir()
    prepare_process(trial, RunOptions())

    def captured(step: TrainingStep, monitors: Monitors) -> CapturedStepper:
        assert recorder is not None
        return CapturedStepper(step, monitors, recorder, sync=runner.wait if runner else lambda: None)

    made_by = {} if recorder is None else {"make_stepper": captured}
    run = Run(trial, RunOptions(), emit=lambda _: None, runner=runner, **made_by)
    for _ in run.steps():
        pass
    return run.conclude(folder)


def assert_same(folder: Path, found: Outcome, other: Path, expected: Outcome) -> None:
    assert [getattr(found, name) for name in MEASURED] == [getattr(expected, name) for name in MEASURED]
    for name in FILES:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize(
    "trial",
    [
        brief_trial(),
        toy_trial(steps=1, evaluate_every=1),
        pytest.param(toy_trial(optimizer=EXPLOSIVE, steps=400, evaluate_every=100), marks=pytest.mark.slow),
        pytest.param(image_trial(), marks=pytest.mark.slow),
        pytest.param(image_trial(precision="bf16"), marks=pytest.mark.slow),
    ],
    ids=["toy", "one step", "not finite", "images", "bfloat16"],
)
def test_a_trial_is_the_same_with_its_evaluations_in_the_background(tmp_path: Path, trial: Trial) -> None:
    expected = outcome(tmp_path / "in-line", trial)
    with BackgroundRunner(CPU) as runner:
        found = outcome(tmp_path / "background", trial, runner)
    assert_same(tmp_path / "background", found, tmp_path / "in-line", expected)
    assert found.cost["evaluation_seconds"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("recorded", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "on tapes"])
def test_what_is_evaluated_is_the_generator_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    """The evaluation due after ten steps is made after fifteen and more, and does not show it."""
    expected = outcome(tmp_path / "in-line", image_trial())
    make, measure, happened = TrainingLoop.make, Evaluations._measure, []

    def making(loop: TrainingLoop, step: int) -> None:
        make(loop, step)
        happened.append(step)
        if step == 15:
            runner.open.set()

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        happened.append(f"evaluation {step}")
        return measure(evaluations, step, *generators)

    monkeypatch.setattr(TrainingLoop, "make", making)
    monkeypatch.setattr(Evaluations, "_measure", measuring)
    # Everything is recorded by step 10, after which it is replayed: a recording would wait for the evaluation.
    recorder = Tapes() if recorded else None
    with HeldRunner() as runner:
        found = outcome(tmp_path / "background", image_trial(), runner, recorder)
    assert happened.index(15) < happened.index("evaluation 10")
    assert recorder is None or recorder.replays > 0
    assert_same(tmp_path / "background", found, tmp_path / "in-line", expected)


@pytest.mark.slow
def test_evaluations_are_kept_in_order_and_one_of_a_trial_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held until the very step before the next one falls due."""
    make = TrainingLoop.make

    def making(loop: TrainingLoop, step: int) -> None:
        make(loop, step)
        if step % 10 == 9:
            runner.open.set()

    submit = HeldRunner.submit

    def submitting(runner: HeldRunner, call: object, *given: object) -> object:
        if runner.submitted < 3:  # the last one is waited for at once
            runner.open.clear()
        return submit(runner, call, *given)

    monkeypatch.setattr(TrainingLoop, "make", making)
    monkeypatch.setattr(HeldRunner, "submit", submitting)
    with HeldRunner() as runner:
        found = outcome(tmp_path / "background", image_trial(), runner)
        assert (runner.submitted, runner.most) == (4, 1)
    assert [each.step for each in found.history.evaluations] == [0, 10, 20, 30]


@pytest.mark.slow
def test_recordings_wait_until_nothing_runs_in_the_background(tmp_path: Path) -> None:
    """The evaluations are held until somebody waits for them, which a recording must do first."""

    class Strict(Tapes):
        def record(self, *arguments: object) -> object:
            assert runner.running == 0
            return super().record(*arguments)

    trial = image_trial(steps=8, evaluate_every=2)
    expected = outcome(tmp_path / "in-line", trial)
    recorder = Strict()
    with ReleasedRunner() as runner:
        make, steps = TrainingLoop.make, []

        def making(loop: TrainingLoop, step: int) -> None:
            steps.append((step, runner.running))
            make(loop, step)
            if step % 2 == 1:  # or the next evaluation would wait for ever
                runner.open.set()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainingLoop, "make", making)
            found = outcome(tmp_path / "background", trial, runner, recorder)
    assert recorder.recordings > 0
    assert (2, 1) in steps, "an evaluation was under way before the recordings"
    assert_same(tmp_path / "background", found, tmp_path / "in-line", expected)


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=["failure", "interruption"])
def test_a_step_that_fails_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    make = TrainingLoop.make

    def making(loop: TrainingLoop, step: int) -> None:
        if step == 12:
            raise error
        make(loop, step)

    monkeypatch.setattr(TrainingLoop, "make", making)
    monkeypatch.setattr(training, "runner_for", lambda *_: HeldRunner())
    before = threading.active_count()
    with pytest.raises(type(error)):
        train_alone(image_trial(), tmp_path)
    assert threading.active_count() == before


def test_an_evaluation_that_fails_is_the_trials_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Evaluations._measure

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        if step == 10:
            raise ValueError("too few samples")
        return measure(evaluations, step, *generators)

    monkeypatch.setattr(Evaluations, "_measure", measuring)
    monkeypatch.setattr(training, "runner_for", lambda *_: BackgroundRunner(CPU))
    with pytest.raises(ValueError, match="too few samples"):
        train_alone(image_trial(), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("held", sampled([False, True], every=2))
def test_the_pace_is_of_blocks_alone_or_measured_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    """With an evaluation beside two of its four blocks, too few were exclusive."""
    monkeypatch.setattr(timing, "EXCLUSIVE_BLOCKS", 4)
    trial = toy_trial()
    timed: list[TrainingLoop] = []
    make, submit = TrainingLoop.make, HeldRunner.submit

    def making(loop: TrainingLoop, step: int) -> None:
        make(loop, step)
        if step == trial.spec.steps - 1:
            runner.open.set()

    def submitting(runner: HeldRunner, call: object, *given: object) -> object:
        future = submit(runner, call, *given)
        if not held:
            runner.wait()
        return future

    monkeypatch.setattr(TrainingLoop, "make", making)
    monkeypatch.setattr(HeldRunner, "submit", submitting)
    monkeypatch.setattr(timing, "time_exclusively", lambda loop, _: timed.append(loop) or loop.clock)
    with HeldRunner() as runner:
        if not held:
            runner.open.set()
        outcome(tmp_path / "background", trial, runner)
    assert len(timed) == held
