"""A trial's numbers do not depend on what shares its process, and nothing is loaded that nobody asked for."""

import gc
import math
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from small_trials import toy_trial, train_alone
from tape import Tapes

from bench import data
from bench.accelerate import background as background_room
from bench.accelerate import capture as capture_room
from bench.accelerate.background import BackgroundRunner
from bench.config.trial import Optimizer
from bench.events import Progress
from bench.execution import training
from bench.execution.interface import NeedsOwnProcess
from bench.store.record import Outcome
from bench.training import blocks, materials, timing
from bench.training.evaluations import Evaluations
from bench.training.loop import TrainingLoop
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep

CPU = torch.device("cpu")
EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
MEASURED = ("status", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")


def together(folder: Path, *trials, emit=lambda _: None, **options) -> list[Outcome | Exception]:
    members = []
    for index, trial in enumerate(trials):
        (folder / str(index)).mkdir(parents=True)
        members.append((trial, folder / str(index)))
    ended = dict(training.train(members, RunOptions(**options), emit))
    return [ended[index] for index in range(len(trials))]


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


@pytest.mark.parametrize("count", [2, pytest.param(len(TRIALS), marks=pytest.mark.slow)])
def test_results_are_those_of_each_trial_alone(tmp_path: Path, count: int) -> None:
    trials = [toy_trial(**changes) for changes in TRIALS[-count:]]
    outcomes = together(tmp_path / "together", *trials)
    for index, trial in enumerate(trials):
        folder = tmp_path / f"alone-{index}"
        assert_same(outcomes[index], train_alone(trial, folder))
        own, other = (
            load_file(each / "generator.safetensors") for each in (tmp_path / "together" / str(index), folder)
        )
        assert all(torch.equal(own[name], value) for name, value in other.items())


@pytest.mark.slow  # the next one captures too
def test_captured_steps_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [toy_trial(seed=seed) for seed in range(2)]
    plain = [train_alone(trial, tmp_path / f"alone-{seed}") for seed, trial in enumerate(trials)]
    monkeypatch.setattr(capture_room, "recorder_for", lambda _: Tapes())
    for found, expected in zip(together(tmp_path / "together", *trials, capture=True), plain, strict=True):
        assert_same(found, expected)
        assert found.cost["replayed_steps"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("capture", [False, True], ids=["plain", "on tapes"])
def test_evaluations_that_share_the_background_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capture: bool
) -> None:
    trials = [toy_trial(**changes) for changes in TRIALS[:3]]
    expected = [train_alone(trial, tmp_path / f"alone-{index}") for index, trial in enumerate(trials)]
    made = []
    monkeypatch.setattr(capture_room, "recorder_for", lambda _: Tapes())
    monkeypatch.setattr(training, "runner_for", lambda *_: made.append(BackgroundRunner(CPU)) or made[-1])
    found = together(tmp_path / "together", *trials, capture=capture)
    assert len(made) == 1
    for index, outcome in enumerate(found):
        assert_same(outcome, expected[index])
        folders = (tmp_path / "together" / str(index), tmp_path / f"alone-{index}")
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
    expected = {index: train_alone(trials[index], tmp_path / f"alone-{index}") for index in (0, 2)}
    monkeypatch.setattr(Evaluations, "_measure", measuring)
    monkeypatch.setattr(training, "runner_for", lambda *_: BackgroundRunner(CPU))
    found = together(tmp_path / "together", *trials)
    assert str(found[1]) == "out of memory"
    for index, outcome in expected.items():
        assert_same(found[index], outcome)


def test_steps_are_made_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = TrainingLoop.make
    monkeypatch.setattr(timing, "EXCLUSIVE_BLOCKS", 0)
    monkeypatch.setattr(
        TrainingLoop, "make", lambda loop, step: (made.append((loop.spec.seed, step)), make(loop, step))
    )
    together(tmp_path, *(toy_trial(seed=seed, steps=6, evaluate_every=3) for seed in range(3)))
    assert made == [(seed, step) for step in range(6) for seed in range(3)]


def test_a_trial_that_ends_early_or_fails_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    healthy = toy_trial()
    trials = [
        toy_trial(optimizer=EXPLOSIVE),
        healthy,
        toy_trial(protocol_version="0.9"),
        toy_trial(workload="no-such-data"),
    ]
    exploded, found, refused, missing = together(tmp_path / "together", *trials)
    assert isinstance(exploded, Outcome)
    assert exploded.status == "nonfinite"
    assert_same(found, train_alone(healthy, tmp_path / "alone"))
    assert isinstance(refused, ValueError)
    assert "protocol 0.9" in str(refused)
    assert isinstance(missing, Exception)


def test_an_error_in_a_step_is_that_trials_train_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = TrainingLoop.make

    def failing(loop: TrainingLoop, step: int) -> None:
        if loop.spec.seed == 1 and step == 7:
            raise RuntimeError("out of memory")
        make(loop, step)

    monkeypatch.setattr(TrainingLoop, "make", failing)
    good, bad = together(tmp_path / "together", toy_trial(seed=0), toy_trial(seed=1))
    assert isinstance(good, Outcome)
    assert str(bad) == "out of memory"


def test_the_pace_of_a_packed_trial_is_measured_train_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each critic update sleeps; of three trials the blocks take three sleeps a step, and the pace shows one."""
    nap = 0.004
    apply = TrainingStep.apply_discriminator

    def slowly(step: TrainingStep) -> None:
        time.sleep(nap)
        apply(step)

    monkeypatch.setattr(TrainingStep, "apply_discriminator", slowly)
    for module in (timing, blocks):
        monkeypatch.setattr(module, "BLOCK_STEPS", 20)
    outcomes = together(tmp_path, *(toy_trial(seed=seed, steps=40, evaluate_every=40) for seed in range(3)))
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
    together(tmp_path, *trials, emit=told.append)
    for trial in trials:
        assert [each.step for each in told if each.trial_id == trial.id][-1] == trial.spec.steps


def test_a_pack_has_one_precision_and_captures_on_cuda_train_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="have one precision, not bf16 and fp32"):
        together(tmp_path / "mixed", toy_trial(), toy_trial(precision="bf16"))
    (refused,) = together(tmp_path / "captured", toy_trial(), capture=True)
    assert "leave capture out" in str(refused)


@pytest.mark.parametrize(
    ("device", "precision", "capture", "expected"),
    [
        ("cuda", "fp32", True, "BackgroundRunner"),
        ("cuda", "bf16", True, "BackgroundRunner"),
        ("cuda", "tf32", True, "InlineRunner"),
        ("cuda", "fp32", False, "InlineRunner"),
        ("cpu", "fp32", True, "InlineRunner"),
    ],
)
def test_evaluations_overlap_with_captured_steps_alone(monkeypatch, device, precision, capture, expected) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: None)
    with training.runner_for(RunOptions(device=device, capture=capture), precision) as runner:
        assert type(runner).__name__ == expected


@pytest.mark.parametrize("count", [1, 2])
def test_a_recording_waits_for_the_evaluations_of_every_trial(tmp_path: Path, monkeypatch, count: int) -> None:
    """Each is handed the wait of the one runner that all share."""
    happened = []

    class Noting(Tapes):
        def record(self, *given: object) -> object:
            happened.append("record")
            return super().record(*given)

    monkeypatch.setattr(capture_room, "recorder_for", lambda _: Noting())
    monkeypatch.setattr(background_room, "can_overlap", lambda *_: True)
    wait = BackgroundRunner.wait

    def waiting(runner: BackgroundRunner) -> None:
        happened.append(runner)
        wait(runner)

    monkeypatch.setattr(BackgroundRunner, "wait", waiting)
    trials = [toy_trial(seed=seed, steps=8, evaluate_every=4) for seed in range(count)]
    assert all(isinstance(found, Outcome) for found in together(tmp_path, *trials, capture=True))
    assert happened.count("record") >= 2 * count
    before = [happened[index - 1] for index, what in enumerate(happened) if what == "record"]
    assert all(isinstance(what, BackgroundRunner) for what in before)
    assert len(set(map(id, before))) == 1


def fails_at(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the trial of seed 1 fail at step 7."""
    make = TrainingLoop.make

    def failing(loop: TrainingLoop, step: int) -> None:
        if loop.spec.seed == 1 and step == 7:
            raise error
        make(loop, step)

    monkeypatch.setattr(TrainingLoop, "make", failing)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ValueError("a bad loss")])
