"""Diversity terms by hand and against numpy, and that they are lower for spread samples than for collapsed ones."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import losses
from losses.regularizers.diversity import spectrum

ON_LATENTS = ["msgan", "dsgan", "zcr_g"]
ON_FEATURES = ["gdpp", "pulling_away", "feature_variance"]


def points(seed: int, count: int = 6, size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def drawn(*shape: int, seed: int = 7) -> np.ndarray:
    """Return the normals that a term with a fresh stream of that seed draws."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).numpy()


def test_msgan_is_the_inverse_ratio_of_the_mean_distances(generator_value: Callable) -> None:
    latents, weight = points(1, 5, 3), points(2, 3, 8)
    change = np.abs(np.tanh(latents.numpy() @ weight.numpy()) - np.tanh(drawn(5, 3) @ weight.numpy()))
    expected = 1 / (change.mean() / np.abs(latents.numpy() - drawn(5, 3)).mean() + 1e-5)
    found = generator_value(
        "msgan", None, latents, generator=lambda z: torch.tanh(z @ weight).unflatten(1, (2, 2, 2)), seed=7
    )
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_msgan_of_a_collapsed_generator_is_at_its_ceiling(generator_value: Callable) -> None:
    found = generator_value("msgan", None, points(0), generator=lambda z: 0 * z, seed=7)
    assert found.item() == pytest.approx(1e5, rel=1e-9)


def test_dsgan_clamps_the_ratio_of_each_sample(generator_value: Callable) -> None:
    latents, weight = points(1, 5, 3), points(2, 3, 8)
    change = np.abs(np.tanh(latents.numpy() @ weight.numpy()) - np.tanh(drawn(5, 3) @ weight.numpy())).mean(1)
    ratios = change / np.abs(latents.numpy() - drawn(5, 3)).mean(1)
    tau = float(np.median(ratios))
    assert ratios.min() < tau < ratios.max()
    found = generator_value(f"dsgan(tau={tau!r})", None, latents, generator=lambda z: torch.tanh(z @ weight), seed=7)
    assert found.item() == pytest.approx(-np.minimum(ratios, tau).mean(), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("expression", "equal"), [("dsgan(tau=1000)", 1), ("dsgan(tau=1000)", 6), ("msgan", 6)])
def test_pairs_of_equal_latents_ask_for_nothing(
    expression: str, equal: int, dtype: torch.dtype, generator_value: Callable
) -> None:
    """As a discrete law draws them: their distance is 0, and 0/0 is no number, nor is its gradient."""
    latents, weight = points(1, 6, 3, dtype), points(2, 3, 8, dtype).requires_grad_()
    second = latents.roll(1, 0)
    second[:equal] = latents[:equal]
    found = generator_value(
        expression, None, latents, generator=lambda z: torch.tanh(z @ weight), sample_latents=lambda *_: second
    )
    change = (torch.tanh(latents @ weight) - torch.tanh(second @ weight)).abs().mean(1)[equal:]
    ratios = change / (latents - second).abs().mean(1)[equal:]
    expected = -(1000 * equal + ratios.sum()) / 6 if expression != "msgan" else torch.zeros((), dtype=dtype)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    (slope,) = torch.autograd.grad(found, weight)
    assert slope.isfinite().all()
    assert bool(slope.any()) == (equal < 6)


def uniform(latents: Tensor, rng: torch.Generator | None) -> Tensor:
    return 2 * torch.rand(latents.shape, generator=rng, dtype=latents.dtype) - 1


@pytest.mark.parametrize("caller", ["method", "criterion"])
def test_the_second_latents_follow_the_law_that_the_caller_gives(caller: str, generator_value: Callable) -> None:
    latents, weight = uniform(points(1, 5, 3), torch.Generator().manual_seed(1)), points(2, 3, 8)
    seen: list[Tensor] = []

    def generator(z: Tensor) -> Tensor:
        seen.append(z)
        return torch.tanh(z @ weight)

    if caller == "method":
        found = generator_value("msgan", None, latents, generator=generator, seed=7, sample_latents=uniform)
        second = uniform(latents, torch.Generator().manual_seed(7))
        assert torch.equal(seen[1], second)
    else:
        network = nn.Linear(3, 8, bias=False, dtype=torch.float64)
        network.weight.data.copy_(weight.T)
        network.register_forward_hook(lambda _, given, __: seen.append(given[0]))
        d = nn.Linear(8, 1, dtype=torch.float64)
        criterion = losses.Criterion("nsgan + msgan", d, nn.Sequential(network, nn.Tanh()), sample_latents=uniform)
        found, second = criterion.generator_loss(latents)["msgan"].value, seen[1]
    assert second.abs().max() <= 1
    change = np.abs(np.tanh(latents.numpy() @ weight.numpy()) - np.tanh(second.numpy() @ weight.numpy()))
    expected = 1 / (change.mean() / (latents - second).abs().mean().item() + 1e-5)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_latents_of_another_shape_are_refused(generator_value: Callable) -> None:
    with pytest.raises(ValueError, match=r"sample_latents returned shape \(2, 4\): .* that of the latents, \(6, 4\)"):
        generator_value("dsgan", None, points(0), sample_latents=lambda latents, rng: latents[:2])


