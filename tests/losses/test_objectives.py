"""Every registered objective, by properties and, where a formula is written down here, by its closed form."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import losses

OBJECTIVES = losses.names("objective")
Array = np.ndarray

# Written from the papers with probabilities and numpy, so that a slip in the library's algebra cannot repeat here.
# a, b: real and fake logits; each formula gives (L_D, L_G).
sigmoid: Callable[[Array], Array] = lambda t: 1 / (1 + np.exp(-t))  # noqa: E731 - reads as mathematics
CLOSED_FORMS: dict[str, Callable[[Array, Array], tuple[float, float]]] = {
    "bce_ns": lambda a, b: (-np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean(), -np.log(sigmoid(b)).mean()),
    "bce_mm": lambda a, b: (-np.log(sigmoid(a)).mean() - np.log(1 - sigmoid(b)).mean(), np.log(1 - sigmoid(b)).mean()),
    "lsgan": lambda a, b: (((a - 1) ** 2).mean() / 2 + (b**2).mean() / 2, ((b - 1) ** 2).mean() / 2),
    "lsgan(a=-1, b=2, c=0.5)": lambda a, b: (
        ((a - 2) ** 2).mean() / 2 + ((b + 1) ** 2).mean() / 2,
        ((b - 0.5) ** 2).mean() / 2,
    ),
    "hinge": lambda a, b: (np.maximum(0, 1 - a).mean() + np.maximum(0, 1 + b).mean(), -b.mean()),
    "wasserstein": lambda a, b: (b.mean() - a.mean(), -b.mean()),
    "rp_bce": lambda a, b: (-np.log(sigmoid(a - b)).mean(), -np.log(sigmoid(b - a)).mean()),
}

# Value of L_D at a = b = 0, and the sum over the batch of dL_G/db at a = 3, b = -3 (section "scale and signal").
SCALE_AND_SIGNAL = {
    "bce_ns": (1.386294, -0.952574),
    "bce_mm": (1.386294, -0.047426),
    "lsgan": (0.5, -4.0),
    "hinge": (2.0, -1.0),
    "wasserstein": (0.0, -1.0),
    "rp_bce": (0.693147, -0.997527),
}

PAIRED = {"rp_bce"}
"""Objectives that read the i-th real with the i-th fake: only a joint permutation leaves them alone."""

PULLS_BACK = {"lsgan"}
"""Objectives whose discriminator has target values: past them, as at a = 3, it is pulled back."""


def objective(expression: str) -> losses.Objective:
    return losses.get(expression).objective


def logits(seed: int, batch: int = 8) -> Tensor:
    return 2 * torch.randn(batch, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gradients(name: str, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Return the derivatives dL_D/da, dL_D/db and dL_G/db."""
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    of_a, of_b = torch.autograd.grad(objective(name).discriminator(a, b), (a, b))
    (of_g,) = torch.autograd.grad(objective(name).generator(b, a.detach()), b)
    return {"dL_D/da": of_a, "dL_D/db": of_b, "dL_G/db": of_g}


