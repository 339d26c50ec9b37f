"""Correlation terms against numpy, and the negative control shown losing."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

NAMES = ["coral", "gram", "corr_channel", "corr_moment", "corr_matched", "corr_naive"]


def points(seed: int, count: int = 6, size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def mixed(seed: int, count: int = 9, size: int = 4) -> Tensor:
    """Points whose coordinates correlate."""
    return points(seed, count, size) @ points(seed + 100, size, size) + 1


def test_coral_is_the_distance_of_the_population_covariances(generator_value: Callable) -> None:
    real, fake = mixed(0), mixed(1)
    gap = np.cov(real.numpy().T, ddof=0) - np.cov(fake.numpy().T, ddof=0)
    assert generator_value("coral", real, fake).item() == pytest.approx((gap**2).sum() / (4 * 4**2), rel=1e-12)
    assert generator_value("coral", real, real + 5).item() == pytest.approx(0, abs=1e-24), "it does not see the mean"


def test_coral_pools_maps_over_positions(generator_value: Callable) -> None:
    real, fake = points(0, 5, 24).view(5, 4, 3, 2), points(1, 5, 24).view(5, 4, 3, 2)
    flat = generator_value("coral", real.mean(dim=(2, 3)), fake.mean(dim=(2, 3)))
    assert generator_value("coral", real, fake).item() == pytest.approx(flat.item(), rel=1e-12)


def test_gram_is_the_mean_outer_product_over_samples_and_positions(generator_value: Callable) -> None:
    real, fake = points(0, 5, 24).view(5, 4, 3, 2), points(1, 5, 24).view(5, 4, 3, 2)

    def mean_outer_product(maps: np.ndarray) -> np.ndarray:
        rows = [maps[b, :, i, j] for b in range(5) for i in range(3) for j in range(2)]
        return sum(np.outer(row, row) for row in rows) / len(rows)

    gap = mean_outer_product(real.numpy()) - mean_outer_product(fake.numpy())
    assert generator_value("gram", real, fake).item() == pytest.approx((gap**2).sum() / 4**2, rel=1e-12)
    vectors = (real.numpy()[:, :, 0, 0], fake.numpy()[:, :, 0, 0])
    gap = (vectors[0].T @ vectors[0] - vectors[1].T @ vectors[1]) / 5
    found = generator_value("gram", *map(torch.from_numpy, vectors))
    assert found.item() == pytest.approx((gap**2).sum() / 4**2, rel=1e-12)


def test_corr_channel_is_the_distance_of_the_correlation_matrices(generator_value: Callable) -> None:
    real, fake = mixed(0), mixed(1)
    gap = np.corrcoef(real.numpy().T) - np.corrcoef(fake.numpy().T)
    assert generator_value("corr_channel", real, fake).item() == pytest.approx((gap**2).sum() / 4**2, rel=1e-6)
    scaled = fake * torch.tensor([3.0, 0.5, 2.0, 7.0], dtype=torch.float64) - 4
    found = generator_value("corr_channel", real, scaled)
    assert found.item() == pytest.approx((gap**2).sum() / 4**2, rel=1e-6), "neither scale nor mean count"


def test_corr_moment_correlates_the_profiles_of_the_moments(generator_value: Callable) -> None:
    real, fake = mixed(0), mixed(1)
    x, y = real.numpy(), fake.numpy()
    means = np.corrcoef(x.mean(0), y.mean(0))[0, 1]
    squares = np.corrcoef((x**2).mean(0), (y**2).mean(0))[0, 1]
    assert generator_value("corr_moment", real, fake).item() == pytest.approx(2 - means - squares, rel=1e-6)


def cosine_table(fake: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.array([[f @ r / np.sqrt((f @ f) * (r @ r)) for r in real] for f in fake])


@pytest.mark.parametrize("sizes", [(6, 6), (3, 8)])
def test_corr_matched_takes_the_best_partner_each_way(sizes: tuple[int, int], generator_value: Callable) -> None:
    fake, real = points(0, sizes[0]), points(1, sizes[1])
    table = 1 - cosine_table(fake.numpy(), real.numpy())
    one_way, way_back = table.min(axis=1).mean(), table.min(axis=0).mean()
    found = generator_value("corr_matched(both_ways=False)", real, fake).item()
    assert found == pytest.approx(one_way, rel=1e-6)
    found = generator_value("corr_matched", real, fake).item()
    assert found == pytest.approx((one_way + way_back) / 2, rel=1e-6)


def test_only_the_way_back_notices_a_generator_of_one_good_image(generator_value: Callable) -> None:
    real = torch.eye(5, dtype=torch.float64)
    collapsed = real[:1].expand(5, 5)
    assert generator_value("corr_matched(both_ways=False)", real, collapsed).item() == pytest.approx(0, abs=1e-7)
    assert generator_value("corr_matched", real, collapsed).item() == pytest.approx((0 + 4 / 5) / 2, rel=1e-6)


def test_corr_naive_is_the_mean_pearson_correlation_of_pairs(generator_value: Callable) -> None:
    real, fake = points(0, 5, 12).view(5, 3, 2, 2), points(1, 5, 12).view(5, 3, 2, 2)
    pairs = zip(real.flatten(1).numpy(), fake.flatten(1).numpy(), strict=True)
    expected = 1 - np.mean([np.corrcoef(x, y)[0, 1] for x, y in pairs])
    assert generator_value("corr_naive", real, fake).item() == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match="corr_naive pairs real with fake"):
        generator_value("corr_naive", real, fake[:2])


def classes(seed: int, count: int) -> Tensor:
    """Images of three kinds, as a data set has them: a kind's pattern with a little noise."""
    rng = torch.Generator().manual_seed(seed)
    patterns = points(50, 3, 20)
    chosen = patterns[torch.randint(3, (count,), generator=rng)]
    return chosen + 0.1 * torch.randn(count, 20, generator=rng, dtype=torch.float64)


