"""The fixed networks: their sizes as published, their ranges, and what each norm does and does not couple."""

import math

import msgspec
import plain_networks
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config.trial import DiscriminatorNorm, Network
from bench.networks import build_discriminator, build_generator


def normal(name: str, shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(map(ord, name))))


def network(d_norm: DiscriminatorNorm = "ln", *, width: int = 64, channels: int = 3, image_size: int = 32) -> Network:
    return Network(
        name="dcgan-v2", width=width, channels=channels, image_size=image_size, latent_size=100, d_norm=d_norm
    )


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("image_size", "channels", "generator", "discriminator"),
    [
        (32, 3, 1_068_928, 663_296),
        (32, 1, 1_066_880, 661_248),
        (64, 3, 3_576_704, 2_765_568),
        (64, 1, 3_574_656, 2_763_520),
    ],
)
def test_parameter_counts_are_the_published_ones(
    image_size: int, channels: int, generator: int, discriminator: int
) -> None:
    for d_norm in ("ln", "bn"):
        description = network(d_norm, channels=channels, image_size=image_size)
        assert count(build_generator(description, normal)) == generator
        assert count(build_discriminator(description, normal)) == discriminator


@pytest.mark.parametrize(("channels", "expected"), [(3, 662_977), (1, 660_929)])
@pytest.mark.parametrize("d_norm", ["none", "sn"])
def test_norm_free_discriminators_have_biases_instead(d_norm: DiscriminatorNorm, channels: int, expected: int) -> None:
    assert count(build_discriminator(network(d_norm, channels=channels), normal)) == expected


def stds(module: nn.Module) -> dict[str, float]:
    """The standard deviation of each convolution's weights, by name."""
    return {
        name.removesuffix(".weight"): tensor.std(unbiased=False).item()
        for name, tensor in module.named_parameters()
        if tensor.dim() == 4
    }


@pytest.mark.parametrize("d_norm", ["ln", "bn"])
def test_under_an_affine_norm_all_weights_start_as_radfords(d_norm: DiscriminatorNorm) -> None:
    for build in (build_generator, build_discriminator):
        assert stds(build(network(d_norm), normal)).values() == pytest.approx([0.02] * 4, rel=0.05)


def test_without_a_norm_the_discriminator_starts_at_the_scale_of_he() -> None:
    """torch's own initialiser draws at the scale that each layer must have; the generator's stays Radford's."""
    discriminator = build_discriminator(network("none"), normal)
    found = stds(discriminator)
    for name, layer in discriminator.named_modules():
        if isinstance(layer, nn.Conv2d):
            drawn = torch.empty_like(layer.weight)
            slope = {"a": 1.0, "nonlinearity": "linear"} if name == "head" else {"a": 0.2, "nonlinearity": "leaky_relu"}
            nn.init.kaiming_normal_(drawn, **slope)
            assert found[name] == pytest.approx(drawn.std().item(), rel=0.1), name
            assert not layer.bias.any()
    assert found["layers.0"] == pytest.approx(math.sqrt(2 / 1.04 / 48), rel=0.05)
    assert found["head"] == pytest.approx(1 / 64, rel=0.05)
    assert stds(build_generator(network("none"), normal)).values() == pytest.approx([0.02] * 4, rel=0.05)


