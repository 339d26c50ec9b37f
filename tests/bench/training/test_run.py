"""One trial: what an outcome holds, that it repeats bit for bit, and that a failure stops early and is kept."""

import math
import time
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from small_trials import brief_trial, toy_trial, train_alone

from bench import data
from bench.config.suite import load_suite
from bench.config.trial import Optimizer, Trial
from bench.events import Progress
from bench.plan import expand
from bench.report.formatting import STABILITY_WORDS
from bench.store.record import Outcome
from bench.training import final_measures
from bench.training.blocks import BLOCK_STEPS, block_ends
from bench.training.monitors import MONITORS
from bench.training.run import Run
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep

STABILITY = {name: words for group in STABILITY_WORDS.values() for name, words in group.items()}
"""What `show` has words for: every measure, in the groups of its table."""


def run(trial: Trial, folder: Path) -> tuple[Outcome, list[Progress]]:
    progress: list[Progress] = []
    outcome = train_alone(trial, folder, progress.append)
    return outcome, progress


def test_an_outcome_holds_everything_a_table_needs(tmp_path: Path) -> None:
    outcome, progress = run(toy_trial(), tmp_path)
    assert [evaluation.step for evaluation in outcome.history.evaluations] == [0, 60, 120]
    training = outcome.history.training
    assert training["step"] == [50, 60, 100, 120]
    assert {len(values) for values in training.values()} == {len(training["step"])}
    assert set(training) == {"step", *MONITORS}

    distances = [evaluation.metrics["sliced_w2"] for evaluation in outcome.history.evaluations]
    metrics = outcome.metrics
    assert metrics["distance_init"] == metrics["sliced_w2_init"] == distances[0]
    assert metrics["distance"] == metrics["sliced_w2"] == distances[-1]
    assert metrics["distance_best"] == min(value for value in distances[1:] if value is not None)
    assert metrics["distance_floor"] == metrics["sliced_w2_floor"] is not None
    assert metrics["modes"] is not None

    assert outcome.stability["completed_steps"] == 120
    assert outcome.stability["first_nonfinite_step"] is None
    assert set(outcome.stability) == set(STABILITY)
    undefined = {name for name, value in outcome.stability.items() if value is None}
    assert undefined <= {
        "first_nonfinite_step",
        "late_regression_onset",
        "time_to_target",
        "oscillation",
        "collapse_onset",
    }
    due = [mean is not None for mean in training["generator_update_ratio"]]
    assert due == [True, True, True, True]  # steps 0 and 25; 50; 75; 100
    assert outcome.cost["discriminator_images"] == 2 * 64 * 120
    assert all(value is not None and value > 0 for value in outcome.cost.values())
    assert (progress[-1].step, progress[-1].steps, progress[-1].distance) == (120, 120, distances[-1])
    assert {path.name for path in tmp_path.iterdir()} == {"generator.safetensors", "samples.png"}


@pytest.mark.slow
def test_timing_the_players_apart_changes_nothing_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timed, _ = run(brief_trial(), tmp_path / "timed")
    monkeypatch.setattr("bench.training.timing.PHASE_STEPS", 0)
    untimed, _ = run(brief_trial(), tmp_path / "untimed")
    assert untimed.cost["discriminator_update_seconds"] is None
    assert (timed.metrics, timed.history, timed.stability) == (untimed.metrics, untimed.history, untimed.stability)
    generators = [load_file(tmp_path / name / "generator.safetensors") for name in ("timed", "untimed")]
    assert all(torch.equal(tensor, generators[1][name]) for name, tensor in generators[0].items())


def test_a_slow_discriminator_update_is_found_by_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = TrainingStep.apply_discriminator

    def slowly(step: TrainingStep) -> None:
        time.sleep(0.05)
        apply(step)

    monkeypatch.setattr(TrainingStep, "apply_discriminator", slowly)
    outcome, _ = run(toy_trial(steps=10, evaluate_every=10), tmp_path)
    discriminator, generator = (outcome.cost[f"{player}_update_seconds"] for player in ("discriminator", "generator"))
    assert discriminator is not None
    assert generator is not None
    assert 0.05 < discriminator < 1.0
    assert generator < 0.5 * discriminator


@pytest.mark.usefixtures("untimed")
def test_a_trial_repeats_bit_for_bit(tmp_path: Path) -> None:
    first, _ = run(brief_trial(), tmp_path / "first")
    second, _ = run(brief_trial(), tmp_path / "second")
    assert (first.metrics, first.history, first.stability) == (second.metrics, second.history, second.stability)
    one, other = (tmp_path / name / "generator.safetensors" for name in ("first", "second"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("untimed")
def test_evaluation_leaves_the_generators_statistics_alone(tmp_path: Path) -> None:
    (trial,) = expand(load_suite("quick", {"methods": ["nsgan"], "seeds": 1, "steps": 3, "samples": 20}))
    for name, interval in (("often", 1), ("once", 3)):
        each = msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, evaluate_every=interval))
        run(each, tmp_path / name)
    often, once = (load_file(tmp_path / name / "generator.safetensors") for name in ("often", "once"))
    assert often["layers.1.num_batches_tracked"].item() == 2 * 3  # one forward for each player's update
    assert all(torch.equal(often[name], once[name]) for name in once)


