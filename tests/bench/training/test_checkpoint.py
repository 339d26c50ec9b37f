"""A trial that was interrupted and went on is, to the last bit, the trial that was not."""

import math
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import torch
from interrupted import CPU, FILES, MEASURED, begin, differences, go_on, to_the_end, until
from slow_cases import mostly_slow, sampled
from small_trials import brief_trial, make_trial, toy_trial
from tape import Tapes

import losses
from bench.accelerate.background import BackgroundRunner
from bench.accelerate.capture import CapturedStepper
from bench.config.trial import Optimizer, Trial
from bench.store.record import Outcome
from bench.training import checkpoint as room
from bench.training.checkpoint import Checkpoint
from bench.training.checkpoint_file import State
from bench.training.monitors import MONITORS, Readings, Saturation
from bench.training.stopping import Stopped, StopRequest
from losses import registry

pytestmark = pytest.mark.usefixtures("untimed")

EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))


class Whole(NamedTuple):
    """A trial that nobody interrupted."""

    state: State
    outcome: Outcome
    files: list[bytes]


WHOLE: dict[str, Whole] = {}
"""By trial id: some trials are interrupted at several steps."""


def assert_exact(folder: Path, trial: Trial, at: int, *, again: int | None = None) -> Outcome:
    """Train a trial whole, and interrupted after `at` steps (and `again`): everything is the same but the times."""
    if trial.id not in WHOLE:
        state, outcome = to_the_end(begin(trial), folder / "whole")
        WHOLE[trial.id] = Whole(state, outcome, [(folder / "whole" / name).read_bytes() for name in FILES])
    state, expected, files = WHOLE[trial.id]
    until(begin(trial), at, folder / "kept.checkpoint")
    if again is not None:
        until(go_on(trial, folder / "kept.checkpoint"), again, folder / "kept.checkpoint")
    run = go_on(trial, folder / "kept.checkpoint")
    assert run.loop.completed_steps == (again or at)
    found_state, found = to_the_end(run, folder / "interrupted")
    assert not list(differences(state, found_state)), trial.spec.method
    for name in MEASURED:
        assert getattr(found, name) == getattr(expected, name), (trial.spec.method, name)
    assert [(folder / "interrupted" / name).read_bytes() for name in FILES] == files
    return found


def small(method: str, **changes: object) -> Trial:
    """A trial of images whose blocks end at steps 5, 10 and 12."""
    return make_trial(method, width=4, **{"steps": 12, "evaluate_every": 5, "samples": 16, **changes})


REMEMBERING = [
    "bce_ns + ada(speed=0.05, target=-1)",
    "bce_ns + lecam(start=0)",
    "sngan",
    "wgan",
    "historical-averaging",
    "bce_ns + began_balance",
    "bce_ns + r1(every=3)",
    "pacgan2",
    "dragan",
    "realness-gan",
]


@pytest.mark.parametrize("method", mostly_slow(REMEMBERING, fast=["bce_ns + lecam(start=0)"]))
def test_what_parts_remember_is_kept(tmp_path: Path, method: str) -> None:
    assert_exact(tmp_path, small(method), 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    sampled(
        [
            {"network": "bn"},
            {"optimizer": Optimizer(name="rmsprop", lr_generator=1e-4, lr_discriminator=1e-4, betas=(0.0, 0.9))},
            {"optimizer": Optimizer(name="sgd", lr_generator=1e-3, lr_discriminator=1e-3, betas=(0.9, 0.0))},
            {"critic_steps": 3},
            {"precision": "bf16"},
        ],
        every=3,
    ),
    ids=["batch norm", "rmsprop", "momentum", "critic steps", "bfloat16"],
)
def test_networks_and_optimizers_are_kept(tmp_path: Path, changes: dict[str, object]) -> None:
    trial = small("nsgan")
    if changes == {"network": "bn"}:
        changes = {"network": msgspec.structs.replace(trial.spec.network, d_norm="bn")}
    assert_exact(tmp_path, small("nsgan", **changes), 10)


def everything() -> list[str]:
    """Return all methods but aliases, then one expression for each part that is in none of them."""
    methods = [name for name in losses.names("method") if not losses.describe(name, "method").alias]
    named = {part.name for name in methods for part in losses.get(name).parts}
    others = [part for name, part in registry.parts().items() if name not in named and not losses.describe(name).alias]
    return [*methods, *(each.name if each.kind == "objective" else f"bce_ns + {each.name}" for each in others)]


@pytest.mark.slow
@pytest.mark.parametrize("method", everything())
def test_every_method_goes_on_exactly(tmp_path: Path, method: str) -> None:
    assert_exact(tmp_path, small(method), 5)


