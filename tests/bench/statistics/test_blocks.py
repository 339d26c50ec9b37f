"""Means of means and their intervals: scipy where there is one workload, a closed form where there are two."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics.blocks import block_intervals, block_means


def test_workloads_weigh_alike_whatever_their_seeds():
    blocks = [np.array([[1.0, 0.0, 0.5]]), np.array([[0.1]])]
    assert block_means(blocks) == pytest.approx([0.3])


def test_nothing_is_trimmed():
    failed = np.array([[0.8] * 9 + [0.0]])
    assert block_means([failed]) == pytest.approx([0.72])


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_of_one_workload_it_is_the_interval_of_a_mean(count):
    values = 0.5 + 0.02 * np.random.default_rng(count).normal(size=count)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    low, high = block_intervals([values[None]])
    assert (low[0], high[0]) == pytest.approx((max(0, expected.low), min(1, expected.high)), rel=1e-9)


def test_of_two_workloads_it_is_welchs_interval():
    rng = np.random.default_rng(0)
    first, second = 0.5 + 0.02 * rng.normal(size=7), 0.4 + 0.1 * rng.normal(size=5)
    # The sum of two means is the difference of one and the other's negative.
    expected = stats.ttest_ind(first, -second, equal_var=False).confidence_interval(0.95)
    low, high = block_intervals([first[None], second[None]])
    assert (low[0], high[0]) == pytest.approx((expected.low / 2, expected.high / 2), rel=1e-9)


def test_a_workload_without_scatter_leaves_the_others_their_freedom():
    scattered = np.array([[0.2, 0.3, 0.25]])
    low, high = block_intervals([scattered, np.zeros((1, 10))])
    alone_low, alone_high = block_intervals([scattered])
    assert high[0] - low[0] == pytest.approx((alone_high[0] - alone_low[0]) / 2, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_equal_runs_have_no_interval(value):
    low, high = block_intervals([np.full((1, 7), value)] * 3)
    assert np.isnan([low[0], high[0]]).all()


def test_intervals_stay_among_scores():
    low, high = block_intervals([np.array([[0.0, 0.9]])])
    assert (low[0], high[0]) == (0.0, 1.0)


def test_a_single_seed_is_refused():
    with pytest.raises(ValueError, match="at least two seeds"):
        block_intervals([np.ones((2, 5)), np.ones((2, 1))])
