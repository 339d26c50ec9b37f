"""The scaled MMD against pairs in a double loop, on critics whose slope is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import losses


def brute_force(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased MMD^2 under exp(-(x - y)^2 / 2), one pair at a time."""

    def within(values: np.ndarray) -> float:
        pairs = [math.exp(-((x - y) ** 2) / 2) for i, x in enumerate(values) for j, y in enumerate(values) if i != j]
        return sum(pairs) / len(pairs)

    return within(a) + within(b) - 2 * np.mean([math.exp(-((x - y) ** 2) / 2) for x in a for y in b])


@pytest.mark.parametrize("sizes", [(8, 8), (7, 4)])
def test_mmd_gaussian_by_brute_force(sizes: tuple[int, int]) -> None:
    a, b = (torch.randn(n, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in sizes)
    b = b + 0.7
    game = losses.get("mmd_gaussian").objective
    expected = brute_force(a.numpy(), b.numpy())
    assert game.discriminator(a, b).item() == pytest.approx(-expected, rel=1e-10)
    assert game.generator(b, a).item() == pytest.approx(expected, rel=1e-10)
    assert torch.equal(game.critic(a, a, b), -a), "the reals lie below the fakes"
    assert torch.equal(game.critic(a, b, a), a), "the reals lie above"


@pytest.mark.parametrize("scale", [10.0, 0.3])
def test_together_they_are_the_mmd_divided_by_one_and_the_squared_slope(
    scale: float, images: Callable, linear_critic: Callable
) -> None:
    critic, real, fake = linear_critic(0.8), images(0), 0.4 + images(1)
    a, b = (critic(batch).detach().numpy() for batch in (real, fake))
    found = losses.get(f"mmd_gaussian + smmd(scale={scale})").discriminator_loss(critic, real, fake)
    assert found.total.item() == pytest.approx(-brute_force(a, b) / (1 + scale * 0.8**2), rel=1e-10)


def test_the_slope_is_that_at_the_reals_alone(images: Callable) -> None:
    """D(x) = |x|^2 / 10 has the slope |x| / 5, whose mean square the two batches do not share."""
    critic = lambda x: x.flatten(1).square().sum(1) / 10  # noqa: E731 - reads as mathematics
    real, fake = 0.5 * images(0), images(1)
    squared = (real.numpy() ** 2).sum(axis=(1, 2, 3)).mean() / 25
    assert squared != pytest.approx((fake.numpy() ** 2).sum(axis=(1, 2, 3)).mean() / 25, rel=0.5)
    found = losses.get("smmd-gan").discriminator_loss(critic, real, fake)
    expected = -brute_force(critic(real).numpy(), critic(fake).numpy()) / (1 + 10 * squared)
    assert found.total.item() == pytest.approx(expected, rel=1e-10)


def test_the_gradient_is_that_of_the_quotient(images: Callable, linear_critic: Callable) -> None:
    """A steeper critic gains distance and loses by the factor: central differences of the closed form."""
    real, fake = images(0), 0.4 + images(1)

    def value(slope: float) -> float:
        a, b = (linear_critic(slope)(batch).detach().numpy() for batch in (real, fake))
        return -brute_force(a, b) / (1 + 10 * slope**2)

    critic = linear_critic(0.3)
    losses.get("smmd-gan").discriminator_loss(critic, real, fake).total.backward()
    along = (critic.weight.grad * critic.weight).sum().item() / 0.3
    assert along == pytest.approx((value(0.3 + 1e-6) - value(0.3 - 1e-6)) / 2e-6, rel=1e-6)


def test_a_vector_head_is_refused(images: Callable) -> None:
    critic = lambda x: x.flatten(1)[:, :16]  # noqa: E731 - reads as mathematics
    with pytest.raises(ValueError, match="one logit a sample: got 16 outputs"):
        losses.get("mmd_rq + smmd").discriminator_loss(critic, images(0), images(1))