@pytest.mark.slow
@pytest.mark.parametrize("at", mostly_slow([50, 150, 180], fast=[150]))
def test_it_does_not_matter_where_a_trial_is_interrupted(tmp_path: Path, at: int) -> None:
    """Within the steps that later ones are measured against, at an evaluation, between two, and at the end."""
    found = assert_exact(tmp_path, toy_trial(steps=180), at)
    assert len(found.history.evaluations) == 4


@pytest.mark.slow
def test_a_trial_can_be_interrupted_again(tmp_path: Path) -> None:
    assert_exact(tmp_path, brief_trial(steps=18), 6, again=12)


@pytest.mark.slow
@pytest.mark.parametrize("at", [50, 100])
def test_a_trial_that_ceases_to_be_finite_ends_at_the_same_step(tmp_path: Path, at: int) -> None:
    """Its monitors are read one block late: at step 50 nobody has noticed, at step 100 the run has ended."""
    found = assert_exact(tmp_path, brief_trial(optimizer=EXPLOSIVE, steps=2000, evaluate_every=1000), at)
    assert found.status == "nonfinite"
    assert found.stability["completed_steps"] == 100


@pytest.mark.slow
def test_times_are_sums_over_the_attempts(tmp_path: Path) -> None:
    trial = brief_trial()
    first = begin(trial)
    until(first, 6, tmp_path / "kept.checkpoint")
    clock, evaluations = first.loop.clock, first.loop.evaluations
    _, found = to_the_end(go_on(trial, tmp_path / "kept.checkpoint"), tmp_path / "rest")
    earlier = clock.train_seconds() + evaluations.seconds
    assert found.cost["earlier_seconds"] == pytest.approx(earlier, rel=1e-12)
    assert found.cost["train_seconds"] > clock.train_seconds()
    assert found.cost["evaluation_seconds"] > evaluations.seconds
    assert found.cost["discriminator_images"] == 2 * trial.spec.batch_size * trial.spec.steps
    _, whole = to_the_end(begin(trial), tmp_path / "whole")
    assert "earlier_seconds" not in whole.cost


@pytest.mark.slow
def test_recorded_steps_go_on_too(tmp_path: Path) -> None:
    trial = toy_trial()

    def captured(step, monitors) -> CapturedStepper:
        return CapturedStepper(step, monitors, Tapes())

    expected, _ = to_the_end(begin(trial), tmp_path / "whole")
    until(begin(trial, make_stepper=captured), 50, tmp_path / "kept.checkpoint")
    run = go_on(trial, tmp_path / "kept.checkpoint", make_stepper=captured)
    before = run.loop.stepper.replayed_steps
    state, outcome = to_the_end(run, tmp_path / "rest")
    assert not [place for place in differences(expected, state) if not place.startswith("snapshot/stepper")]
    assert 0 < before < outcome.cost["replayed_steps"] < trial.spec.steps


@pytest.mark.slow
def test_a_method_that_cannot_be_recorded_says_so_after_an_interruption(tmp_path: Path) -> None:
    trial = toy_trial(method="bce_ns + instance_noise(anneal_steps=100)")

    def captured(step, monitors) -> CapturedStepper:
        return CapturedStepper(step, monitors, Tapes())

    _, expected = to_the_end(begin(trial, make_stepper=captured), tmp_path / "whole")
    assert expected.message
    until(begin(trial, make_stepper=captured), 120, tmp_path / "kept.checkpoint")
    _, found = to_the_end(go_on(trial, tmp_path / "kept.checkpoint", make_stepper=captured), tmp_path / "rest")
    assert found.message == expected.message


@pytest.mark.slow
def test_evaluations_in_the_background_are_kept_once_they_are_made(tmp_path: Path) -> None:
    trial = brief_trial()
    expected, _ = to_the_end(begin(trial), tmp_path / "whole")
    with BackgroundRunner(CPU) as runner:
        until(begin(trial, runner=runner), 6, tmp_path / "kept.checkpoint")
        run = go_on(trial, tmp_path / "kept.checkpoint", runner=runner)
        state, _ = to_the_end(run, tmp_path / "rest")
    assert not list(differences(expected, state))


def test_spikes_are_measured_against_the_norms_before_the_interruption() -> None:
    """A norm of 50 is a spike after ones, and none where nothing came before."""

    def statistics(*norms: float) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(norms) for name in MONITORS}

    first = Readings()
    first.block(3, [0, 1, 2], statistics(1.0, 1.0, 1.0))
    second = Readings()
    second.restore(first.snapshot())
    column = MONITORS.index("discriminator_gradient_spike")
    assert second.block(4, [3], statistics(50.0)).values[0, column] == 1
    assert Readings().block(4, [3], statistics(50.0)).values[0, column] == 0


