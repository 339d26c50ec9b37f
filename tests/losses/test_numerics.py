"""What the shared pieces are where the parts that use them do not tell: at one dimension, and where nothing varies."""

import pytest
import torch

from losses.numerics import check_pairs, deviation, norms, squared_norms, unit


def test_the_norm_of_a_sample_that_is_one_number_is_its_size() -> None:
    g = torch.tensor([3.0, -0.5, 0.0], requires_grad=True)
    assert squared_norms(g).tolist() == [9.0, 0.25, 0.0]
    assert norms(g).tolist() == [3.0, 0.5, 0.0]
    (slope,) = torch.autograd.grad(norms(g).sum(), g)
    assert slope.tolist() == [1.0, -1.0, 0.0]


@pytest.mark.parametrize("shape", [(6, 1, 5, 4), (6, 3, 1, 1), (6, 3), (1, 3, 5, 4), (5, 3, 5, 4)])
def test_samples_that_broadcasting_would_pair_are_no_pairs(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"made pairs real with fake: expected equal shapes, got \(6, 3, 5, 4\) and"):
        check_pairs("made", torch.zeros(6, 3, 5, 4), torch.zeros(shape))
    check_pairs("made", torch.zeros(6, 3, 5, 4), torch.ones(6, 3, 5, 4))


@pytest.mark.parametrize(("spread", "expected"), [(0.0, 1e-4), (1e-4, 2**0.5 * 1e-4), (1.0, (1 + 1e-8) ** 0.5)])
def test_a_deviation_has_a_hundred_millionth_added_to_its_variance(spread: float, expected: float) -> None:
    x = torch.tensor([[5 - spread], [5 + spread]], dtype=torch.float64, requires_grad=True)
    assert deviation(x, 0).item() == pytest.approx(expected, rel=1e-9)
    (slope,) = torch.autograd.grad(deviation(x, 0).sum(), x)
    assert slope[:, 0].tolist() == pytest.approx([-spread / expected / 2, spread / expected / 2], rel=1e-9)


@pytest.mark.parametrize(("length", "expected"), [(0.0, 0.0), (1e-4, 0.5**0.5), (2.0, 1.0)])
def test_a_row_of_unit_length_is_shorter_where_there_is_hardly_a_row(length: float, expected: float) -> None:
    row = length * torch.tensor([[0.6, -0.8]], dtype=torch.float64)
    assert unit(row).norm().item() == pytest.approx(expected, rel=1e-8)
