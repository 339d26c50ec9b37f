"""Matching terms and kernels against brute force in numpy and scipy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor

import losses
from losses.numerics import gaussian, mean_off_diagonal, rational_quadratic, squared_distances
from losses.pairs import unbiased_mmd

NAMES = ["fm", "swg", "mmd_feat", "perceptual"]
ALPHAS = (0.2, 0.5, 1, 2, 5)


def points(seed: int, count: int = 6, size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_squared_distances_are_those_of_a_double_loop() -> None:
    x, y = points(0, 5), points(1, 3)
    found = squared_distances(x, y)
    assert found.shape == (5, 3)
    for i in range(5):
        for j in range(3):
            expected = sum((a - b) ** 2 for a, b in zip(x[i].tolist(), y[j].tolist(), strict=True))
            assert found[i, j].item() == pytest.approx(expected, rel=1e-12)


def test_squared_distances_of_near_points_far_from_the_origin_keep_their_digits() -> None:
    x = 1000 + points(0, 4, 16, torch.float32)
    y = x + 1e-3
    expected = ((x.double().numpy() - y.double().numpy()) ** 2).sum(1)
    assert squared_distances(x, y).diagonal().tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_squared_distances_have_zero_gradient_where_points_coincide() -> None:
    x = points(0).requires_grad_()
    found = squared_distances(x, x.detach())
    assert found.diagonal().tolist() == [0.0] * 6
    found.diagonal().sum().backward()
    assert x.grad.abs().sum() == 0


def test_kernels_by_hand() -> None:
    squared = torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    assert rational_quadratic(squared, [1.0, 2.0])[0].tolist() == pytest.approx([2.0, 1 / 2 + 1 / 1.5**2], rel=1e-14)
    assert gaussian(squared, [1.0, 2.0])[0].tolist() == pytest.approx([2.0, np.exp(-1) + np.exp(-0.25)], rel=1e-14)


def test_a_mean_over_pairs_leaves_out_the_diagonal_and_wants_pairs() -> None:
    square = torch.tensor([[100.0, 1.0], [2.0, 100.0]], dtype=torch.float64)
    assert mean_off_diagonal(square).item() == pytest.approx(1.5, rel=1e-14)
    with pytest.raises(ValueError, match="at least two samples"):
        unbiased_mmd(squared_distances, torch.ones(1, 4), torch.ones(2, 4))


def brute_force_mmd(real: np.ndarray, fake: np.ndarray) -> float:
    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return sum((1 + ((x - y) ** 2).sum() / (2 * alpha)) ** -alpha for alpha in ALPHAS)

    def within(batch: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(batch)) for j in range(len(batch)) if i != j]
        return sum(kernel(batch[i], batch[j]) for i, j in pairs) / len(pairs)

    across = sum(kernel(x, y) for x in real for y in fake) / (len(real) * len(fake))
    return within(real) + within(fake) - 2 * across


@pytest.mark.parametrize("sizes", [(6, 6), (7, 4)])
def test_mmd_is_the_unbiased_one_of_a_double_loop(sizes: tuple[int, int], generator_value: Callable) -> None:
    real, fake = points(0, sizes[0]), 0.5 + points(1, sizes[1])
    expected = brute_force_mmd(real.numpy(), fake.numpy())
    assert generator_value("mmd_feat", real, fake).item() == pytest.approx(expected, rel=1e-12)


def test_mmd_of_equal_distributions_is_zero_on_average(generator_value: Callable) -> None:
    found = np.array([generator_value("mmd_feat", points(2 * s, 8), points(2 * s + 1, 8)).item() for s in range(200)])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert (found < 0).any()
    assert (found > 0).any()


def test_fm_compares_means_and_not_pairs(generator_value: Callable) -> None:
    real, fake = points(0), points(1)
    expected = ((real.numpy().mean(0) - fake.numpy().mean(0)) ** 2).sum()
    assert generator_value("fm", real, fake).item() == pytest.approx(expected, rel=1e-12)
    assert generator_value("fm", real, real.flip(0)).item() == pytest.approx(0, abs=1e-28)


def test_fm_takes_maps_entry_by_entry(generator_value: Callable) -> None:
    real, fake = points(0, 5, 12).view(5, 3, 2, 2), points(1, 5, 12).view(5, 3, 2, 2)
    expected = ((real.numpy().mean(0) - fake.numpy().mean(0)) ** 2).sum()
    assert generator_value("fm", real, fake).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("projections", [1, 50])
def test_swg_of_one_feature_is_the_wasserstein_distance_on_the_line(
    projections: int, generator_value: Callable
) -> None:
    """In one dimension every direction is +1 or -1, and W2 of equally many points is that of their sorted values."""
    real, fake = points(0, 7, 1), points(1, 7, 1)
    expected = np.mean((np.sort(real.numpy().ravel()) - np.sort(fake.numpy().ravel())) ** 2)
    found = generator_value(f"swg(projections={projections})", real, fake)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    apart = generator_value("swg", real, real + 3)  # a shift moves all points alike, so that W1 = W2
    assert apart.sqrt().item() == pytest.approx(wasserstein_distance(real[:, 0], real[:, 0] + 3), rel=1e-6)


def test_swg_averages_over_uniform_directions_of_length_one(generator_value: Callable) -> None:
    """Two batches of one repeated point each: the squared distance along a direction has the mean |x - y|^2 / d."""
    x, y = points(0, 1, 5), points(1, 1, 5)
    expected = ((x - y) ** 2).sum().item() / 5
    found = generator_value("swg(projections=40000)", x.expand(3, 5), y.expand(3, 5))
    assert found.item() == pytest.approx(expected, rel=0.02)


def test_swg_draws_other_directions_from_another_stream(generator_value: Callable) -> None:
    values = {generator_value("swg(projections=3)", points(0), points(1), seed=seed).item() for seed in range(3)}
    assert len(values) == 3
    with pytest.raises(ValueError, match="swg pairs real with fake"):
        generator_value("swg", points(0, 4), points(1, 6))


def test_swg_does_not_care_how_real_and_fake_are_ordered(generator_value: Callable) -> None:
    once, shuffled = (generator_value("swg", points(0), fake).item() for fake in (points(1), points(1).flip(0)))
    assert once == pytest.approx(shuffled, rel=1e-12)
    assert generator_value("swg", points(0), points(0).flip(0)).item() == pytest.approx(0, abs=1e-28)


def max_sliced(direction: Tensor, real: Tensor, fake: Tensor, bias: float = 0.0) -> Tensor:
    critic = lambda x: x @ direction + bias  # noqa: E731 - reads as mathematics
    method = losses.get("bce_d + max_swg(weight=3)")
    return method.generator_loss(critic, lambda latents: latents, fake, real)["max_swg"].value


def test_max_swg_is_the_wasserstein_distance_along_the_last_layer() -> None:
    real, fake, direction = points(0, 7), 0.4 + points(1, 7), points(2, 1).flatten()
    along = [np.sort(batch.numpy() @ direction.numpy()) for batch in (real, fake)]
    expected = np.mean((along[0] - along[1]) ** 2)
    assert max_sliced(direction, real, fake).item() == pytest.approx(expected, rel=1e-12)
    assert max_sliced(direction, real, fake.flip(0), bias=5).item() == pytest.approx(expected, rel=1e-12)
    apart = max_sliced(direction, real, real - 2)
    distance = wasserstein_distance(real @ direction, (real - 2) @ direction)
    assert apart.sqrt().item() == pytest.approx(distance, rel=1e-10)


def test_max_swg_pulls_each_fake_towards_the_real_of_its_rank() -> None:
    real = torch.tensor([[3.0], [0.0], [7.0]], dtype=torch.float64)
    fake = torch.tensor([[5.0], [6.0], [1.0]], dtype=torch.float64, requires_grad=True)
    max_sliced(torch.ones(1, dtype=torch.float64), real, fake).backward()
    assert fake.grad.flatten().tolist() == pytest.approx([2 / 3 * 2, 2 / 3 * -1, 2 / 3 * 1], rel=1e-12)
    with pytest.raises(ValueError, match="max_swg pairs real with fake"):
        max_sliced(torch.ones(1, dtype=torch.float64), real[:2], fake)


def test_perceptual_takes_the_nearest_real_of_each_fake(generator_value: Callable) -> None:
    real = torch.tensor([[0.0, 0.0], [10.0, 0.0]], dtype=torch.float64)
    fake = torch.tensor([[1.0, 1.0], [9.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    assert generator_value("perceptual", real, fake).item() == pytest.approx((2 + 1 + 9) / 3, rel=1e-14)
    assert generator_value("perceptual", real, real.flip(0)).item() == 0
    assert generator_value("perceptual", real, real[:1]).item() == 0, "one good image is enough for it"


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_the_fakes_match_finite_differences(name: str, generator_value: Callable) -> None:
    fake = points(1, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: generator_value(name, points(0, 4, 3), x), (fake,), atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_is_trained_and_the_frozen_discriminator_is_not(
    name: str, trained: Callable, smooth_critic: Callable, tiny_generator: Callable, latents: Tensor, images: Callable
) -> None:
    trained(name, smooth_critic(features=True), tiny_generator(), latents, images(0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_collapsed_batches_give_finite_values_and_gradients(name: str, scale: float, generator_value: Callable) -> None:
    constant = torch.full((5, 3), scale, requires_grad=True)
    for real in (constant.detach(), points(0, 5, 3, torch.float32)):
        found = generator_value(name, real, constant)
        (gradient,) = torch.autograd.grad(found, constant)
        assert found.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["mmd_feat", "perceptual"])
def test_frozen_terms_work_with_the_default_features_of_images_and_of_points(
    name: str, images: Callable, smooth_critic: Callable
) -> None:
    method = losses.get(f"bce_ns + {name}")
    for shape in ((6, 3, 8, 8), (6, 2)):
        fake = torch.randn(shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
        real = torch.randn(shape, generator=torch.Generator().manual_seed(2))
        found = method.generator_loss(lambda x: x.flatten(1).sum(1), lambda z: z, fake, real)[name].value
        (gradient,) = torch.autograd.grad(found, fake)
        assert gradient.abs().sum() > 0


def test_the_features_stay_in_full_precision_under_autocast(generator_value: Callable) -> None:
    real, fake = 1000 + points(0, dtype=torch.float32), 1000 + points(1, dtype=torch.float32)
    exact = generator_value("swg", real, fake)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = generator_value("swg", real, fake)
    assert found.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["mmd_feat", "perceptual"])
def test_an_empty_sequence_of_layers_is_the_network_that_gives_pixels(name: str, generator_value: Callable) -> None:
    real, latents = points(1), points(2)
    pixels = generator_value(name, real, latents, frozen=torch.nn.Identity())
    assert generator_value(name, real, latents, frozen=torch.nn.Sequential()).item() == pixels.item()
    assert generator_value(name, real, latents, frozen=None).item() != pytest.approx(pixels.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda x: (x, x), r"a tuple of 2 \("),
        (lambda x: {"features": x}, "a dict"),
        (lambda x: x.mean(0), r"a tensor of shape \(4,\)"),
        (lambda x: x.mean(), r"a tensor of shape \(\)"),
    ],
    ids=["tuple", "dict", "one for all", "number"],
)
@pytest.mark.parametrize("name", ["mmd_feat", "perceptual"])
def test_what_a_frozen_network_may_not_return_is_named(
    name: str, returned: Callable, told: str, generator_value: Callable
) -> None:
    with pytest.raises(ValueError, match=rf"{name} .* frozen network, which returned {told}.*: expected .* 6 samples"):
        generator_value(name, points(1), points(2), frozen=returned)
