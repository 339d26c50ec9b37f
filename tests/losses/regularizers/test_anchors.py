"""Drift, LeCam and the two Lagrangians, whose memory is followed over several steps by a simulation in numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import losses


def identity(x: Tensor) -> Tensor:
    return x[:, 0]


def run(expression: str, steps: list[tuple[Tensor, Tensor]], first: int = 0) -> tuple[list[losses.LossPart], dict]:
    """Return the term at each of the steps; the critic is the identity, so the batches are the logits."""
    method, state = losses.get(f"wasserstein + {expression}"), {}
    name = method.regularizers[0].name
    found = [
        method.discriminator_loss(identity, real[:, None], fake[:, None], step=first + t, state=state)[name]
        for t, (real, fake) in enumerate(steps)
    ]
    return found, state.get(name, {})


@pytest.fixture
def steps() -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(2)
    return [
        (
            1 + torch.randn(5, generator=rng, dtype=torch.float64) * 2,
            -1 + torch.randn(5, generator=rng, dtype=torch.float64),
        )
        for _ in range(6)
    ]


def test_drift_is_the_mean_square_of_the_real_logits(steps: list) -> None:
    real, fake = torch.tensor([3.0, -4.0]), torch.tensor([100.0, 100.0])
    found = run("drift", [(real, fake)])[0][0]
    assert found.value.item() == pytest.approx(12.5, rel=1e-6)
    assert found.weighted.item() == pytest.approx(0.0125, rel=1e-6)


def test_lecam_follows_weighted_means_of_all_batches_so_far(steps: list) -> None:
    decay, start = 0.8, 2
    found, state = run(f"lecam(decay={decay}, start={start})", steps)
    for t in range(len(steps)):
        weights = np.array([decay ** (t - age) for age in range(t + 1)])
        real_mean, fake_mean = (
            np.average([step[side].numpy().mean() for step in steps[: t + 1]], weights=weights) for side in (0, 1)
        )
        a, b = (side.numpy() for side in steps[t])
        value = (np.maximum(a - fake_mean, 0) ** 2).mean() + (np.maximum(real_mean - b, 0) ** 2).mean()
        assert found[t].value.item() == pytest.approx(value if t >= start else 0.0, rel=1e-9)
        assert found[t].weighted.item() == pytest.approx(0.3 * found[t].value.item(), rel=1e-9)
    assert not any(tensor.requires_grad for tensor in state.values())


def test_lecam_holds_its_means_constant_in_the_gradient() -> None:
    real = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
    fake = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    method = losses.get("wasserstein + lecam(start=0)")
    method.discriminator_loss(lambda x: scale * x[:, 0], real, fake, state={})["lecam"].value.backward()
    # Means 1 and 0: 1/2 * (2 s - 0)^2 from the reals, 1/2 * ((1 + s)^2 + relu(1 - s)^2) from the fakes, at s = 1.
    assert scale.grad.item() == pytest.approx(4.0 + 2.0, rel=1e-12)


def test_lecam_has_the_relu_of_the_code_and_not_the_square_of_the_paper() -> None:
    real, fake = torch.full((3,), -2.0), torch.full((3,), 5.0)
    assert run("lecam(start=0)", [(real, fake)])[0][0].value.item() == 0


def test_a_lazy_lecam_collects_on_its_own_steps_only(steps: list) -> None:
    method, state = losses.get("wasserstein + lecam(start=0, decay=0.5, every=2)"), {}
    for t, (real, fake) in enumerate(steps[:3]):
        found = method.discriminator_loss(identity, real[:, None], fake[:, None], step=t, state=state)
        assert ("lecam" in found) == (t % 2 == 0)
    alone = run("lecam(start=0, decay=0.5)", [steps[0], steps[2]])[0][1].value.item()
    assert found["lecam"].value.item() == pytest.approx(alone, rel=1e-12)
    assert found["lecam"].weighted.item() == pytest.approx(0.6 * alone, rel=1e-12)


def test_fisher_moves_its_multiplier_after_the_value(steps: list) -> None:
    rho, alpha = 0.03, 0.0
    found, state = run(f"fisher(rho={rho})", steps)
    for part, (real, fake) in zip(found, steps, strict=True):
        omega = ((real.numpy() ** 2).mean() + (fake.numpy() ** 2).mean()) / 2
        value = -alpha * (1 - omega) + rho / 2 * (omega - 1) ** 2
        assert part.value.item() == pytest.approx(value, rel=1e-9)
        assert part.weighted.item() == pytest.approx(value, rel=1e-9)
        alpha -= rho * (1 - omega)
    assert abs(alpha) > 0.1
    assert state["alpha"].item() == pytest.approx(alpha, rel=1e-9)


def test_fishers_gradient_uses_the_multiplier_of_the_value() -> None:
    """A critic too small gets a push to grow, in proportion to the multiplier of before the step."""
    scale = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    batch = torch.full((2, 1), 0.5, dtype=torch.float64)
    state = {"fisher": {"alpha": torch.tensor(-3.0, dtype=torch.float64)}}
    method = losses.get("wasserstein + fisher(rho=2)")
    found = method.discriminator_loss(lambda x: scale * x[:, 0], batch, batch, state=state)["fisher"].value
    found.backward()
    # Omega = s^2/4; 3 (1 - Omega) + (Omega - 1)^2, whose derivative by Omega is -3 - 3/2 at 1/4, and Omega' = 1/2.
    assert found.item() == pytest.approx(3 * 0.75 + 0.75**2, rel=1e-12)
    assert scale.grad.item() == pytest.approx(-4.5 * 0.5, rel=1e-12)
    assert state["fisher"]["alpha"].item() == pytest.approx(-3 - 2 * 0.75, rel=1e-12)


def test_sobolev_moves_its_multiplier_by_the_slopes(images: Callable, linear_critic: Callable) -> None:
    rho, alpha, state = 0.1, 0.0, {}
    method = losses.get(f"wasserstein + sobolev(rho={rho})")
    for slope in (2.0, 0.5, 3.0):
        found = method.discriminator_loss(linear_critic(slope), images(0), images(1), state=state)["sobolev"].value
        omega = slope**2
        assert found.item() == pytest.approx(-alpha * (1 - omega) + rho / 2 * (1 - omega) ** 2, rel=1e-9)
        alpha -= rho * (1 - omega)
    assert state["sobolev"]["alpha"].item() == pytest.approx(alpha, rel=1e-9)


@pytest.mark.parametrize("expression", ["lecam(start=0)", "fisher", "sobolev"])
def test_state_is_asked_for(expression: str, images: Callable, linear_critic: Callable) -> None:
    with pytest.raises(ValueError, match=r"remembers something between steps: pass state=\{\}"):
        losses.get(f"wasserstein + {expression}").discriminator_loss(linear_critic(1.0), images(0), images(1))


@pytest.mark.parametrize("expression", ["drift", "lecam(start=0)", "lecam", "fisher"])
@pytest.mark.parametrize(("a", "b"), [(1e4, -1e4), (-1e4, 1e4), (1e4, 1e4)])
def test_huge_logits_stay_finite(expression: str, a: float, b: float) -> None:
    real, fake = torch.full((3, 1), a), torch.full((3, 1), b)
    scale = torch.ones((), requires_grad=True)
    method, state = losses.get(f"wasserstein + {expression}"), {}
    for step in range(2):
        found = method.discriminator_loss(lambda x: scale * x[:, 0], real, fake, step=step, state=state)
        found.total.backward()
        assert found.total.isfinite()
    assert scale.grad.isfinite()
