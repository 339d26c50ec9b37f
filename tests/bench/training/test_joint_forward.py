"""Where the engine lets reals and fakes share a forward of the discriminator, and that it trains the same."""

import msgspec
import pytest
import torch
from slow_cases import mostly_slow
from small_trials import InFloat64, images, make_trial
from torch import Tensor, nn

from bench.config.trial import Network
from bench.training.build import build_step
from bench.training.step import TrainingStep

BATCH = 16


def built(method: str, **network: object) -> TrainingStep:
    trial = make_trial(method)
    changed = msgspec.structs.replace(trial.spec.network, **network)
    return build_step(make_trial(method, network=changed), images(), torch.device("cpu"))


def batches_shown(step: TrainingStep) -> list[int]:
    """Return the sizes of the batches that one update of the discriminator shows it."""
    seen: list[int] = []

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(len(inputs[0]))

    with step.discriminator.register_forward_pre_hook(watch):
        step.discriminator_gradients(step.batch("discriminator", 0))
    return seen


@pytest.mark.parametrize(
    ("method", "d_norm", "shared"),
    [
        ("nsgan", "ln", True),
        ("nsgan", "none", True),
        ("nsgan", "bn", False),
        ("nsgan", "sn", False),
        ("bce_ns + spectral_norm", "ln", False),
        ("bce_ns + spectral_norm", "none", False),
        ("bce_ns + grad_norm", "ln", True),
        ("wgan", "ln", True),
        ("bce_ns + r1", "ln", False),
        ("bce_ns + r1 + r2", "ln", True),
        ("bce_ns + r1 + r2", "sn", False),
    ],
)
def test_batches_share_a_forward_where_each_image_is_judged_alone(method: str, d_norm: str, shared: bool) -> None:
    assert batches_shown(built(method, d_norm=d_norm)) == ([2 * BATCH] if shared else [BATCH, BATCH])


def test_packs_are_halves_of_the_batch_and_points_are_judged_alone() -> None:
    assert batches_shown(built("pacgan2")) == [BATCH]
    trial = make_trial("nsgan")
    points = Network(name="mlp-v1", width=8, channels=1, image_size=1, latent_size=2, d_norm="none")
    spec = msgspec.structs.replace(trial.spec, network=points)
    step = build_step(msgspec.structs.replace(trial, spec=spec), torch.rand(64, 2), torch.device("cpu"))
    assert batches_shown(step) == [2 * BATCH]


@pytest.mark.parametrize("d_norm", ["ln", "none"])
@pytest.mark.parametrize(
    "method",
    mostly_slow(
        ["nsgan", "r3gan", "wgan", "wgan-gp", "pacgan2", "hinge + ada", "mmd-gan-rq", "bce_ns + r1(every=3) + r2"],
        fast=["r3gan"],
    ),
)
def test_training_is_that_of_separate_forwards(method: str, d_norm: str) -> None:
    """In float64, where a difference of meaning cannot hide behind roundings."""
    found = []
    for joint in (True, False):
        step = built(method, d_norm=d_norm)
        assert step.criterion.concat_batches
        step.criterion.concat_batches = joint
        for module in (step.generator, step.discriminator):
            module.double()
        step._batches = InFloat64(step._batches)  # type: ignore[assignment]
        statistics = [field for index in range(8) for row in step.run(index) for field in row]
        weights = [weight.detach() for module in (step.generator, step.discriminator) for weight in module.parameters()]
        found.append([*statistics, *weights])
    for shared, separate in zip(*found, strict=True):
        torch.testing.assert_close(shared, separate, rtol=1e-7, atol=1e-9, equal_nan=True)