def test_without_a_norm_a_signal_keeps_its_size() -> None:
    """What `dcgan-v2` is for: from Radford's weights the logits of this noise spread by 0.02."""
    discriminator = build_discriminator(network("none"), normal)
    logits, _ = discriminator(torch.randn(256, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert 0.3 < logits.std().item() < 3


def test_spectral_norm_does_not_see_the_scale_of_the_weights() -> None:
    """`sn` starts from the scale of `none`, which it divides out again."""
    images = torch.rand(4, 3, 32, 32)

    def judged(scale: float) -> Tensor:
        torch.manual_seed(0)
        return build_discriminator(network("sn"), lambda name, shape: scale * normal(name, shape))(images)[0]

    torch.testing.assert_close(judged(1.0), judged(3.0), rtol=1e-4, atol=1e-5)


def test_nothing_trains_the_first_protocols_network_any_more() -> None:
    old = msgspec.structs.replace(network("ln"), name="dcgan-v1")
    latents = torch.randn(2, 100)
    torch.testing.assert_close(build_generator(old, normal)(latents), build_generator(network("ln"), normal)(latents))
    with pytest.raises(ValueError, match=r"dcgan-v1 is of protocol 1.0: its generators can be sampled"):
        build_discriminator(old, normal)


def test_the_layers_are_those_of_the_definition() -> None:
    """The networks against the definition written out in torch's functions."""
    generator, discriminator = (build(network(width=4), normal) for build in (build_generator, build_discriminator))
    latents = torch.randn(6, 100)
    weights = dict(generator.named_parameters())
    hidden = functional.conv_transpose2d(latents[:, :, None, None], weights["layers.0.weight"])
    for norm, convolution in ((1, 3), (4, 6), (7, 9)):
        gain, bias = weights[f"layers.{norm}.weight"], weights[f"layers.{norm}.bias"]
        hidden = functional.relu(functional.batch_norm(hidden, None, None, gain, bias, training=True, eps=1e-5))
        hidden = functional.conv_transpose2d(hidden, weights[f"layers.{convolution}.weight"], stride=2, padding=1)
    images = torch.tanh(hidden)
    torch.testing.assert_close(generator(latents), images, rtol=1e-4, atol=1e-5)

    weights = dict(discriminator.named_parameters())
    hidden = functional.leaky_relu(functional.conv2d(images, weights["layers.0.weight"], stride=2, padding=1), 0.2)
    for convolution, norm in ((2, 3), (5, 6)):
        hidden = functional.conv2d(hidden, weights[f"layers.{convolution}.weight"], stride=2, padding=1)
        mean, variance = hidden.mean((1, 2, 3), keepdim=True), hidden.var((1, 2, 3), unbiased=False, keepdim=True)
        gain, bias = weights[f"layers.{norm}.weight"], weights[f"layers.{norm}.bias"]
        normed = (hidden - mean) / torch.sqrt(variance + 1e-5)
        hidden = functional.leaky_relu(normed * gain[:, None, None] + bias[:, None, None], 0.2)
    logits, features = discriminator(images)
    torch.testing.assert_close(features, hidden.mean((2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits, (hidden * weights["head.weight"]).sum((1, 2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("d_norm", ["ln", "none"])
def test_layers_that_are_matrix_products_are_the_convolutions_they_replace(
    d_norm: DiscriminatorNorm, memory_format: torch.memory_format
) -> None:
    """In float64: values, first derivatives, and the second derivative that a gradient penalty takes."""
    for build in (build_generator, build_discriminator):
        ours = build(network(d_norm, width=4), normal).double().to(memory_format=memory_format)
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.add_(torch.randn(parameter.shape, dtype=torch.float64), alpha=0.1)  # biases begin at 0
        plain = plain_networks.in_torch_layers(ours)
        given = torch.randn(6, 100) if build is build_generator else torch.randn(6, 3, 32, 32)
        found = [_derivatives(module, given.double().requires_grad_()) for module in (ours, plain)]
        for mine, theirs in zip(*found, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def _derivatives(module: nn.Module, given: Tensor) -> list[Tensor]:
    value = module(given)
    value = value[0] if isinstance(value, tuple) else value
    (slope,) = torch.autograd.grad(value.square().sum(), given, create_graph=True)
    return [value, slope, *torch.autograd.grad(slope.square().sum(), list(module.parameters()))]


@pytest.mark.parametrize("image_size", [32, 64])
def test_shapes_and_range(image_size: int) -> None:
    description = network(width=8, image_size=image_size)
    images = build_generator(description, normal)(torch.randn(5, 100) * 10)
    assert images.shape == (5, 3, image_size, image_size)
    assert images.abs().max() <= 1
    logits, features = build_discriminator(description, normal)(images)
    assert logits.shape == (5,)
    assert features.shape == (5, 8 * image_size // 8)


def test_another_image_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32x32 or 64x64, not 48x48"):
        build_generator(network(image_size=48), normal)


def test_initialisation_is_radfords() -> None:
    discriminator = build_discriminator(network(), normal)
    weights = torch.cat([m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.Conv2d)])
    gains = torch.cat([m.weight.flatten() for m in discriminator.modules() if isinstance(m, nn.GroupNorm)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.02)
    assert weights.mean().item() == pytest.approx(0, abs=1e-4)
    assert gains.mean().item() == pytest.approx(1, abs=0.005)
    assert gains.std().item() == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize(("d_norm", "coupled"), [("ln", False), ("none", False), ("sn", False), ("bn", True)])
def test_only_batch_norm_lets_samples_see_each_other(d_norm: DiscriminatorNorm, coupled: bool) -> None:
    discriminator = build_discriminator(network(d_norm, width=8), normal).eval()
    if d_norm == "bn":
        discriminator.train()
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    together, _ = discriminator(images)
    apart = torch.cat([discriminator(images[:4])[0], discriminator(images[4:])[0]])
    assert bool(((together - apart).abs() > 1e-4 * together.abs().max()).any()) is coupled


@pytest.mark.parametrize("d_norm", ["ln", "none", "sn", "bn"])
def test_a_discriminator_says_whether_batches_may_share_a_forward(d_norm: DiscriminatorNorm) -> None:
    """They may where one forward of both is what two in turn give: the first changes nothing for the second."""
    discriminator = build_discriminator(network(d_norm, width=8), normal).double()
    images = torch.rand(8, 3, 32, 32, dtype=torch.float64) * 2 - 1
    together, _ = discriminator(images)
    apart = torch.cat([discriminator(images[:4])[0], discriminator(images[4:])[0]])
    assert torch.allclose(together, apart, rtol=1e-10, atol=1e-12) is discriminator.samplewise
    points = Network(name="mlp-v1", width=8, channels=1, image_size=1, latent_size=2, d_norm="none")
    assert build_discriminator(points, normal).samplewise


def test_spectral_norm_bounds_every_convolution() -> None:
    discriminator = build_discriminator(network("sn", width=8), normal)
    for _ in range(30):
        discriminator(torch.randn(2, 3, 32, 32))
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()
            assert largest == pytest.approx(1, rel=0.02)


def test_the_start_of_the_power_iteration_leaves_the_global_random_state_alone() -> None:
    def next_number(d_norm: DiscriminatorNorm) -> float:
        torch.manual_seed(7)
        build_discriminator(network(d_norm, width=8), normal)
        return torch.rand(()).item()

    assert next_number("sn") == next_number("none")


def test_mlp_layers_and_initial_scale() -> None:
    description = Network(name="mlp-v1", width=128, channels=1, image_size=1, latent_size=2, d_norm="none")
    generator, discriminator = build_generator(description, normal), build_discriminator(description, normal)
    hidden = 2 * 128 + 128 + 2 * (128 * 128 + 128)
    assert count(generator) == hidden + 128 * 2 + 2
    assert count(discriminator) == hidden + 128 + 1
    points = generator(torch.randn(500, 2))
    logits, features = discriminator(points)
    assert points.shape == (500, 2)
    assert (logits.shape, features.shape) == ((500,), (500, 128))
    assert 0.3 < points.std().item() < 3