@pytest.mark.parametrize("name", ["msgan", "dsgan", "zcr_g", "jacobian_clamp"])
def test_latents_of_whole_numbers_have_no_normal_neighbors(name: str, generator_value: Callable) -> None:
    with pytest.raises(ValueError, match=rf"{name} draws normal numbers for a batch of torch.int64: .*sample_latents"):
        generator_value(name, None, torch.ones(6, 4, dtype=torch.int64), generator=lambda z: z.double())


def test_zcr_g_is_minus_the_mean_squared_change(generator_value: Callable) -> None:
    latents, weight = points(1, 5, 3), points(2, 3, 8)
    change = (0.2 * drawn(5, 3)) @ weight.numpy()
    found = generator_value("zcr_g(sigma=0.2)", None, latents, generator=lambda z: z @ weight, seed=7)
    assert found.item() == pytest.approx(-(change**2).mean(), rel=1e-12)


@pytest.mark.parametrize("name", ON_LATENTS)
def test_terms_on_latents_fall_as_the_generator_spreads(name: str, generator_value: Callable) -> None:
    weight = points(2, 4, 8)
    spread = [
        generator_value(name, None, points(0), generator=lambda z, s=scale: s * z @ weight, seed=7).item()
        for scale in (0.0, 0.01, 0.1)
    ]
    assert spread[0] > spread[1] > spread[2]


def test_pulling_away_is_zero_for_orthogonal_and_one_for_identical_features(generator_value: Callable) -> None:
    orthogonal = 3 * torch.eye(4, dtype=torch.float64)
    assert generator_value("pulling_away", None, orthogonal).item() == pytest.approx(0, abs=1e-14)
    assert generator_value("pulling_away", None, orthogonal[:1].expand(4, 4)).item() == pytest.approx(1, rel=1e-7)
    assert generator_value("pulling_away", None, orthogonal[[0, 0, 1]]).item() == pytest.approx(1 / 3, rel=1e-7)


def test_pulling_away_averages_the_squared_cosines_of_a_double_loop(generator_value: Callable) -> None:
    fake = points(0)
    rows = [row / np.linalg.norm(row) for row in fake.numpy()]
    expected = np.mean([(rows[i] @ rows[j]) ** 2 for i in range(6) for j in range(6) if i != j])
    assert generator_value("pulling_away", None, fake).item() == pytest.approx(expected, rel=1e-6)


def test_feature_variance_punishes_too_little_and_not_too_much(generator_value: Callable) -> None:
    real, fake = points(0, 8), 2 * points(1, 8) * torch.tensor([1, 0.1, 1, 0.2], dtype=torch.float64)
    gap = real.numpy().std(0) - fake.numpy().std(0)
    assert (gap > 0).any()
    assert (gap < 0).any()
    expected = np.maximum(gap, 0).mean()
    assert generator_value("feature_variance", real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert generator_value("feature_variance", real, 2 * real).item() == 0
    collapsed = generator_value("feature_variance", real, real[:1].expand(8, 4))
    assert collapsed.item() == pytest.approx(real.numpy().std(0).mean(), rel=1e-3)


def numpy_gdpp(real: np.ndarray, fake: np.ndarray) -> float:
    def decomposed(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = features / np.linalg.norm(features, axis=1, keepdims=True)
        return np.linalg.eigh(rows @ rows.T)

    (real_values, real_vectors), (fake_values, fake_vectors) = decomposed(real), decomposed(fake)
    importance = (real_values - real_values.min()) / (real_values.max() - real_values.min())
    alignment = [abs(real_vectors[:, i] @ fake_vectors[:, i]) for i in range(len(real))]
    return 1e-4 * np.mean((real_values - fake_values) ** 2) - np.sum(importance * alignment)


def test_gdpp_is_that_of_numpy(generator_value: Callable) -> None:
    real, fake = points(0, 5, 8), points(1, 5, 8)
    found = generator_value("gdpp", real, fake)
    assert found.item() == pytest.approx(numpy_gdpp(real.numpy(), fake.numpy()), rel=1e-6)


def test_gdpp_of_equal_batches_is_minus_the_sum_of_the_importances(generator_value: Callable) -> None:
    real = points(0, 5, 8)
    rows = real.numpy() / np.linalg.norm(real.numpy(), axis=1, keepdims=True)
    values = np.linalg.eigvalsh(rows @ rows.T)
    expected = -((values - values.min()) / (values.max() - values.min())).sum()
    assert generator_value("gdpp", real, real.clone()).item() == pytest.approx(expected, rel=1e-6)
    assert generator_value("gdpp", real, points(0)[:1].repeat(5, 2)).item() > expected + 0.1, "collapsed is worse"


def test_gdpp_compares_unrelated_samples_by_their_index(generator_value: Callable) -> None:
    real, fake = points(0, 5, 8), points(1, 5, 8)
    plain, together = generator_value("gdpp", real, fake), generator_value("gdpp", real.flip(0), fake.flip(0))
    assert together.item() == pytest.approx(plain.item(), rel=1e-9)
    assert abs(generator_value("gdpp", real, fake.flip(0)).item() - plain.item()) > 0.01
    with pytest.raises(ValueError, match="gdpp pairs real with fake"):
        generator_value("gdpp", real, fake[:3])


def test_the_spectrum_has_the_derivatives_of_perturbation_theory() -> None:
    """Against finite differences of numpy's decomposition, its signs made equal, where no eigenvalues are near."""
    base = np.diag([1.0, 2.0, 4.0, 7.0]) + 0.1 * (points(3, 4).numpy() + points(3, 4).numpy().T)
    way = points(4, 4).numpy() + points(4, 4).numpy().T
    weights = points(5, 4)
    kernel = torch.from_numpy(base).requires_grad_()
    values, vectors = spectrum(kernel)
    reference = vectors.detach().numpy()

    def scalars(matrix: np.ndarray) -> np.ndarray:
        ends, columns = np.linalg.eigh(matrix)
        columns = columns * np.sign((columns * reference).sum(0))
        return np.array([(ends**2).sum(), (columns * weights.numpy()).sum()])

    expected = (scalars(base + 1e-5 * way) - scalars(base - 1e-5 * way)) / 2e-5
    for value, slope in zip((values.square().sum(), (vectors * weights).sum()), expected, strict=True):
        (gradient,) = torch.autograd.grad(value, kernel, retain_graph=True)
        assert (gradient.numpy() * way).sum() == pytest.approx(slope, rel=1e-5)


def test_the_spectrum_of_equal_eigenvalues_has_bounded_gradients_and_that_of_nan_is_nan() -> None:
    for kernel in (torch.eye(5), torch.ones(5, 5), torch.zeros(5, 5)):
        values, vectors = spectrum(kernel.requires_grad_())
        (gradient,) = torch.autograd.grad(values.square().sum() + (vectors * points(0, 5, 5)).sum(), kernel)
        assert gradient.isfinite().all()
    values, _ = spectrum(torch.full((3, 3), torch.nan))
    assert values.isnan().all()


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-4])
def test_a_small_gap_of_eigenvalues_enters_damped(gap: float) -> None:
    """Half of an eigenvector's turning is left at a gap of a thousandth, by g / (g^2 + 1e-6) in place of 1 / g."""
    kernel = torch.diag(torch.tensor([1.0, 1.0 + gap], dtype=torch.float64)).requires_grad_()
    _, vectors = spectrum(kernel)
    (gradient,) = torch.autograd.grad(vectors[0, 1] * vectors[1, 1].sign(), kernel)
    assert gradient.sum().item() == pytest.approx(gap / (gap**2 + 1e-6), rel=1e-9)


