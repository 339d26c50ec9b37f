"""Evaluations beside training are those in line, bit for bit, however late they are made."""

import threading
from pathlib import Path

import pytest
import torch
from held_aside import HeldAside, ReleasedAside
from small_trials import make_trial, toy_trial
from tape import Tapes

from bench.config.trial import Optimizer, Trial
from bench.store.record import Outcome
from bench.training import trainer
from bench.training.aside import Aside
from bench.training.evaluations import Evaluations
from bench.training.trainer import Run, train

CPU = torch.device("cpu")
MEASURED = ("status", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")
EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))


def image_trial(**changes: object) -> Trial:
    """A generator with batch norm, whose statistics are part of what is evaluated."""
    return make_trial("nsgan", width=4, **{"steps": 30, "evaluate_every": 10, "samples": 50, **changes})


def outcome(folder: Path, trial: Trial, aside: Aside | None = None, recorder: Tapes | None = None) -> Outcome:
    folder.mkdir()
    trainer.prepare_process(trial, 1)
    run = Run(trial, data_dir=None, device=CPU, emit=lambda _: None, recorder=recorder, aside=aside)
    run.train()
    return run.conclude(folder)


def assert_same(folder: Path, found: Outcome, other: Path, expected: Outcome) -> None:
    assert [getattr(found, name) for name in MEASURED] == [getattr(expected, name) for name in MEASURED]
    for name in FILES:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize(
    "trial",
    [
        toy_trial(),
        toy_trial(steps=1, evaluate_every=1),
        toy_trial(optimizer=EXPLOSIVE, steps=400, evaluate_every=100),
        image_trial(),
        image_trial(precision="bf16"),
    ],
    ids=["toy", "one step", "not finite", "images", "bfloat16"],
)
def test_a_trial_is_the_same_with_its_evaluations_aside(tmp_path: Path, trial: Trial) -> None:
    expected = outcome(tmp_path / "in-line", trial)
    with Aside(CPU) as aside:
        found = outcome(tmp_path / "aside", trial, aside)
    assert_same(tmp_path / "aside", found, tmp_path / "in-line", expected)
    assert found.cost["evaluation_seconds"] > 0


@pytest.mark.parametrize("recorded", [False, True], ids=["plain", "on tapes"])
def test_what_is_evaluated_is_the_generator_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    """The evaluation due after ten steps is made after fifteen and more, and does not show it."""
    expected = outcome(tmp_path / "in-line", image_trial())
    make, measure, happened = Run.make, Evaluations._measure, []

    def making(run: Run, step: int) -> None:
        make(run, step)
        happened.append(step)
        if step == 15:
            aside.open.set()

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        happened.append(f"evaluation {step}")
        return measure(evaluations, step, *generators)

    monkeypatch.setattr(Run, "make", making)
    monkeypatch.setattr(Evaluations, "_measure", measuring)
    # Everything is recorded by step 10, after which it is replayed: a recording would wait for the evaluation.
    recorder = Tapes() if recorded else None
    with HeldAside() as aside:
        found = outcome(tmp_path / "aside", image_trial(), aside, recorder)
    assert happened.index(15) < happened.index("evaluation 10")
    assert recorder is None or recorder.replays > 0
    assert_same(tmp_path / "aside", found, tmp_path / "in-line", expected)


def test_evaluations_are_kept_in_order_and_one_of_a_trial_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is held until the very step before the next one falls due."""
    make = Run.make

    def making(run: Run, step: int) -> None:
        make(run, step)
        if step % 10 == 9:
            aside.open.set()

    begin = HeldAside.begin

    def beginning(aside: HeldAside, call: object) -> object:
        if aside.begun < 3:  # the last one is waited for at once
            aside.open.clear()
        return begin(aside, call)

    monkeypatch.setattr(Run, "make", making)
    monkeypatch.setattr(HeldAside, "begin", beginning)
    with HeldAside() as aside:
        found = outcome(tmp_path / "aside", image_trial(), aside)
        assert (aside.begun, aside.most) == (4, 1)
    assert [each.step for each in found.history.evaluations] == [0, 10, 20, 30]


def test_recordings_wait_until_nothing_runs_aside(tmp_path: Path) -> None:
    """The evaluations are held until somebody waits for them, which a recording must do first."""

    class Strict(Tapes):
        def record(self, *arguments: object) -> object:
            assert aside.running == 0
            return super().record(*arguments)

    trial = image_trial(steps=8, evaluate_every=2)
    expected = outcome(tmp_path / "in-line", trial)
    recorder = Strict()
    with ReleasedAside() as aside:
        make, steps = Run.make, []

        def making(run: Run, step: int) -> None:
            steps.append((step, aside.running))
            make(run, step)
            if step % 2 == 1:  # or the next evaluation would wait for ever
                aside.open.set()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "make", making)
            found = outcome(tmp_path / "aside", trial, aside, recorder)
    assert recorder.recordings > 0
    assert (2, 1) in steps, "an evaluation was under way before the recordings"
    assert_same(tmp_path / "aside", found, tmp_path / "in-line", expected)


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()], ids=["failure", "interruption"])
def test_a_step_that_fails_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    make = Run.make

    def making(run: Run, step: int) -> None:
        if step == 12:
            raise error
        make(run, step)

    monkeypatch.setattr(Run, "make", making)
    monkeypatch.setattr(trainer, "aside_for", lambda device, precision, **_: HeldAside())
    before = threading.active_count()
    with pytest.raises(type(error)):
        train(image_trial(), data_dir=None, device="cpu", threads=1, artifacts=tmp_path, emit=lambda _: None)
    assert threading.active_count() == before


def test_an_evaluation_that_fails_is_the_trials_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = Evaluations._measure

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        if step == 10:
            raise ValueError("too few samples")
        return measure(evaluations, step, *generators)

    monkeypatch.setattr(Evaluations, "_measure", measuring)
    monkeypatch.setattr(trainer, "aside_for", lambda device, precision, **_: Aside(device))
    with pytest.raises(ValueError, match="too few samples"):
        train(image_trial(), data_dir=None, device="cpu", threads=1, artifacts=tmp_path, emit=lambda _: None)


@pytest.mark.parametrize("held", [False, True])
def test_the_pace_is_of_blocks_alone_or_measured_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    """Four blocks alone are enough; with an evaluation beside two of them there are only two."""
    trial = toy_trial()
    alone: list[Run] = []
    make, begin = Run.make, HeldAside.begin

    def making(run: Run, step: int) -> None:
        make(run, step)
        if step == trial.spec.steps - 1:
            aside.open.set()

    def beginning(aside: HeldAside, call: object) -> object:
        future = begin(aside, call)
        if not held:
            aside.finish()
        return future

    monkeypatch.setattr(Run, "make", making)
    monkeypatch.setattr(HeldAside, "begin", beginning)
    monkeypatch.setattr(Run, "time_alone", lambda run: alone.append(run))
    with HeldAside() as aside:
        if not held:
            aside.open.set()
        outcome(tmp_path / "aside", trial, aside)
    assert len(alone) == held