def test_a_step_that_was_not_finite_is_remembered() -> None:
    first = Readings()
    first.block(2, [0, 1], {name: torch.tensor([1.0, math.nan]) for name in MONITORS})
    second = Readings()
    second.restore(first.snapshot())
    assert second.block(3, [2], {name: torch.ones(1) for name in MONITORS}).first_nonfinite_step == 1


def test_slopes_are_measured_against_those_before_the_interruption() -> None:
    first = Saturation(steps=2)
    first.shares(torch.full((2, 4), 100.0))
    second = Saturation(steps=2)
    second.restore(first.snapshot())
    assert second.shares(torch.full((1, 4), 0.5)).tolist() == [1.0]
    assert Saturation(steps=2).shares(torch.full((1, 4), 0.5)).tolist() == [0.0]


def test_random_streams_have_no_state(tmp_path: Path) -> None:
    """Training neither draws from torch's own generator nor moves it: there would be something more to keep."""
    run = begin(small("bce_ns + dragan + ada"))
    before = torch.get_rng_state()
    for _ in run.steps():
        pass
    assert torch.equal(torch.get_rng_state(), before)


class Clock:
    """The time that passes for whoever writes checkpoints."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(room.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Loop:
    """A loop as far as a checkpoint looks at it before it is written."""

    def __init__(self) -> None:
        self.evaluations = self
        self.made: list[int] = [0]
        self.under_way = False
        self.completed_steps = 0

    def collect_finished(self) -> bool:
        return self.under_way

    def collect(self) -> None:
        self.under_way = False


def writes(monkeypatch: pytest.MonkeyPatch, clock: Clock, took: float = 0.0) -> list[float]:
    """Let checkpoints take so long, and return when they were begun."""
    begun: list[float] = []

    def write(*_: object) -> None:
        begun.append(clock.now)
        clock.now += took

    monkeypatch.setattr(room.checkpoint_file, "write", write)
    monkeypatch.setattr(room, "snapshot", lambda *_: {})
    return begun


def made(**changes: object) -> Checkpoint:
    settings = {"minutes": 10.0, "stop": StopRequest(), "trials_in_process": 1, "note": pytest.fail}
    return Checkpoint(Path("never"), None, **{**settings, **changes})


def simulate(checkpoint: Checkpoint, loop: Loop, clock: Clock, seconds: int, evaluate_every: int) -> None:
    for second in range(1, seconds + 1):
        clock.now += 1
        if second % evaluate_every == 0:
            loop.made.append(second)
        checkpoint.after_block(loop, None)


@pytest.mark.parametrize(
    ("took", "evaluate_every", "trials", "expected"),
    [
        (0.0, 1000, 1, [30, 630, 1000]),  # the untrained generator's evaluation is one, too
        (0.0, 100, 1, [30, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]),
        (0.0, 7, 1, [30 * k for k in range(1, 34)]),
        (2.0, 100, 1, [30, 230, 430, 630, 830]),
        (2.0, 100, 2, [30, 430, 830]),
        (20.0, 100, 1, [30]),
    ],
)
def test_checkpoints_come_with_evaluations_and_are_paid_for_first(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, took: float, evaluate_every: int, trials: int, expected: list[int]
) -> None:
    begun, loop = writes(monkeypatch, clock, took), Loop()
    simulate(made(trials_in_process=trials), loop, clock, 1000, evaluate_every)
    seconds_of_training = [at - 1000 - took * index for index, at in enumerate(begun)]
    assert seconds_of_training == expected
    assert took * len(begun) <= 0.01 / trials * 1000 + took


def test_a_short_trial_pays_for_none(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    begun = writes(monkeypatch, clock)
    simulate(made(), Loop(), clock, 29, 5)
    assert begun == []


def test_a_checkpoint_waits_for_the_evaluation_that_is_under_way(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    begun, loop = writes(monkeypatch, clock), Loop()
    loop.under_way = True
    checkpoint = made()
    simulate(checkpoint, loop, clock, 700, 1000)
    assert begun == []
    loop.under_way = False
    simulate(checkpoint, loop, clock, 1, 1000)
    assert begun == [1701.0]


def test_whoever_is_asked_to_end_keeps_what_there_is_at_once(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    begun, loop, stop = writes(monkeypatch, clock), Loop(), StopRequest()
    loop.under_way = True
    checkpoint = made(stop=stop)
    with stop.deferred():
        stop.ask()
        with pytest.raises(Stopped):
            checkpoint.after_block(loop, None)
    assert not loop.under_way
    assert begun == [1000.0]
