"""Terms on the generator's slope, on generators whose Jacobian is known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import losses

NAMES = ["gp_pathlen", "jacobian_clamp(lower=3, upper=4)"]


def points(seed: int, count: int = 6, size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def numpy_lengths(weight: np.ndarray, samples: int, seed: int, positions: int) -> np.ndarray:
    """Return |J^T y| of G(z) = z W for the y that a fresh stream of that seed draws: the Jacobian is W^T."""
    pixels = weight.shape[1]
    rng = torch.Generator().manual_seed(seed)
    y = torch.randn(samples, pixels, generator=rng, dtype=torch.float64).numpy() / np.sqrt(positions)
    return np.linalg.norm(y @ weight.T, axis=1)


def test_path_length_and_its_running_mean_on_linear_generators(generator_value: Callable) -> None:
    weight, state, mean = points(2, 3, 8), {}, 0.0
    for step, scale in enumerate((1.0, 2.0, 0.5)):
        lengths = numpy_lengths(scale * weight.numpy(), 6, seed=step, positions=4)
        mean += 0.1 * (lengths.mean() - mean)
        found = generator_value(
            "gp_pathlen(decay=0.1, every=1)", None, points(0, 6, 3), seed=step, step=step, state=state,
            generator=lambda z, s=scale: (s * z @ weight).unflatten(1, (2, 2, 2)),
        )  # fmt: skip
        assert found.item() == pytest.approx(((lengths - mean) ** 2).mean(), rel=1e-12)
        assert state["gp_pathlen"]["mean_length"].item() == pytest.approx(mean, rel=1e-12)


def test_path_length_is_lazy_and_needs_its_state(generator_value: Callable) -> None:
    assert losses.get("bce_ns + gp_pathlen").regularizers[0].every == 4
    with pytest.raises(ValueError, match="remembers something"):
        generator_value("gp_pathlen", None, points(0))


def test_path_lengths_of_a_generator_that_scales_its_latents_is_the_scale(generator_value: Callable) -> None:
    """E |J^T y|^2 of one-channel images G(z) = c z is c^2 for every size, because y has length 1 on average."""
    state: losses.context.State = {}
    images = lambda z: 3 * z.unflatten(1, (1, 5, 10))  # noqa: E731 - reads as mathematics
    generator_value("gp_pathlen(decay=1)", None, points(0, 4000, 50), generator=images, state=state)
    assert state["gp_pathlen"]["mean_length"].item() == pytest.approx(3, rel=0.02)


def test_path_length_leaves_no_gradient_in_the_latents_and_is_differentiated_twice(generator_value: Callable) -> None:
    weight, latents = (points(2, 3, 8) / 2).requires_grad_(), points(0, 5, 3).requires_grad_()

    def value(weight: Tensor) -> Tensor:
        state = {"gp_pathlen": {"mean_length": torch.tensor(0.3, dtype=torch.float64)}}
        return generator_value("gp_pathlen", None, latents, generator=lambda z: torch.tanh(z @ weight), state=state)

    assert torch.autograd.gradcheck(value, (weight,), atol=1e-7)
    value(weight).backward()
    assert latents.grad is None


@pytest.mark.parametrize(("scale", "expected"), [(0.0, 1.0), (0.25, 0.75**2), (7.0, 0.0), (23.0, 9.0)])
def test_jacobian_clamp_of_a_generator_that_scales_its_latents(
    scale: float, expected: float, generator_value: Callable
) -> None:
    found = generator_value("jacobian_clamp", None, points(0), generator=lambda z: scale * z)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_jacobian_clamp_steps_by_sigma_in_a_random_direction(generator_value: Callable) -> None:
    latents, weight = points(0, 5, 3), points(2, 3, 8)
    eta = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    moved = latents.numpy() + 0.3 * eta / np.linalg.norm(eta, axis=1, keepdims=True)
    change = np.tanh(latents.numpy() @ weight.numpy()) - np.tanh(moved @ weight.numpy())
    quotient = np.linalg.norm(change, axis=1) / 0.3
    lower, upper = np.quantile(quotient, [0.3, 0.7])
    expected = (np.maximum(quotient - upper, 0) ** 2 + np.maximum(lower - quotient, 0) ** 2).mean()
    expression = f"jacobian_clamp(lower={float(lower)!r}, upper={float(upper)!r}, sigma=0.3)"
    found = generator_value(expression, None, latents, generator=lambda z: torch.tanh(z @ weight))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_jacobian_clamp_refuses_bounds_that_cross() -> None:
    with pytest.raises(ValueError, match="lower <= upper"):
        losses.get("bce_ns + jacobian_clamp(lower=5, upper=2)")


def test_gradients_of_the_clamp_match_finite_differences(generator_value: Callable) -> None:
    weight = points(2, 4, 6).requires_grad_()

    def value(weight: Tensor) -> Tensor:
        return generator_value(NAMES[1], None, points(1, 5), generator=lambda z: torch.tanh(z @ weight))

    assert value(weight) > 0.01
    assert torch.autograd.gradcheck(value, (weight,), atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_is_trained_and_the_discriminator_is_not(
    name: str, trained: Callable, smooth_critic: Callable, tiny_generator: Callable, latents: Tensor, images: Callable
) -> None:
    trained(name, smooth_critic(), tiny_generator(), latents, images(0))


@pytest.mark.parametrize("name", NAMES)
def test_a_collapsed_generator_gives_finite_values_and_gradients(name: str, generator_value: Callable) -> None:
    generator = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
    nn.init.zeros_(generator[0].weight)
    found = generator_value(name, None, points(0, dtype=torch.float32), generator=generator, state={})
    found.backward()
    assert found.isfinite()
    assert generator[0].weight.grad.isfinite().all()


def test_path_length_refuses_float16(generator_value: Callable) -> None:
    with pytest.raises(ValueError, match="float16"):
        generator_value("gp_pathlen", None, points(0, dtype=torch.float16), state={})
