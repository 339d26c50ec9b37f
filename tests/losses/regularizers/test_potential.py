"""The Coulomb potential by double loops, and the discriminator that has learned it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import losses


def potential(x: np.ndarray, real: np.ndarray, fake: np.ndarray, power: float, epsilon: float) -> float:
    def felt(charges: np.ndarray) -> float:
        return sum((((x - each) ** 2).sum() + epsilon**2) ** -power for each in charges) / len(charges)

    return felt(real) - felt(fake)


def loss(critic: Callable, expression: str, real: Tensor, fake: Tensor) -> losses.LossParts:
    return losses.get(f"loss_sensitive + {expression}").discriminator_loss(critic, real, fake)


@pytest.mark.parametrize(
    ("expression", "power", "epsilon"),
    [("coulomb", 0.5, 1.0), ("coulomb(dimension=5, epsilon=0.3)", 1.5, 0.3)],
)
@pytest.mark.parametrize("fakes", [6, 4])
def test_coulomb_is_the_squared_error_of_the_potential(
    expression: str, power: float, epsilon: float, fakes: int, images: Callable, smooth_critic: Callable
) -> None:
    real, fake, critic = images(0), 0.5 * images(1, fakes), smooth_critic()
    errors = []
    for batch in (real, fake):
        flat = [each.numpy().reshape(len(each), -1) for each in (batch, real, fake)]
        field = np.array([potential(x, flat[1], flat[2], power, epsilon) for x in flat[0]])
        errors.append(((critic(batch).detach().numpy().ravel() - field) ** 2).mean())
    found = loss(critic, expression, real, fake)
    assert found["coulomb"].value.item() == pytest.approx(sum(errors), rel=1e-12)
    assert found.total.item() == pytest.approx(sum(errors), rel=1e-12), "the objective adds nothing of its own"


def test_two_charges_by_hand() -> None:
    """At distance 3 the kernel is 1/sqrt(9 + 1); at its own charge an image feels 1."""
    real, fake = torch.tensor([[0.0]], dtype=torch.float64), torch.tensor([[3.0]], dtype=torch.float64)
    far = 1 / np.sqrt(10)
    found = loss(lambda x: 0 * x, "coulomb(weight=2)", real, fake)["coulomb"]
    assert found.value.item() == pytest.approx(2 * (1 - far) ** 2, rel=1e-12)
    assert found.weighted.item() == pytest.approx(4 * (1 - far) ** 2, rel=1e-12)
    learned = loss(lambda x: (1 - far) * (1 - 2 * x / 3), "coulomb", real, fake)["coulomb"]
    assert learned.value.item() == pytest.approx(0, abs=1e-24)


def test_no_gradient_goes_through_the_potential() -> None:
    """What is learned is a constant: the slope by a shift of the critic is twice the sum of the two mean errors."""
    real, fake = (torch.randn(5, 3, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (0, 1))
    shift = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    found = loss(lambda x: shift + 0 * x.sum(1), "coulomb", real, fake)
    found.total.backward()
    fields = [
        np.mean([potential(x, real.numpy(), fake.numpy(), 0.5, 1) for x in batch.numpy()]) for batch in (real, fake)
    ]
    assert shift.grad.item() == pytest.approx(2 * sum(0.4 - field for field in fields), rel=1e-12)


def test_the_generator_climbs() -> None:
    method = losses.get("coulomb-gan")
    fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    found = method.generator_loss(lambda x: x.sum(1), lambda z: z, fake)
    assert found.total.item() == pytest.approx(-5, rel=1e-14)


def test_a_packed_input_has_no_potential_of_its_own() -> None:
    with pytest.raises(ValueError, match="coulomb needs the logit of each image"):
        losses.get("loss_sensitive + coulomb + pack(size=2)")