def test_out_of_memory_beside_others_is_tried_again_alone(tmp_path: Path, monkeypatch, error: Exception) -> None:
    fails_at(monkeypatch, error)
    good, bad = together(tmp_path / "two", toy_trial(seed=0), toy_trial(seed=1))
    (alone,) = together(tmp_path / "one", toy_trial(seed=1))
    assert isinstance(good, Outcome)
    assert isinstance(bad, NeedsOwnProcess) is isinstance(error, torch.OutOfMemoryError)
    assert alone is error, "nobody was in its way"


def test_a_gpu_that_failed_for_good_is_no_fault_of_the_other_trials(tmp_path: Path, monkeypatch) -> None:
    error = RuntimeError("CUDA error: device-side assert triggered")
    fails_at(monkeypatch, error)
    monkeypatch.setattr(training, "recovers", lambda _: False)
    first, bad, last = together(tmp_path, *(toy_trial(seed=seed) for seed in range(3)))
    assert bad is error
    for other in (first, last):
        assert isinstance(other, NeedsOwnProcess)
        assert "the GPU failed with another trial" in str(other)


@pytest.mark.parametrize("dead", [False, True])
def test_after_an_error_a_gpu_is_asked_whether_it_still_computes(monkeypatch, dead: bool) -> None:
    asked = []

    def synchronize(device: torch.device) -> None:
        asked.append(str(device))
        if dead:
            raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("empty_cache"))
    assert training.recovers(CPU)
    assert asked == []
    assert training.recovers(torch.device("cuda:1")) is not dead
    assert asked == (["cuda:1"] if dead else ["cuda:1", "empty_cache"])


