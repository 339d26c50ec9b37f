"""The stability measures of the steps against plain numpy, through the monitors, however they are flushed."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_trials import images, make_trial
from torch import Tensor, nn

import losses
from bench.config.trial import Optimizer
from bench.training.batches import Batches
from bench.training.build import build_step
from bench.training.monitors import MONITORS, REFERENCE_STEPS, UPDATE_RATIO_EVERY, Readings, Saturation
from bench.training.observations import logit_slopes, slopes_at, stacked
from bench.training.stability import autocorrelation, deviation, signal_extremes, stability_metrics
from bench.training.step import TrainingStep

CPU = torch.device("cpu")
Series = NDArray[np.float64]

GIVEN = MONITORS[:-2]
"""What is recorded; the two spikes are computed while it is."""


def recorded(steps: int, seed: int = 0) -> dict[str, Series]:
    """Return a made-up run: log-normal values with bursts, collapses and an extinct phase, as float32 holds them."""
    rng = np.random.default_rng(seed)
    run = {name: rng.lognormal(0, 0.7, steps) for name in GIVEN}
    for player in ("discriminator", "generator"):
        run[f"{player}_gradient_norm"][rng.random(steps) < 0.05] *= 40
        run[f"{player}_update_ratio"][np.arange(steps) % UPDATE_RATIO_EVERY != 0] = np.nan
    run["generator_signal"][int(0.9 * steps) :] *= 1e-5
    run["generator_signal"][int(0.6 * steps) : int(0.65 * steps)] *= 1e5
    run["diversity_ratio"] = rng.random(steps)
    run["discriminator_saturation"], run["generator_dead_fraction"] = rng.random(steps), rng.random(steps) ** 4
    run["logit_gap"] = np.cumsum(rng.normal(size=steps))
    return {name: values.astype(np.float32).astype(np.float64) for name, values in run.items()}


def flushed(run: dict[str, Series], ends: list[int]) -> Tensor:
    """Return every step's values of a run that is read in blocks up to the given steps."""
    readings, blocks = Readings(), []
    for first, last in itertools.pairwise([0, *ends]):
        says = {name: torch.tensor(values[first:last], dtype=torch.float32) for name, values in run.items()}
        blocks.append(readings.block(last, range(first, last), says).values)
    return torch.cat(blocks)


def spikes(norms: Series) -> Series:
    """Return where a norm exceeds ten times the average before it, whose weights fall by 0.99 a step."""
    found = np.zeros(len(norms))
    for t in range(1, len(norms)):
        found[t] = norms[t] > 10 * np.average(norms[:t], weights=0.99 ** np.arange(t - 1, -1, -1))
    return found


def finite(values: Series) -> Series:
    return values[np.isfinite(values)]


def lower_median(values: Series) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


