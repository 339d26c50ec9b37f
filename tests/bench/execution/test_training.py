"""A trial's numbers do not depend on what shares its process, and nothing is loaded that nobody asked for."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from shared_trials import CPU, EXPLOSIVE, FILES, assert_same, together
from small_trials import brief_trial, toy_trial, train_alone
from tape import Tapes

from bench import data
from bench.accelerate import background as background_room
from bench.accelerate import capture as capture_room
from bench.accelerate.background import BackgroundRunner
from bench.events import Progress
from bench.execution import training
from bench.store.record import Outcome
from bench.training import blocks, materials, timing
from bench.training.evaluations import Evaluations
from bench.training.loop import TrainingLoop
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep

TRIALS = [
    {"seed": 0},
    {"seed": 1},
    {"method": "wgan-gp", "seed": 0},
    {"method": "bce_ns + r1(gamma=1, every=3) + lecam(start=0)", "seed": 2, "critic_steps": 2},
    {"method": "mmd-gan-rq", "seed": 0, "steps": 9},
]


@pytest.mark.parametrize("count", [2, pytest.param(len(TRIALS), marks=pytest.mark.slow)])
def test_results_are_those_of_each_trial_alone(tmp_path: Path, count: int) -> None:
    trials = [brief_trial(**changes) for changes in TRIALS[:count]]
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


@pytest.mark.slow
def test_an_error_in_an_evaluation_aside_is_that_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lanes: list[Evaluations] = []
    measure = Evaluations._measure

    def measuring(evaluations: Evaluations, step: int, *generators: torch.nn.Module) -> object:
        if step == 0:
            lanes.append(evaluations)
        elif evaluations is lanes[1]:
            raise RuntimeError("out of luck")
        return measure(evaluations, step, *generators)

    trials = [toy_trial(seed=seed) for seed in range(3)]
    expected = {index: train_alone(trials[index], tmp_path / f"alone-{index}") for index in (0, 2)}
    monkeypatch.setattr(Evaluations, "_measure", measuring)
    monkeypatch.setattr(training, "runner_for", lambda *_: BackgroundRunner(CPU))
    found = together(tmp_path / "together", *trials)
    assert str(found[1]) == "out of luck"
    for index, outcome in expected.items():
        assert_same(found[index], outcome)


@pytest.mark.slow
def test_steps_are_made_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = TrainingLoop.make
    monkeypatch.setattr(
        TrainingLoop, "make", lambda loop, step: (made.append((loop.spec.seed, step)), make(loop, step))
    )
    together(tmp_path, *(brief_trial(seed=seed, steps=6, evaluate_every=3) for seed in range(3)))
    assert made == [(seed, step) for step in range(6) for seed in range(3)]


@pytest.mark.slow
def test_a_trial_that_ends_early_or_fails_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    healthy = brief_trial()
    trials = [
        brief_trial(optimizer=EXPLOSIVE),
        healthy,
        brief_trial(protocol_version="0.9"),
        brief_trial(workload="no-such-data"),
    ]
    exploded, found, refused, missing = together(tmp_path / "together", *trials)
    assert isinstance(exploded, Outcome)
    assert exploded.status == "nonfinite"
    assert_same(found, train_alone(healthy, tmp_path / "alone"))
    assert isinstance(refused, ValueError)
    assert "protocol 0.9" in str(refused)
    assert isinstance(missing, Exception)


def test_an_error_in_a_step_is_that_trials_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = TrainingLoop.make

    def failing(loop: TrainingLoop, step: int) -> None:
        if loop.spec.seed == 1 and step == 7:
            raise RuntimeError("out of luck")
        make(loop, step)

    monkeypatch.setattr(TrainingLoop, "make", failing)
    good, bad = together(tmp_path / "together", brief_trial(seed=0), brief_trial(seed=1))
    assert isinstance(good, Outcome)
    assert str(bad) == "out of luck"


@pytest.mark.slow
def test_the_pace_of_a_packed_trial_is_measured_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each critic update sleeps; of three trials the blocks take three sleeps a step, and the pace shows one."""
    nap = 0.004
    apply = TrainingStep.apply_discriminator

    def slowly(step: TrainingStep) -> None:
        time.sleep(nap)
        apply(step)

    monkeypatch.setattr(TrainingStep, "apply_discriminator", slowly)
    monkeypatch.setattr(timing, "EXCLUSIVE_BLOCKS", 4)
    for module in (timing, blocks):
        monkeypatch.setattr(module, "BLOCK_STEPS", 20)
    sizes = {"steps": 40, "evaluate_every": 40}
    outcomes = together(
        tmp_path, brief_trial(seed=0, **sizes), brief_trial(seed=1, **sizes), brief_trial(method="wgan-gp", **sizes)
    )
    for outcome, timed in zip(outcomes, (True, False, True), strict=True):
        assert isinstance(outcome, Outcome)
        shared = outcome.cost["train_seconds"] / 40
        assert shared > 3 * nap
        if timed:
            own = 1 / outcome.cost["steps_per_second"]
            assert nap < own < 0.6 * shared
            assert outcome.cost["images_per_second"] == pytest.approx(64 / own)
        else:  # another seed was timed, and its pace is not passed off as this one's
            assert outcome.cost["steps_per_second"] is outcome.cost["images_per_second"] is None
        assert outcome.cost["pack"] == 3
        assert outcome.cost["peak_memory_bytes"] is None
        assert outcome.cost["discriminator_images"] == 2 * 64 * 40
        assert all(math.isfinite(value) for value in outcome.cost.values() if value is not None)
        msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome)