@pytest.mark.usefixtures("untimed")
def test_a_trial_that_ceases_to_be_finite_stops_early_and_keeps_its_history(tmp_path: Path) -> None:
    explosive = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
    outcome, _ = run(toy_trial(optimizer=explosive, steps=2000, evaluate_every=1000), tmp_path)
    assert outcome.status == "nonfinite"
    first, completed = outcome.stability["first_nonfinite_step"], outcome.stability["completed_steps"]
    assert first is not None
    assert completed is not None
    assert 0 <= first < BLOCK_STEPS
    assert completed <= first + 2 * BLOCK_STEPS, "monitors are read one flush late, not later"
    assert outcome.history.training["discriminator_loss"][-1] is None
    assert outcome.metrics["distance_init"] is not None
    assert outcome.metrics["distance_best"] is None
    assert set(outcome.stability) == set(STABILITY)
    assert all(value is None or math.isfinite(value) for value in outcome.stability.values())
    for name in ("best_step", "time_to_target", "auc_log_distance", "oscillation", "logit_gap_deviation"):
        assert outcome.stability[name] is None
    msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome)


@pytest.mark.usefixtures("untimed")
def test_a_trial_of_one_step_has_the_same_measures(tmp_path: Path) -> None:
    outcome, _ = run(toy_trial(steps=1, evaluate_every=1), tmp_path)
    assert set(outcome.stability) == set(STABILITY)
    assert outcome.stability["best_step"] == outcome.stability["completed_steps"] == 1
    assert outcome.stability["auc_log_distance"] is outcome.stability["logit_gap_autocorrelation"] is None


def test_a_trial_of_another_protocol_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"protocol 0\.9; this is 1\.1"):
        run(toy_trial(protocol_version="0.9"), tmp_path)


@pytest.mark.parametrize(
    ("steps", "every", "ends"),
    [
        (10, 10, [10]),
        (100, 50, [50, 100]),
        (120, 60, [50, 60, 100, 120]),
        (130, 75, [50, 75, 100, 130]),
        (7, 3, [3, 6, 7]),
    ],
)
def test_blocks_end_at_evaluations_and_never_grow_past_their_size(steps: int, every: int, ends: list[int]) -> None:
    assert block_ends(steps, every) == ends
    assert max(after - before for before, after in zip([0, *ends], ends, strict=False)) <= BLOCK_STEPS


@pytest.mark.slow
def test_a_folder_of_images_gives_the_same_numbers_wherever_it_lies(tmp_path: Path, photos: Path) -> None:
    outcomes = []
    for folder in (photos, tmp_path / "moved"):
        if not folder.exists():
            photos.rename(folder)
        small = {"methods": ["nsgan"], "steps": 2, "samples": 20, "batch_size": 2}
        suite = load_suite("smoke", {**small, "workloads": [f"imagefolder:{folder}"]})
        (trial,) = expand(suite, tmp_path / "data")
        artifacts = tmp_path / "artifacts"
        made = train_alone(trial, artifacts, data_dir=str(tmp_path / "data"))
        outcomes.append((trial.id, made.metrics, made.history))
    assert outcomes[0] == outcomes[1]


@pytest.mark.slow
def test_judges_look_at_the_evaluations_images_and_more_of_their_bank() -> None:
    settings = {"methods": ["nsgan"], "seeds": 1, "steps": 1, "batch_size": 2, "workloads": ["digits"], "samples": 12}
    (trial,) = expand(load_suite("quick", settings))
    run_ = Run(trial, RunOptions(), emit=lambda _: None)
    assert list(run_.steps()) == [0]
    evaluations = run_.loop.evaluations
    fakes = {}
    with pytest.MonkeyPatch.context() as patch:
        for wanted in (5, 12, 700, 1100):
            patch.setattr(final_measures, "samples_of", lambda *_, wanted=wanted: wanted)
            workload = data.workload("digits")
            fakes[wanted] = final_measures.judged_samples(
                evaluations, run_.step.generator, workload, trial.spec, torch.device("cpu")
            )
    assert {wanted: len(images) for wanted, images in fakes.items()} == {each: each for each in fakes}
    assert torch.equal(fakes[12], evaluations.samples)
    assert all(torch.equal(fakes[1100][:wanted], images) for wanted, images in fakes.items())
    assert fakes[1100].dtype == torch.uint8
    assert len(fakes[1100].flatten(1).unique(dim=0)) > 1000, "no latents come twice"
