"""A trial's numbers do not depend on what shares its process."""

import math
import time
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from small_trials import toy_trial
from tape import Tapes

from bench.config.trial import Optimizer
from bench.events import Progress
from bench.store.record import Outcome
from bench.training import blocks, pack, trainer
from bench.training.aside import Aside
from bench.training.evaluations import Evaluations
from bench.training.step import TrainingStep
from bench.training.trainer import train

EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
MEASURED = ("status", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")


def packed(folder: Path, *trials, emit=lambda _: None, **options) -> list[Outcome | Exception]:
    members = []
    for index, trial in enumerate(trials):
        (folder / str(index)).mkdir(parents=True)
        members.append((trial, folder / str(index), None))
    ended = dict(pack.train_pack(members, data_dir=None, device="cpu", threads=1, emit=emit, **options))
    return [ended[index] for index in range(len(trials))]


def alone(folder: Path, trial) -> Outcome:
    folder.mkdir()
    return train(trial, data_dir=None, device="cpu", threads=1, artifacts=folder, emit=lambda _: None)


def assert_same(found: Outcome | Exception, expected: Outcome) -> None:
    assert isinstance(found, Outcome), found
    assert [getattr(found, name) for name in MEASURED] == [getattr(expected, name) for name in MEASURED]


TRIALS = [
    {"seed": 0},
    {"seed": 1},
    {"method": "wgan-gp", "seed": 0},
    {"method": "bce_ns + r1(gamma=1, every=3) + lecam(start=0)", "seed": 2, "critic_steps": 2},
    {"method": "mmd-gan-rq", "seed": 0, "steps": 75},
]


def test_results_are_those_of_each_trial_alone(tmp_path: Path) -> None:
    trials = [toy_trial(**changes) for changes in TRIALS]
    outcomes = packed(tmp_path / "packed", *trials)
    for index, trial in enumerate(trials):
        folder = tmp_path / f"alone-{index}"
        assert_same(outcomes[index], alone(folder, trial))
        own, other = (load_file(each / "generator.safetensors") for each in (tmp_path / "packed" / str(index), folder))
        assert all(torch.equal(own[name], value) for name, value in other.items())


def test_captured_steps_of_a_pack_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [toy_trial(seed=seed) for seed in range(2)]
    plain = [alone(tmp_path / f"alone-{seed}", trial) for seed, trial in enumerate(trials)]
    monkeypatch.setattr(pack, "recorder_for", lambda _: Tapes())
    for found, expected in zip(packed(tmp_path / "packed", *trials, capture=True), plain, strict=True):
        assert_same(found, expected)
        assert found.cost["replayed_steps"] > 0


@pytest.mark.parametrize("capture", [False, True], ids=["plain", "on tapes"])
def test_a_pack_whose_evaluations_share_a_place_aside_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: bool
) -> None:
    trials = [toy_trial(**changes) for changes in TRIALS[:3]]
    expected = [alone(tmp_path / f"alone-{index}", trial) for index, trial in enumerate(trials)]
    made = []
    monkeypatch.setattr(pack, "recorder_for", lambda _: Tapes())
    monkeypatch.setattr(pack, "aside_for", lambda device, precision, **_: made.append(Aside(device)) or made[-1])
    found = packed(tmp_path / "packed", *trials, capture=capture)
    assert len(made) == 1
    for index, outcome in enumerate(found):
        assert_same(outcome, expected[index])
        folders = (tmp_path / "packed" / str(index), tmp_path / f"alone-{index}")
        weights, samples = ([(each / name).read_bytes() for each in folders] for name in FILES)
        assert weights[0] == weights[1]
        assert samples[0] == samples[1]