def in_numpy(run: dict[str, Series]) -> dict[str, float]:
    signal = finite(run["generator_signal"])
    reference = lower_median(finite(run["generator_signal"][:100]))
    vanishing, exploding = np.mean(signal < 1e-4 * reference), np.mean(signal > 1e4 * reference)
    ratio_d, ratio_g = (finite(run[f"{player}_update_ratio"]).mean() for player in ("discriminator", "generator"))
    gap = run["logit_gap"][len(run["logit_gap"]) // 2 :]
    centred = gap - gap.mean()
    return {
        "signal_first": reference,
        "signal_last": lower_median(finite(run["generator_signal"][-100:])),
        "signal_vanishing_share": vanishing,
        "signal_vanished": float(vanishing >= 0.01),
        "signal_exploding_share": exploding,
        "signal_exploded": float(exploding >= 0.01),
        "generator_dead_fraction": finite(run["generator_dead_fraction"]).mean(),
        "discriminator_saturation": finite(run["discriminator_saturation"]).mean(),
        "discriminator_spike_rate": spikes(run["discriminator_gradient_norm"]).mean(),
        "generator_spike_rate": spikes(run["generator_gradient_norm"]).mean(),
        "discriminator_update_ratio": ratio_d,
        "generator_update_ratio": ratio_g,
        "update_ratio_quotient": ratio_g / ratio_d,
        "diversity_collapse_share": np.mean(finite(run["diversity_ratio"]) < 0.1),
        "logit_gap_autocorrelation": np.dot(centred[1:], centred[:-1]) / np.dot(centred, centred),
        "logit_gap_deviation": np.std(gap, ddof=1),
    }


def blocks_of(size: int, steps: int) -> list[int]:
    return [*range(size, steps, size), steps]


@pytest.mark.parametrize("seed", range(3))
def test_every_measure_is_numpys(seed: int) -> None:
    run = recorded(700, seed)
    expected, found = in_numpy(run), stability_metrics(flushed(run, blocks_of(50, 700)))
    assert found == pytest.approx(expected, rel=1e-6)
    assert list(found) == list(expected)
    for name in ("signal_vanishing_share", "signal_exploding_share", "generator_spike_rate"):
        assert 0 < expected[name] < 1, "the made-up run shows what is to be found"


@pytest.mark.parametrize("steps", [5, 40, 99, 101])
def test_runs_shorter_than_the_windows(steps: int) -> None:
    run = recorded(steps)
    assert stability_metrics(flushed(run, [steps])) == pytest.approx(in_numpy(run), rel=1e-6)


@pytest.mark.parametrize(
    ("steps", "missing"),
    [(1, {"logit_gap_autocorrelation", "logit_gap_deviation"}), (3, {"logit_gap_autocorrelation"}), (5, set())],
)
def test_runs_too_short_for_a_measure(steps: int, missing: set[str]) -> None:
    found = stability_metrics(flushed(recorded(steps), [steps]))
    assert {name for name, value in found.items() if value is None} == missing


def test_a_run_without_steps_has_no_measures() -> None:
    assert set(stability_metrics(torch.empty(0, len(MONITORS))).values()) == {None}


def test_flushing_late_and_often_changes_no_bit() -> None:
    run = recorded(230)
    at_once = flushed(run, [230])
    for ends in (blocks_of(1, 230), blocks_of(7, 230), [50, 60, 100, 150, 200, 230]):
        assert torch.equal(flushed(run, ends).nan_to_num(-1), at_once.nan_to_num(-1))


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_left_out(name: str, bad: float) -> None:
    run = recorded(300)
    run[name][225] = bad  # a step that measures update ratios, in the second half
    found = stability_metrics(flushed(run, blocks_of(50, 300)))
    assert all(value is None or math.isfinite(value) for value in found.values())
    if name == "logit_gap":
        assert found["logit_gap_autocorrelation"] is found["logit_gap_deviation"] is None
        return
    if "norm" in name or "loss" in name:
        return  # such a run is over; that its measures are finite is all that is asked
    assert found == pytest.approx(in_numpy(run), rel=1e-6)


def test_a_run_that_never_was_finite() -> None:
    run = {name: np.full(60, math.nan) for name in GIVEN}
    found = stability_metrics(flushed(run, [50, 60]))
    assert {name for name, value in found.items() if value is not None} == {
        "discriminator_spike_rate",
        "generator_spike_rate",
    }
    assert found["generator_spike_rate"] == 0


def test_a_first_norm_of_zero_makes_few_spikes() -> None:
    run = recorded(400)
    run["generator_gradient_norm"] = np.ones(400)
    run["generator_gradient_norm"][0] = 0.0
    found = stability_metrics(flushed(run, blocks_of(50, 400)))["generator_spike_rate"]
    assert found == pytest.approx(1 / 400), "an average that started at 0 would have taken eleven steps to follow"


@pytest.mark.parametrize(
    ("below", "above", "verdicts"), [(0, 0, (0, 0)), (9, 10, (0, 1)), (10, 9, (1, 0)), (500, 400, (1, 1))]
)
def test_the_verdict_on_the_signal_falls_at_one_step_in_a_hundred(
    below: int, above: int, verdicts: tuple[int, int]
) -> None:
    signal = torch.full((1000,), 3.0)
    signal[:below], signal[1000 - above :] = 0.99 * 3e-4, 1.01 * 3e4
    found = signal_extremes(signal, 3.0)
    assert (found["signal_vanishing_share"], found["signal_exploding_share"]) == (below / 1000, above / 1000)
    assert (found["signal_vanished"], found["signal_exploded"]) == verdicts
    inside = torch.where(signal < 3, 1.01 * 3e-4, torch.where(signal > 3, 0.99 * 3e4, signal))
    assert {value for value in signal_extremes(inside, 3.0).values() if value} == set()


def test_a_signal_that_was_never_there_has_vanished() -> None:
    found = signal_extremes(torch.zeros(50), 0.0)
    assert (found["signal_vanishing_share"], found["signal_vanished"]) == (1, 1)
    assert found["signal_exploding_share"] is found["signal_exploded"] is None


def test_autocorrelation_knows_a_flip_from_a_drift_from_noise() -> None:
    flip = torch.tensor([1.0, -1.0] * 500)
    assert autocorrelation(flip) == pytest.approx(-0.999)
    assert autocorrelation(torch.linspace(0, 1, 1000)) == pytest.approx(1, abs=0.01)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=4000))
    assert autocorrelation(noise) == pytest.approx(0, abs=4 / math.sqrt(4000))
    assert autocorrelation(torch.ones(10)) is None
    assert deviation(flip) == pytest.approx(math.sqrt(1000 / 999))


