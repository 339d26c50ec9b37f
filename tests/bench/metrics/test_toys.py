import math

import numpy as np
import pytest
import torch

from bench import data
from bench.data.mixtures import GRID, RING, draw
from bench.metrics import toys
from bench.metrics.registry import applicable
from bench.metrics.samples import PointSamples, RealPoints
from bench.metrics.toys import HIGH_QUALITY_CEILING


def sliced_w2(first, second):
    return toys.sliced_w2(toys.projections(first), toys.projections(second))


def sample(mixture, count, modes=None):
    modes = np.arange(count) % (modes or len(mixture.centres))
    return torch.from_numpy(draw(mixture, "test", modes))


def mixture_scores(points, mixture):
    workload = data.workload("ring8" if mixture is RING else "grid25")
    samples = PointSamples(points, RealPoints(workload, data.load(workload.name), torch.device("cpu"), len(points)))
    found = {each.about.name: each(samples) for each in applicable(workload, "measured")}
    found.pop("sliced_w2")
    return found


def test_the_ceiling_is_the_rayleigh_probability():
    assert pytest.approx(0.98889, abs=5e-6) == HIGH_QUALITY_CEILING


@pytest.mark.parametrize("mixture", [RING, GRID])
def test_real_points_find_every_mode_and_reach_the_ceiling(mixture):
    scores = mixture_scores(sample(mixture, 20_000), mixture)
    assert scores["modes"] == scores["modes_20"] == len(mixture.centres)
    assert scores["high_quality"] == pytest.approx(HIGH_QUALITY_CEILING, abs=0.003)
    assert scores["kl_uniform"] == pytest.approx(0.0, abs=1e-4)


def test_a_collapsed_sampler_is_seen():
    scores = mixture_scores(sample(GRID, 5000, modes=5), GRID)
    assert scores["modes"] == scores["modes_20"] == 5
    assert scores["kl_uniform"] == pytest.approx(math.log(5), abs=0.001)


def test_a_mode_with_a_few_strays_counts_for_one_threshold_only():
    points = torch.cat([sample(RING, 4000, modes=7), torch.tensor([RING.centres[7]]).repeat(20, 1)])
    scores = mixture_scores(points, RING)
    assert scores["modes"] == 8
    assert scores["modes_20"] == 7


def test_points_beyond_three_standard_deviations_count_for_nothing():
    centre = torch.tensor([RING.centres[0]])
    near, far = centre + torch.tensor([[0.0, 0.0299]]), centre + torch.tensor([[0.0, 0.0301]])
    assert mixture_scores(near, RING)["modes"] == 1
    scores = mixture_scores(far.repeat(5, 1), RING)
    assert scores == {"modes": 0, "modes_20": 0, "high_quality": 0, "kl_uniform": None}


def test_enormous_points_do_not_overflow():
    scores = mixture_scores(torch.full((4, 2), 1e30), GRID)
    assert scores["high_quality"] == 0


def test_shifted_points_are_their_shift_over_root_two_apart(rng):
    points = torch.randn(2000, 2, generator=rng)
    shift = torch.tensor([0.6, -0.8])
    assert sliced_w2(points + 3.0 * shift, points) == pytest.approx(3.0 / math.sqrt(2), rel=1e-5)
    assert sliced_w2(points, points) == pytest.approx(0.0, abs=1e-9)


def test_scaled_gaussians_have_a_closed_form(rng):
    # On every line W2 of N(0, a^2) and N(0, b^2) is |a - b|.
    found = sliced_w2(2.0 * torch.randn(40_000, 2, generator=rng), torch.randn(40_000, 2, generator=rng))
    assert found == pytest.approx(1.0, rel=0.02)


def test_sets_of_different_sizes_are_compared_exactly(rng):
    points = torch.randn(300, 2, generator=rng)
    others = torch.randn(200, 2, generator=rng)
    # Repeating every point alike changes no distribution.
    expected = sliced_w2(points.repeat(2, 1), others.repeat(3, 1))
    assert sliced_w2(points, others) == pytest.approx(expected, rel=1e-9)
    assert sliced_w2(others, points) == pytest.approx(expected, rel=1e-9)
    assert sliced_w2(points.repeat(5, 1), points) == pytest.approx(0.0, abs=1e-7)