def test_an_error_in_an_evaluation_aside_is_that_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes: list[Evaluations] = []
    measure = Evaluations._measure

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        if step == 0:
            lanes.append(evaluations)
        elif evaluations is lanes[1]:
            raise RuntimeError("out of memory")
        return measure(evaluations, step, *generators)

    trials = [toy_trial(seed=seed) for seed in range(3)]
    expected = {index: alone(tmp_path / f"alone-{index}", trials[index]) for index in (0, 2)}
    monkeypatch.setattr(Evaluations, "_measure", measuring)
    monkeypatch.setattr(pack, "aside_for", lambda device, precision, **_: Aside(device))
    found = packed(tmp_path / "packed", *trials)
    assert str(found[1]) == "out of memory"
    for index, outcome in expected.items():
        assert_same(found[index], outcome)


def test_the_steps_of_a_pack_are_made_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = trainer.Run.make
    monkeypatch.setattr(trainer, "ALONE_BLOCKS", 0)
    monkeypatch.setattr(
        trainer.Run, "make", lambda run, step: (made.append((run._trial.spec.seed, step)), make(run, step))
    )
    packed(tmp_path, *(toy_trial(seed=seed, steps=6, evaluate_every=3) for seed in range(3)))
    assert made == [(seed, step) for step in range(6) for seed in range(3)]


def test_a_trial_that_ends_early_or_fails_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    healthy = toy_trial()
    trials = [
        toy_trial(optimizer=EXPLOSIVE),
        healthy,
        toy_trial(protocol_version="0.9"),
        toy_trial(workload="no-such-data"),
    ]
    exploded, found, refused, missing = packed(tmp_path / "packed", *trials)
    assert isinstance(exploded, Outcome)
    assert exploded.status == "nonfinite"
    assert_same(found, alone(tmp_path / "alone", healthy))
    assert isinstance(refused, ValueError)
    assert "protocol 0.9" in str(refused)
    assert isinstance(missing, Exception)


def test_an_error_in_a_step_is_that_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = trainer.Run.make

    def failing(run: trainer.Run, step: int) -> None:
        if run._trial.spec.seed == 1 and step == 7:
            raise RuntimeError("out of memory")
        make(run, step)

    monkeypatch.setattr(trainer.Run, "make", failing)
    good, bad = packed(tmp_path / "packed", toy_trial(seed=0), toy_trial(seed=1))
    assert isinstance(good, Outcome)
    assert str(bad) == "out of memory"


def test_the_pace_of_a_packed_trial_is_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each critic update sleeps; in a pack of three the blocks take three sleeps a step, and the pace shows one."""
    nap = 0.004
    apply = TrainingStep.apply_discriminator

    def slowly(step: TrainingStep) -> None:
        time.sleep(nap)
        apply(step)

    monkeypatch.setattr(TrainingStep, "apply_discriminator", slowly)
    for module in (trainer, blocks):
        monkeypatch.setattr(module, "BLOCK_STEPS", 20)
    outcomes = packed(tmp_path, *(toy_trial(seed=seed, steps=40, evaluate_every=40) for seed in range(3)))
    for outcome in outcomes:
        assert isinstance(outcome, Outcome)
        shared = outcome.cost["train_seconds"] / 40
        own = 1 / outcome.cost["steps_per_second"]
        assert shared > 3 * nap
        assert nap < own < 0.6 * shared
        assert outcome.cost["images_per_second"] == pytest.approx(64 / own)
        assert outcome.cost["pack"] == 3
        assert outcome.cost["peak_memory_bytes"] is None
        assert outcome.cost["discriminator_images"] == 2 * 64 * 40
        assert all(math.isfinite(value) for value in outcome.cost.values() if value is not None)
        msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome)


def test_progress_is_told_of_each_trial(tmp_path: Path) -> None:
    told: list[Progress] = []
    trials = [toy_trial(seed=seed) for seed in range(2)]
    packed(tmp_path, *trials, emit=told.append)
    for trial in trials:
        assert [each.step for each in told if each.trial_id == trial.id][-1] == trial.spec.steps


def test_a_pack_has_one_precision_and_captures_on_cuda_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one precision, not bf16 and fp32"):
        packed(tmp_path / "mixed", toy_trial(), toy_trial(precision="bf16"))
    (refused,) = packed(tmp_path / "captured", toy_trial(), capture=True)
    assert "leave capture out" in str(refused)
