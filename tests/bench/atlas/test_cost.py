"""Costs are counted while a phase runs; these are the counts by hand."""

import pytest
import torch

import losses
from bench.atlas.cost import Cost, added, count
from losses.registry import part

BY_HAND = {
    # (D forwards, double backwards, G forwards) of the discriminator's phase, and of the generator's
    "nsgan": ((2, 0, 1), (1, 0, 1)),
    "wgan-gp": ((3, 1, 1), (1, 0, 1)),
    "nsgan-r1": ((2, 1, 1), (1, 0, 1)),
    "r3gan": ((2, 2, 1), (2, 0, 1)),
    "jsr-gan": ((2, 2, 1), (1, 0, 1)),
    "nsgan-ar1": ((3, 0, 1), (1, 0, 1)),
    "cr-gan": ((3, 0, 1), (1, 0, 1)),
    "bcr-gan": ((4, 0, 1), (1, 0, 1)),
    "zcr-gan": ((3, 0, 2), (1, 0, 2)),
    "ct-gan": ((5, 1, 1), (1, 0, 1)),
    "gn-gan": ((2, 2, 1), (1, 1, 1)),
    "wgan-alp": ((6, 0, 1), (1, 0, 1)),
    "msgan": ((2, 0, 1), (1, 0, 2)),
    "coral-gan": ((2, 0, 1), (2, 0, 1)),
    "path-length": ((2, 1, 1), (1, 1, 2)),
    "mmd-gan-rq": ((3, 1, 1), (2, 0, 1)),
    "pacgan2": ((2, 0, 1), (1, 0, 1)),
    "gfmn-random": ((2, 0, 1), (1, 0, 1)),
}


@pytest.mark.parametrize("name", list(BY_HAND))
def test_the_passes_of_a_method_are_those_counted_by_hand(name):
    found = tuple((phase.d_forwards, phase.double_backwards, phase.g_forwards) for phase in count(losses.get(name)))
    assert found == BY_HAND[name]


def test_a_gradient_that_only_points_a_direction_is_no_double_backward():
    assert count(losses.get("wgan-alp"))[0].gradients == 1
    assert count(losses.get("wgan-gp"))[0].gradients == 0


def test_a_part_is_charged_for_what_it_adds():
    assert added(part("gp1")()) == (Cost(1, 1, 0), Cost(0, 0, 0))
    assert added(part("zcr_g")()) == (Cost(0, 0, 0), Cost(0, 0, 1))
    assert added(part("pack")()) == (Cost(0, 0, 0), Cost(0, 0, 0))


def test_two_costs_of_one_method_add_up():
    both = count(losses.get("bce_ns + gp1 + r1 + msgan"))
    assert both == (Cost(3, 2, 1), Cost(1, 0, 2))


def test_counting_leaves_torch_as_it_was():
    before, drawn = torch.autograd.grad, torch.get_rng_state()
    count(losses.get("hinge + r1(gamma=2) + spectral_norm"))
    assert torch.autograd.grad is before
    assert torch.equal(torch.get_rng_state(), drawn)


def test_a_cost_reads_as_words():
    assert str(Cost(2, 1, 1)) == "2 D forwards, 1 double backward, 1 G forward"
    assert str(Cost(6, 0, 0, 2)) == "6 D forwards, 2 input gradients that are not differentiated again"
    assert not str(Cost(0, 0, 0))
    assert Cost(3, 1, 1).compact == "3 / 1 / 1"
