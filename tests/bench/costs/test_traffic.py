"""Operations and bytes, against counts by hand and torch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import losses
from bench.costs.paths import Paths
from bench.costs.traffic import count

FLOAT = 4


def test_a_product_and_its_gradients():
    left, right = torch.ones(3, 5, requires_grad=True), torch.ones(5, 7, requires_grad=True)
    product = 2 * 3 * 5 * 7
    assert count(lambda: left @ right)[0] == product
    assert count(lambda: torch.autograd.grad((left @ right).sum(), [left, right]))[0] == 3 * product


def test_a_convolution():
    images, weight = torch.ones(2, 3, 8, 8), torch.ones(5, 3, 3, 3)
    flops, moved = count(lambda: torch.nn.functional.conv2d(images, weight))
    assert flops == 2 * (2 * 5 * 6 * 6) * (3 * 3 * 3)
    assert moved == FLOAT * (images.numel() + weight.numel() + 2 * 5 * 6 * 6)


def test_every_operator_reads_and_writes_and_views_move_nothing():
    values = torch.ones(100)
    assert count(lambda: values.view(10, 10).t()) == (0, 0)
    assert count(lambda: torch.empty(100)) == (0, 0)
    assert count(lambda: values + values) == (0, 3 * 100 * FLOAT)
    assert count(lambda: values.mul_(1.0)) == (0, 2 * 100 * FLOAT)
    assert count(lambda: values.sum()) == (0, 101 * FLOAT)


@pytest.mark.parametrize("path", ["d_step", "g_step"])
def test_a_step_has_the_operations_that_torch_counts(path, small):
    call = Paths(losses.get("nsgan"), small, torch.device("cpu")).calls()[path]
    call.run(0)
    with FlopCounterMode(display=False) as expected:
        call.run(1)
    assert count(lambda: call.run(2))[0] == expected.get_total_flops() > 0


def test_a_double_backward_is_counted(small):
    plain, penalised = (
        count(lambda method=method: Paths(losses.get(method), small, torch.device("cpu")).d_step(0))[0]
        for method in ("nsgan", "bce_ns + r1")
    )
    assert 1.2 < penalised / plain < 2.0