def test_corr_naive_prefers_the_mean_image_to_perfect_samples_and_the_others_do_not(generator_value: Callable) -> None:
    real, perfect = classes(0, 300), classes(1, 300)
    standard = (real - real.mean(dim=1, keepdim=True)) / real.std(dim=1, correction=0, keepdim=True)
    blur = standard.mean(dim=0).expand(300, 20)
    for name in ("corr_matched", "corr_channel", "coral"):
        assert generator_value(name, real, perfect) < generator_value(name, real, blur), name
    assert generator_value("corr_naive", real, blur) < generator_value("corr_naive", real, perfect) - 0.1


def test_descending_corr_naive_ends_at_the_mean_image(generator_value: Callable) -> None:
    """A generator cannot know its partner: over many pairings, each of its images goes to the same blur."""
    real = classes(0, 40)
    standard = (real - real.mean(dim=1, keepdim=True)) / real.std(dim=1, correction=0, keepdim=True)
    fake = points(3, 2, 20).requires_grad_()  # two images, each beside every real
    for _ in range(300):
        found = generator_value("corr_naive", real.repeat(2, 1), fake.repeat_interleave(40, dim=0))
        (gradient,) = torch.autograd.grad(found, fake)
        fake = (fake - 10 * gradient).detach().requires_grad_()
    correlations = np.corrcoef(np.vstack([standard.mean(dim=0).numpy(), fake.detach().numpy()]))
    assert correlations.min() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_equal_batches_differ_by_nothing(name: str, generator_value: Callable) -> None:
    real = mixed(0)
    assert generator_value(name, real, real.clone()).item() == pytest.approx(0, abs=1e-7)
    if name != "corr_naive":
        assert generator_value(name, real, real.flip(0)).item() == pytest.approx(0, abs=1e-7)
    assert generator_value(name, real, mixed(1)).item() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_the_fakes_match_finite_differences(name: str, generator_value: Callable) -> None:
    fake = points(1, 5, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: generator_value(name, points(0, 5, 3), x), (fake,), atol=1e-7)


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


@pytest.mark.parametrize("name", ["coral", "gram", "corr_channel", "corr_matched"])
def test_the_products_stay_in_full_precision_under_autocast(name: str, generator_value: Callable) -> None:
    real, fake = mixed(0).float(), mixed(1).float()
    exact = generator_value(name, real, fake)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert generator_value(name, real, fake).item() == pytest.approx(exact.item(), rel=1e-5)