def test_gradients_of_gdpp_match_finite_differences_where_eigenvalues_are_apart(generator_value: Callable) -> None:
    real, fake = points(0, 4, 8), points(1, 4, 8).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: generator_value("gdpp", real, x), (fake,), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["pulling_away", "feature_variance", *ON_LATENTS])
def test_gradients_match_finite_differences(name: str, generator_value: Callable) -> None:
    """By the weights of a generator, because both of its batches depend on them."""
    weight = (points(2, 4, 6) / 4).requires_grad_()

    def value(weight: Tensor) -> Tensor:
        return generator_value(name, points(0, 5, 6), points(1, 5), generator=lambda z: torch.tanh(z @ weight))

    assert torch.autograd.gradcheck(value, (weight,), atol=1e-7)


@pytest.mark.parametrize("name", [*ON_LATENTS, *ON_FEATURES])
def test_the_generator_is_trained_and_the_frozen_discriminator_is_not(
    name: str, trained: Callable, smooth_critic: Callable, tiny_generator: Callable, latents: Tensor, images: Callable
) -> None:
    trained(name, smooth_critic(features=True), tiny_generator(), latents, 2 * images(0))


@pytest.mark.parametrize("name", ON_FEATURES)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_collapsed_features_give_finite_values_and_gradients(
    name: str, scale: float, generator_value: Callable
) -> None:
    constant = torch.full((5, 3), scale, requires_grad=True)  # more samples than features: a kernel of low rank
    for real in (constant.detach(), points(0, 5, 3, torch.float32)):
        found = generator_value(name, real, constant)
        (gradient,) = torch.autograd.grad(found, constant)
        assert found.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ON_LATENTS)
def test_a_collapsed_generator_gives_finite_values_and_gradients(name: str, generator_value: Callable) -> None:
    generator = nn.Linear(4, 6)
    nn.init.zeros_(generator.weight)
    found = generator_value(name, None, points(0, dtype=torch.float32), generator=generator, seed=7)
    found.backward()
    assert found.isfinite()
    assert generator.weight.grad.isfinite().all()


@pytest.mark.parametrize("name", ["gdpp", "pulling_away"])
def test_the_kernels_stay_in_full_precision_under_autocast(name: str, generator_value: Callable) -> None:
    real, fake = points(0, 5, 8, torch.float32), points(1, 5, 8, torch.float32)
    exact = generator_value(name, real, fake)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert generator_value(name, real, fake).item() == pytest.approx(exact.item(), rel=1e-4)