@pytest.mark.slow
def test_each_kind_of_trial_is_timed_alone_once_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps that time one are steps that all others wait for. Numbers that are not finite may take other times."""
    timed: list[tuple[str, int]] = []

    def timing_of(loop: TrainingLoop, _: torch.device) -> object:
        timed.append((loop.spec.method_name, loop.spec.seed))
        return loop.clock

    monkeypatch.setattr(timing, "time_exclusively", timing_of)
    monkeypatch.setattr(timing, "EXCLUSIVE_BLOCKS", 4)
    sizes = {"steps": 5, "evaluate_every": 5, "samples": 40}
    trials = [
        brief_trial(**sizes, seed=0, method_name="early", optimizer=EXPLOSIVE),
        brief_trial(**sizes, seed=1, method_name="early", optimizer=EXPLOSIVE),
        *(brief_trial(**sizes, seed=seed) for seed in range(3)),
        brief_trial(**sizes, seed=0, method="wgan-gp", method_name="wgan-gp"),
    ]
    together(tmp_path / "six", *trials)
    assert timed == [("early", 0), ("early", 1), ("nsgan", 0), ("wgan-gp", 0)]
    together(tmp_path / "one", brief_trial(**sizes))
    assert len(timed) == 4, "one alone has its own pace"


@pytest.mark.slow
def test_progress_is_told_of_each_trial(tmp_path: Path) -> None:
    told: list[Progress] = []
    trials = [brief_trial(seed=seed) for seed in range(2)]
    together(tmp_path, *trials, emit=told.append)
    for trial in trials:
        assert [each.step for each in told if each.trial_id == trial.id][-1] == trial.spec.steps


def test_a_pack_has_one_precision_and_captures_on_cuda_alone(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="have one precision, not bf16 and fp32"):
        together(tmp_path / "mixed", brief_trial(), brief_trial(precision="bf16"))
    (refused,) = together(tmp_path / "captured", brief_trial(), capture=True)
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
    trials = [brief_trial(seed=seed, steps=8, evaluate_every=4) for seed in range(count)]
    assert all(isinstance(found, Outcome) for found in together(tmp_path, *trials, capture=True))
    assert happened.count("record") >= 2 * count
    before = [happened[index - 1] for index, what in enumerate(happened) if what == "record"]
    assert all(isinstance(what, BackgroundRunner) for what in before)
    assert len(set(map(id, before))) == 1


def test_a_trial_of_several_is_recorded_where_its_work_is_queued(tmp_path: Path, monkeypatch) -> None:
    """Elsewhere it would take a second of torch's 32 streams."""
    current, made = ["the default"], []

    def own(_: torch.device, trials: int) -> Callable[[], AbstractContextManager[None]]:
        place = f"stream {len(made)} of {trials}"

        @contextmanager
        def context() -> Iterator[None]:
            current.append(place)
            yield
            current.pop()

        return context

    monkeypatch.setattr(training, "current_for", own)
    monkeypatch.setattr(capture_room, "recorder_for", lambda _: (made.append(current[-1]), Tapes())[1])
    trials = [brief_trial(seed=seed, steps=5, evaluate_every=5) for seed in range(2)]
    assert all(isinstance(found, Outcome) for found in together(tmp_path, *trials, capture=True))
    assert made == ["stream 0 of 2", "stream 1 of 2"]


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


@pytest.mark.slow
def test_the_plain_path_loads_no_accelerator(tmp_path: Path) -> None:
    helpers = Path(__file__).parents[2] / "helpers"
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(helpers), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
