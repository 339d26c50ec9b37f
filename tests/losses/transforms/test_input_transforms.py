"""What holds for every transform of the discriminator's input."""

from collections.abc import Callable

import pytest
import torch
from slow_cases import mostly_slow
from torch import Tensor, nn

import losses
from losses import registry

EXPRESSIONS = ["instance_noise", "pack", "diffaug", "ada", "apa", "diffusion"]
AT_RANDOM = ["instance_noise", "diffaug", "ada"]
"""Those that change all they are given; apa puts fakes in its place, and diffusion leaves half of it alone."""


def halfway() -> dict[str, dict[str, Tensor]]:
    """State in which the adaptive transforms act on about half of the samples."""
    return {name: {"probability": torch.tensor(0.5)} for name in ("ada", "apa", "diffusion")}


class Curved(nn.Module):
    """A curved critic of images of any number of channels, 4 by 4, without coupling between samples."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        draws = torch.randn((2, channels, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        self.weight = nn.Parameter(draws / 4)

    def forward(self, x: Tensor) -> Tensor:
        linear, bent = ((x * weight).flatten(1).sum(1) for weight in self.weight)
        return torch.tanh(linear) + 0.3 * bent.square()


def batch(seed: int, samples: int = 4) -> Tensor:
    return torch.randn((samples, 3, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(name: str, critic: nn.Module, real: Tensor) -> losses.LossParts:
    method = losses.get(f"bce_ns + r1 + {name}")
    return method.discriminator_loss(critic, real, batch(1), rng=torch.Generator().manual_seed(3), state=halfway())


def test_every_input_transform_is_examined_here() -> None:
    known = [name for name, part in registry.parts("transform").items() if issubclass(part, losses.InputTransform)]
    assert sorted(EXPRESSIONS) == known


def critic_for(name: str) -> Curved:
    return Curved(3 * losses.get(f"hinge + {name}").pack)


@pytest.mark.parametrize("name", mostly_slow(EXPRESSIONS, fast=["pack"]))
def test_r1_through_a_transform_is_the_slope_by_finite_differences(name: str) -> None:
    critic, real, width = critic_for(name), batch(0), 1e-5
    slopes = torch.zeros_like(real)
    for index in range(real.numel()):
        nudge = torch.zeros_like(real)
        nudge.view(-1)[index] = width
        above, below = (run(name, critic, real + sign * nudge).real_logits for sign in (1, -1))
        slopes.view(-1)[index] = (above - below).sum().detach() / (2 * width)
    expected = slopes.flatten(1).square().sum(1).mean().item()
    assert run(name, critic, real)["r1"].value.item() == pytest.approx(expected, rel=1e-8)
    assert expected > 0.01


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_r1_through_a_transform_can_be_differentiated_by_the_weights(name: str) -> None:
    critic, width = critic_for(name), 1e-5
    (gradient,) = torch.autograd.grad(run(name, critic, batch(0))["r1"].value, [critic.weight])
    direction = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    values = []
    for sign in (1, -1):
        moved = critic_for(name)
        moved.weight.data += sign * width * direction
        values.append(run(name, moved, batch(0))["r1"].value.item())
    assert (gradient * direction).sum().item() == pytest.approx((values[0] - values[1]) / (2 * width), rel=1e-6)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_transform_draws_from_its_own_stream_alone(name: str, streams: Callable) -> None:
    rng, untouched, global_state = streams(), streams(), torch.get_rng_state()
    method, real = losses.get(f"rp_bce + dragan + {name}"), batch(0)
    critic = critic_for(name)
    method = losses.Method(method.objective, transforms=method.transforms)
    method.discriminator_loss(critic, real, batch(1), rng=rng, state=halfway())
    method.generator_loss(critic, nn.Identity(), batch(1), real, rng=rng, state=halfway())
    assert torch.equal(torch.get_rng_state(), global_state)
    moved = {part for part in rng if not torch.equal(rng[part].get_state(), untouched[part].get_state())}
    assert moved == (set() if name == "pack" else {name})


@pytest.mark.parametrize("name", AT_RANDOM)
def test_equal_images_of_a_batch_are_changed_each_in_its_own_way(name: str, shown: Callable) -> None:
    images = batch(0, 1).expand(50, 3, 4, 4)
    view = shown(name, images, state={"ada": {"probability": torch.tensor(1.0)}})
    assert view.shape == images.shape
    assert len({tuple(image.flatten().tolist()) for image in view}) == 50


@pytest.mark.parametrize("name", [*AT_RANDOM, "diffusion"])
def test_what_is_drawn_for_an_image_does_not_depend_on_the_others(name: str, shown: Callable) -> None:
    images, others = batch(0, 8), batch(5, 8)
    others[3] = images[3]
    views = [shown(name, x, state={"ada": {"probability": torch.tensor(1.0)}}) for x in (images, others)]
    torch.testing.assert_close(views[0][3], views[1][3], rtol=0, atol=1e-14)
    assert not torch.allclose(views[0][4], views[1][4])


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_number_of_channels_and_half_precision(name: str, channels: int, shown: Callable) -> None:
    images = torch.rand((4, channels, 8, 8), generator=torch.Generator().manual_seed(0)).bfloat16()
    view = shown(name, images, state=halfway())
    assert view.numel() == images.numel()
    assert view.dtype == torch.bfloat16
    assert torch.isfinite(view).all()


@pytest.mark.parametrize("name", ["diffaug", "ada"])
def test_what_moves_pixels_refuses_points(name: str, shown: Callable) -> None:
    with pytest.raises(ValueError, match=rf"{name} changes pixels: .* got \(6, 2\)"):
        shown(name, torch.zeros(6, 2))


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