@pytest.mark.parametrize("expression", CLOSED_FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_closed_form(expression: str, seed: int) -> None:
    a, b = logits(seed), logits(seed + 100)
    expected_d, expected_g = CLOSED_FORMS[expression](a.numpy(), b.numpy())
    # softplus switches to the identity at 20, which is 2e-9 away from the exact value.
    assert objective(expression).discriminator(a, b).item() == pytest.approx(expected_d, rel=1e-8, abs=1e-12)
    assert objective(expression).generator(b, a).item() == pytest.approx(expected_g, rel=1e-8, abs=1e-12)


def test_the_ten_methods_have_a_closed_form() -> None:
    assert {losses.get(name).objective.name for name in losses.names("method")} <= set(CLOSED_FORMS)


@pytest.mark.parametrize("name", SCALE_AND_SIGNAL)
def test_value_at_zero_and_signal_under_a_strong_discriminator(name: str) -> None:
    at_zero, signal = SCALE_AND_SIGNAL[name]
    zero = torch.zeros(8, dtype=torch.float64)
    assert objective(name).discriminator(zero, zero).item() == pytest.approx(at_zero, abs=1e-6)
    strong = gradients(name, torch.full_like(zero, 3.0), torch.full_like(zero, -3.0))
    assert strong["dL_G/db"].sum().item() == pytest.approx(signal, abs=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("a_and_b", [(0.0, 0.0), (3.0, -3.0)])
def test_signs(name: str, a_and_b: tuple[float, float]) -> None:
    a, b = (torch.full((8,), value, dtype=torch.float64) for value in a_and_b)
    found = gradients(name, a, b)
    if name not in PULLS_BACK or a_and_b == (0.0, 0.0):
        assert (found["dL_D/da"] <= 0).all()
        assert (found["dL_D/db"] >= 0).all()
    assert (found["dL_G/db"] <= 0).all()
    assert found["dL_G/db"].sum() < 0 or name == "bce_mm", "the generator is pushed somewhere"


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradcheck(name: str) -> None:
    a, b = logits(1).requires_grad_(), logits(2).requires_grad_()
    assert torch.autograd.gradcheck(objective(name).discriminator, (a, b))
    assert torch.autograd.gradcheck(lambda b: objective(name).generator(b, a.detach()), (b,))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("a_and_b", [(1e4, -1e4), (-1e4, 1e4), (1e4, 1e4), (-1e4, -1e4)])
def test_finite_at_huge_logits(name: str, dtype: torch.dtype, a_and_b: tuple[float, float]) -> None:
    a, b = (torch.full((4,), value, dtype=dtype) for value in a_and_b)
    assert objective(name).discriminator(a, b).isfinite()
    assert objective(name).generator(b, a).isfinite()
    for gradient in gradients(name, a, b).values():
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", ["bce_ns", "rp_bce"])
def test_confidently_wrong_discriminator_keeps_its_gradient(name: str) -> None:
    found = gradients(name, torch.full((1,), -1e4), torch.full((1,), 1e4))
    assert found["dL_D/da"].item() == pytest.approx(-1, abs=1e-6)
    assert found["dL_D/db"].item() == pytest.approx(1, abs=1e-6)
    assert gradients(name, torch.full((1,), 1e4), torch.full((1,), -1e4))["dL_G/db"].item() == pytest.approx(-1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_repeating_the_batch_changes_nothing(name: str) -> None:
    a, b = logits(3), logits(4)
    twice_a, twice_b = a.repeat(2), b.repeat(2)
    assert objective(name).discriminator(twice_a, twice_b).item() == pytest.approx(
        objective(name).discriminator(a, b).item(), rel=1e-12
    )
    assert objective(name).generator(twice_b, twice_a).item() == pytest.approx(
        objective(name).generator(b, a).item(), rel=1e-12
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_order_of_samples_does_not_count(name: str) -> None:
    a, b = logits(5), logits(6)
    shuffle = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    other = shuffle if name in PAIRED else torch.randperm(8, generator=torch.Generator().manual_seed(1))
    assert objective(name).discriminator(a[shuffle], b[other]).item() == pytest.approx(
        objective(name).discriminator(a, b).item(), rel=1e-12
    )
    assert objective(name).generator(b[other], a[shuffle]).item() == pytest.approx(
        objective(name).generator(b, a).item(), rel=1e-12
    )


@pytest.mark.parametrize("name", OBJECTIVES)
def test_real_logits_are_read_in_the_generator_exactly_where_declared(name: str) -> None:
    b = logits(7)
    if objective(name).needs_real_in_generator:
        with pytest.raises(ValueError, match=f"{name} compares with real images"):
            objective(name).generator(b)
    else:
        assert torch.equal(objective(name).generator(b), objective(name).generator(b, logits(8)))


def test_pairs_are_never_made_by_broadcasting() -> None:
    with pytest.raises(ValueError, match=r"equal shapes, got \(8,\) and \(1,\)"):
        objective("rp_bce").discriminator(logits(1), logits(2, batch=1))
    with pytest.raises(ValueError, match="rp_bce pairs real with fake"):
        objective("rp_bce").generator(logits(1), logits(2, batch=4))