def test_saturation_of_the_nonsaturating_loss_is_in_closed_form() -> None:
    """Its slope at a real logit a is sigmoid(-a), at a fake logit b it is sigmoid(b)."""
    rng = np.random.default_rng(3)
    saturation = Saturation()
    steepest = 0.0
    for confidence in (0.0, 2.0, 4.0, 6.0, 9.0):
        a, b = confidence + rng.normal(0, 2, 64), -confidence + rng.normal(0, 2, 64)
        real, fake = (torch.tensor(logits, requires_grad=True, dtype=torch.float32) for logits in (a, b))
        losses.get("nsgan").objective.discriminator(real, fake).backward()
        slopes = 64 * torch.cat([slopes_at(real), slopes_at(fake)])[None]
        expected = np.concatenate([1 / (1 + np.exp(a)), 1 / (1 + np.exp(-b))])
        np.testing.assert_allclose(slopes[0].numpy(), expected, rtol=1e-5)
        steepest = max(steepest, expected.max())
        assert saturation.shares(slopes).item() == pytest.approx(np.mean(expected < 0.01 * steepest), abs=1e-7)
    assert 0.9 < np.mean(expected < 0.01 * steepest) < 1


@pytest.mark.parametrize("together", [1, 2, 3, 7])
def test_the_reference_is_the_steepest_slope_of_the_first_steps_and_of_no_later_one(together: int) -> None:
    rng = np.random.default_rng(4)
    saturation = Saturation(4)
    updates = [rng.lognormal(level, 3, 128).astype(np.float32) for level in (0, 2, -1, 1, 12, 0, -3)]
    blocks = torch.from_numpy(np.stack(updates)).split(together)
    found = torch.cat([saturation.shares(block) for block in blocks]).tolist()
    for index, slopes in enumerate(updates):
        reference = max(update.max() for update in updates[: min(index, 3) + 1])
        expected = np.mean(slopes < np.float32(0.01) * reference)
        assert found[index] == pytest.approx(expected, abs=1e-7)
    assert expected < np.mean(updates[-1] < 0.01 * max(update.max() for update in updates))


def test_a_loss_that_is_flat_from_the_first_update_is_saturated() -> None:
    saturation = Saturation()
    assert saturation.shares(torch.zeros(3, 8)).tolist() == [1, 1, 1]
    assert saturation.shares(torch.tensor([[0.0, 1.0]])).item() == 0.5
    assert math.isnan(saturation.shares(torch.tensor([[0.0, math.nan]])).item())


