"""What methods beyond a scalar loss ask of the engine: wider layers, a memory, the generator, a pace."""

import pytest
import torch
from small_trials import images, make_trial, watch_critic
from torch import Tensor

from bench.config.trial import Network
from bench.training.build import build_step
from bench.training.observations import discriminator_statistics, generator_statistics, logit_slopes, stacked
from bench.training.step import TrainingStep


def step_of(method: str, **changes: object) -> TrainingStep:
    return build_step(make_trial(method, **changes), images(), torch.device("cpu"))


def discriminator_weights(step: TrainingStep) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in step.discriminator.named_parameters()}


@pytest.mark.parametrize(
    ("method", "layer", "shape"),
    [
        ("realness(outcomes=5)", "head.weight", (5, 32, 4, 4)),
        ("mmd_rq + gp1(weight=1)", "head.weight", (16, 32, 4, 4)),
        ("bce_ns + pack(size=4)", "layers.0.weight", (8, 4, 4, 4)),
    ],
)
def test_only_the_first_or_the_last_layer_is_widened(method: str, layer: str, shape: tuple[int, ...]) -> None:
    plain, widened = discriminator_weights(step_of("bce_ns")), discriminator_weights(step_of(method))
    assert widened[layer].shape == shape
    assert plain.keys() == widened.keys()
    for name, weight in plain.items():
        belongs = name.rpartition(".")[0] == layer.rpartition(".")[0]
        assert belongs or torch.equal(weight, widened[name]), name


@pytest.mark.parametrize("method", ["realness", "spheregan", "mmd_rq + gp1(weight=1)", "cramer + r1", "mcgan_cov"])
def test_monitors_of_a_vector_head_read_its_critic(method: str) -> None:
    batch_size = 8
    step = step_of(method, batch_size=batch_size)
    discriminator, generator = step.run(0)
    assert torch.isfinite(torch.hstack([*discriminator, *generator])).all()
    says = discriminator_statistics(stacked([discriminator]))
    assert 0 <= says["discriminator_accuracy"].item() <= 1
    assert says["logit_gap"].item() != 0
    assert logit_slopes(stacked([discriminator])).shape == (1, 2 * batch_size)
    assert generator_statistics(stacked([generator]))["generator_weight"].item() > 0, (
        "the loss's own share of the signal"
    )


def test_packing_halves_the_logits_and_trains() -> None:
    step = step_of("bce_ns + pack(size=2) + r1")
    before = discriminator_weights(step)
    logits, _ = step.discriminator(torch.zeros(3, 2, 32, 32))
    assert logits.shape == (3,)
    step.run(0)
    assert any(not torch.equal(weight, before[name]) for name, weight in discriminator_weights(step).items())


def test_packing_and_vector_heads_on_points() -> None:
    toy = Network(name="mlp-v1", width=8, channels=1, image_size=32, latent_size=4, d_norm="none")
    points = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    for method in ("bce_ns + pack(size=2)", "realness", "cramer + gp1"):
        step = build_step(make_trial(method, network=toy), points, torch.device("cpu"))
        assert torch.isfinite(torch.hstack([field for row in step.run(0) for field in row])).all()


def test_a_term_that_needs_the_generator_in_the_discriminators_phase_has_it_without_a_graph() -> None:
    step = step_of("bce_ns + zcr")
    step.discriminator_gradients(step.batch("discriminator", 0))
    assert all(parameter.grad is None for parameter in step.generator.parameters())


def test_what_a_part_remembers_is_kept_between_steps() -> None:
    step = step_of("bce_ns + lecam(start=0) + accuracy_gate")
    step.run(0)
    first = {part: {name: tensor.clone() for name, tensor in kept.items()} for part, kept in step.state.items()}
    assert set(first) == {"lecam", "accuracy_gate"}
    step.run(1)
    for part, kept in first.items():
        assert any(not torch.equal(tensor, step.state[part][name]) for name, tensor in kept.items())


def test_gates_change_gradients_and_never_the_recorded_loss() -> None:
    plain, gated = step_of("bce_ns").run(0), step_of("bce_ns + began_balance(rate=0)").run(0)
    for ours, theirs in zip(plain, gated, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_the_methods_own_pace_is_applied_on_top_of_the_tracks() -> None:
    step = step_of("bce_ns + ttur(ratio=0.5) + critic_steps(count=3)", critic_steps=2)
    (generator,), (discriminator,) = (
        optimizer.param_groups for optimizer in (step.generator_optimizer, step.discriminator_optimizer)
    )
    assert (generator["lr"], discriminator["lr"]) == (2e-4, 1e-4)
    seen = watch_critic(step)
    step.run(1)
    assert seen == [6, 7, 8, 9, 10, 11]
