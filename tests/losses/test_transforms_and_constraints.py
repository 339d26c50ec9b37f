"""instance_noise and weight_clip."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import losses
from losses.constraints.clipping import WeightClip
from losses.transforms.noise import InstanceNoise


def transformed(transform: losses.InputTransform, images: Tensor, step: int = 0) -> Tensor:
    """Return what a discriminator is shown of these images."""
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    method = losses.Method(objective=losses.get("hinge").objective, transforms=(transform,))
    method.discriminator_loss(critic, images, images, rng=torch.Generator().manual_seed(0), step=step)
    return seen[0]


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (50, 0.5), (99, 0.01), (100, 0.0), (1000, 0.0)])
def test_instance_noise_fades_linearly(step: int, share: float) -> None:
    images = torch.full((4, 3, 50, 50), 0.25, dtype=torch.float64)
    noise = transformed(InstanceNoise(sigma=0.2, anneal_steps=100), images, step) - images
    assert noise.std().item() == pytest.approx(0.2 * share, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.005 * share)


def test_instance_noise_is_constant_without_annealing() -> None:
    images = torch.zeros(4, 3, 50, 50)
    for step in (0, 10**6):
        noise = transformed(InstanceNoise(sigma=0.2), images, step)
        assert noise.std().item() == pytest.approx(0.2, rel=0.02)


def test_every_input_of_the_discriminator_is_transformed_in_both_phases(
    images: Callable, latents: Tensor, tiny_generator: Callable, streams: Callable
) -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sum(1)

    method, generator, real = losses.get("rp_bce + instance_noise(sigma=0.5)"), tiny_generator(), images(0)
    method.discriminator_loss(critic, real, images(1), rng=streams())
    method.generator_loss(critic, generator, latents, real, rng=streams())
    for view, plain in zip(seen, [real, images(1), generator(latents), real], strict=True):
        assert (view - plain).std().item() == pytest.approx(0.5, rel=0.15)


def test_input_gradients_are_taken_before_the_transforms(images: Callable, streams: Callable) -> None:
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return 0.5 * x.flatten(1).square().sum(1)  # the gradient is its input, the noisy image

    found = losses.get("hinge + instance_noise + r1").discriminator_loss(critic, images(0), images(1), rng=streams())
    assert found["r1"].value.item() == pytest.approx(seen[0].flatten(1).square().sum(1).mean().item(), rel=1e-12)
    assert not torch.equal(seen[0], images(0))


def norms_and_weights() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.GroupNorm(1, 4),
        nn.InstanceNorm2d(4, affine=True),
        nn.LayerNorm(4),
        nn.Linear(4, 1),
    )


def test_weight_clip_clamps_every_parameter_in_place() -> None:
    with torch.random.fork_rng():
        critic = norms_and_weights()
    before = {name: parameter.clone() for name, parameter in critic.named_parameters()}
    constraint = WeightClip(c=0.05)
    assert constraint.wrap(critic) is critic
    constraint.after_step(critic)
    for name, parameter in critic.named_parameters():
        assert torch.equal(parameter, before[name].clamp(-0.05, 0.05))
        assert parameter.requires_grad
        assert parameter.grad_fn is None


def test_weight_clip_can_spare_the_gains_and_biases_of_norm_layers() -> None:
    with torch.random.fork_rng():
        critic = norms_and_weights()
    WeightClip(c=0.05, clip_norm_affine=False).after_step(critic)
    for layer in critic:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.weight.abs().max().item() == pytest.approx(0.05)
        else:
            assert torch.equal(layer.weight, torch.ones_like(layer.weight))


@pytest.mark.parametrize("name", losses.names("constraint"))
def test_constraints_return_a_module_and_are_idempotent(name: str, smooth_critic: Callable) -> None:
    (constraint,) = losses.get(f"wasserstein + {name}").constraints
    critic = constraint.wrap(smooth_critic())
    assert isinstance(critic, nn.Module)
    constraint.after_step(critic)
    once = [parameter.clone() for parameter in critic.parameters()]
    constraint.after_step(critic)
    assert all(map(torch.equal, once, critic.parameters()))