class Identity(nn.Module):
    """A discriminator and a generator whose output is scale * input."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.scale * inputs


def still(method: str, points: list[float], batch_size: int, critic_steps: int = 1) -> tuple[TrainingStep, Batches]:
    """Return a step that learns nothing: the logits of reals and fakes are the real points and the latents."""
    data = torch.tensor(points, dtype=torch.float64)[:, None]
    batches = Batches(data, stack=1, batch_size=batch_size, latent_size=1, seed=0)
    sgd = Optimizer(name="sgd", lr_generator=0.0, lr_discriminator=0.0, betas=(0.0, 0.0))
    networks = Identity(1.0), Identity(1.0)
    return TrainingStep(losses.get(method), *networks, batches, optimizer=sgd, critic_steps=critic_steps), batches


def test_the_engine_measures_the_saturation_of_hinge() -> None:
    saturation = Saturation()
    step, batches = still("hinge", [0.0, 3.0], 64)  # real logits of 0 are on hinge's slope, 3 is beyond it
    for index in range(3):
        discriminator, _ = step.run(index)
        real, fake = batches.at("discriminator", index).real, batches.at("discriminator", index).latents
        flat = int((real >= 1).sum() + (fake <= -1).sum())
        assert saturation.shares(logit_slopes(stacked([discriminator]))).item() == pytest.approx(flat / 128)
        assert 0 < flat < 128


def test_the_engines_reference_is_that_of_the_first_hundred_steps() -> None:
    """Least squares: the slope at a fake logit b is |b|, that at the real logit 0 is 1, up to the same factor.

    The fakes drift away, so that every update is steeper than those before it.
    """
    saturation = Saturation()
    step, batches = still("lsgan", [0.0], 64, critic_steps=2)
    steepest: list[float] = []
    for index in range(REFERENCE_STEPS + 20):
        scale = 1.1**index
        with torch.no_grad():
            step.generator.scale.fill_(scale)
        discriminator, _ = step.run(index)
        slopes = scale * batches.at("discriminator", 2 * index + 1).latents.abs()
        steepest.append(float(slopes.max()))
        limit = 0.01 * max(1.0, *steepest[:REFERENCE_STEPS])
        flat = int((slopes < limit).sum()) + 64 * (limit > 1)
        found = saturation.shares(logit_slopes(stacked([discriminator]))).item()
        assert found == pytest.approx(flat / 128), index
    assert max(steepest) > 4 * 100 * limit, "a reference that went on growing would be another"


def flat_weights(module: nn.Module) -> Series:
    return np.concatenate([weight.detach().double().numpy().ravel() for weight in module.parameters()])


@pytest.mark.parametrize(("method", "critic_steps"), [("nsgan", 1), ("wgan", 3)])
def test_update_ratios_are_those_of_the_last_update_constraints_included(method: str, critic_steps: int) -> None:
    step = build_step(make_trial(method, width=4, critic_steps=critic_steps), images(), CPU)
    ratios: dict[str, float] = {}

    def watched(player: str, module: nn.Module, update: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            before = flat_weights(module)
            update()
            ratios[player] = float(np.linalg.norm(flat_weights(module) - before) / np.linalg.norm(before))

        return run

    step.apply_discriminator = watched("discriminator", step.discriminator, step.apply_discriminator)  # type: ignore[method-assign]
    step.apply_generator = watched("generator", step.generator, step.apply_generator)  # type: ignore[method-assign]
    measured = []
    for index in range(UPDATE_RATIO_EVERY + 2):
        found = [row.update_ratio.item() for row in step.run(index)]
        if not math.isnan(found[0]):
            measured.append(index)
            assert found == pytest.approx([ratios["discriminator"], ratios["generator"]], rel=1e-4)
        else:
            assert math.isnan(found[1])
    assert measured == [0, UPDATE_RATIO_EVERY]
