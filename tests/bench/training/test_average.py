"""The generator's moving average, against sums written out, and beside a training that does not notice it."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from slow_cases import sampled
from small_trials import brief_trial, make_trial, toy_trial, train_alone
from torch import nn

from bench.config.protocol import AVERAGE_DECAY
from bench.config.trial import Optimizer, Trial
from bench.store.record import Outcome
from bench.training.average import MovingAverage, decay
from bench.training.build import prepare_process
from bench.training.loop import TrainingLoop
from bench.training.run import Run
from bench.training.run_options import RunOptions

pytestmark = pytest.mark.usefixtures("untimed")

CPU = torch.device("cpu")


def image_trial(**changes: object) -> Trial:
    """A generator with batch norm, whose statistics are averaged too."""
    return make_trial("nsgan", width=4, **{"steps": 30, "evaluate_every": 10, "samples": 50, **changes})


def outcome(folder: Path, trial: Trial) -> Outcome:
    folder.mkdir(exist_ok=True)
    return train_alone(trial, folder)


def test_the_decay_warms_up_to_its_limit() -> None:
    assert [decay(step) for step in (0, 1, 90)] == pytest.approx([1 / 10, 2 / 11, 91 / 100])
    assert decay(8990) == pytest.approx(8991 / 9000)
    assert decay(8991) == decay(10**9) == AVERAGE_DECAY
    assert all(decay(step) <= decay(step + 1) for step in range(0, 20_000, 7))


def test_the_average_is_the_weighted_sum_of_all_values() -> None:
    """Unrolled: value s weighs (1 - d_s) times the product of the later decays, and the first value what is left."""
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    average = MovingAverage(module)
    values = [{name: tensor.clone() for name, tensor in module.state_dict().items()}]
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for step in range(12):
            for tensor in (*module.parameters(), module[1].running_mean, module[1].running_var):
                tensor.copy_(torch.from_numpy(rng.standard_normal(tensor.shape)))
            module[1].num_batches_tracked.add_(1)
            average.update(step)
            values.append({name: tensor.clone() for name, tensor in module.state_dict().items()})
    decays = [min(0.999, (1 + step) / (10 + step)) for step in range(12)]
    weights = [math.prod(decays), *((1 - d) * math.prod(decays[s + 1 :]) for s, d in enumerate(decays))]
    assert sum(weights) == pytest.approx(1)
    found = average.module.state_dict()
    for name in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"):
        expected = sum(weight * value[name] for weight, value in zip(weights, values, strict=True))
        torch.testing.assert_close(found[name], expected, rtol=1e-12, atol=1e-14)
    assert found["1.num_batches_tracked"].item() == 12


def test_a_constant_module_is_its_own_average() -> None:
    module = nn.Linear(4, 4)
    average = MovingAverage(module)
    for step in range(50):
        average.update(step)
    torch.testing.assert_close(average.module.weight, module.weight, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in average.module.parameters())
    assert all(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    "trial",
    sampled([brief_trial(), image_trial(), image_trial(precision="bf16")], every=3),
    ids=["toy", "fp32", "bf16"],
)
def test_it_changes_no_trained_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trial: Trial) -> None:
    found = outcome(tmp_path / "with", trial)
    monkeypatch.setattr(MovingAverage, "update", lambda *_: None)
    expected = outcome(tmp_path / "without", trial)
    assert (found.history, found.stability, found.status) == (expected.history, expected.stability, expected.status)
    raw = {name: value for name, value in found.metrics.items() if not name.startswith("ema_")}
    assert raw == {name: value for name, value in expected.metrics.items() if not name.startswith("ema_")}
    assert (tmp_path / "with" / "generator.safetensors").read_bytes() == (
        tmp_path / "without" / "generator.safetensors"
    ).read_bytes()
    assert found.metrics["ema_distance"] != expected.metrics["ema_distance"], "the average was taken"


@pytest.mark.slow
def test_the_metrics_are_those_of_the_averaged_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Averaged here from the generator as it is after each step, and evaluated as a generator of its own."""
    trial, seen = image_trial(), []
    make = TrainingLoop.make

    def making(loop: TrainingLoop, step: int) -> None:
        make(loop, step)
        if step < trial.spec.steps:
            seen.append({name: tensor.double().clone() for name, tensor in loop.generator.state_dict().items()})

    monkeypatch.setattr(TrainingLoop, "make", making)
    prepare_process(trial, RunOptions())
    run = Run(trial, RunOptions(), emit=lambda _: None)
    average = {name: tensor.double().clone() for name, tensor in run.step.generator.state_dict().items()}
    for _ in run.steps():
        pass
    for step, weights in enumerate(seen):
        kept = (1 + step) / (10 + step)
        average = {name: kept * average[name] + (1 - kept) * weights[name] for name in average}
    generator = copy.deepcopy(run.step.generator)
    generator.load_state_dict({name: value.float() for name, value in average.items()})
    expected, _ = run.loop.evaluations._metrics_of(generator)
    metrics = run.conclude(tmp_path).metrics
    assert metrics["ema_fd"] == metrics["ema_distance"] == pytest.approx(expected["fd"], rel=1e-4)
    assert abs(metrics["ema_fd"] / metrics["fd"] - 1) > 1e-2, "another generator than the last"
    assert {name for name in metrics if name.startswith("ema_")} == {f"ema_{name}" for name in (*expected, "distance")}


@pytest.mark.slow
def test_a_run_that_ends_early_has_no_average(tmp_path: Path) -> None:
    explosive = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
    found = outcome(tmp_path, toy_trial(optimizer=explosive, steps=400, evaluate_every=100))
    assert found.status == "nonfinite"
    assert found.stability["completed_steps"] < 400
    assert not any(name.startswith("ema_") for name in found.metrics)