def test_what_a_trial_raised_keeps_nothing_of_it_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[weakref.ref[TrainingStep]] = []
    build = TrainingStep.__init__

    def noting(step: TrainingStep, *given: object, **settings: object) -> None:
        steps.append(weakref.ref(step))
        build(step, *given, **settings)

    monkeypatch.setattr(TrainingStep, "__init__", noting)
    fails_at(monkeypatch, RuntimeError("out of luck"))
    (tmp_path / "0").mkdir()
    members = [(toy_trial(seed=seed), tmp_path / "0") for seed in (1, 2)]
    ended = training.train(members, RunOptions(), lambda _: None)
    index, error = next(ended)
    assert (index, str(error)) == (0, "out of luck")
    gc.collect()
    assert steps[0]() is None
    assert steps[1]() is not None, "the other one still trains"
    ended.close()


def test_data_is_loaded_and_measured_once_a_process(tmp_path: Path, monkeypatch) -> None:
    loaded, measured = [], []
    load, evaluator = data.load, materials.Evaluator
    monkeypatch.setattr(
        materials.data, "load", lambda name, *given, **more: (loaded.append(name), load(name, *given, **more))[1]
    )
    monkeypatch.setattr(
        materials, "Evaluator", lambda *given, **more: (measured.append(more["samples"]), evaluator(*given, **more))[1]
    )
    small = {"steps": 2, "evaluate_every": 2}
    trials = [toy_trial(seed=0, **small), toy_trial(seed=1, **small), toy_trial(seed=0, samples=100, **small)]
    assert all(isinstance(found, Outcome) for found in together(tmp_path, *trials))
    assert loaded == [trials[0].spec.workload]
    assert measured == [400, 100], "floors depend on the number of samples"


LOADED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from small_trials import toy_trial, train_alone
train_alone(toy_trial(steps=2, evaluate_every=2), Path(sys.argv[2]))
print(sorted(name for name in sys.modules if name.startswith("bench.accelerate")))
"""


def test_the_plain_path_loads_no_accelerator(tmp_path: Path) -> None:
    helpers = Path(__file__).parents[2] / "helpers"
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(helpers), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
