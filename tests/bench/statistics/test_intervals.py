"""Intervals against closed forms and scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import clopper_pearson, median, median_with_failures, percentile_interval


@pytest.mark.parametrize(("failures", "runs"), [(0, 5), (0, 10), (1, 10), (5, 10), (10, 10), (3, 50)])
def test_clopper_pearson_is_scipys(failures, runs):
    expected = stats.binomtest(failures, runs).proportion_ci(0.95, "exact")
    assert clopper_pearson(failures, runs) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_clopper_pearson_of_no_failure_in_five_says_little():
    assert clopper_pearson(0, 5) == (0.0, pytest.approx(0.5218, abs=1e-4))


@pytest.mark.parametrize(("failures", "runs"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_clopper_pearson_refuses_what_is_no_count(failures, runs):
    with pytest.raises(ValueError, match="no binomial count"):
        clopper_pearson(failures, runs)


def test_the_percentile_interval_leaves_half_of_the_rest_on_each_side():
    """Of 0 to 1,000 the quantiles are the values themselves; the second column is twice as wide."""
    replicates = np.arange(1001.0)[:, None] * [1.0, 2.0]
    low, high = percentile_interval(replicates)
    assert low == pytest.approx([25.0, 50.0], abs=1e-9)
    assert high == pytest.approx([975.0, 1950.0], abs=1e-9)
    assert percentile_interval(replicates[:, 0], confidence=0.5) == pytest.approx((250.0, 750.0), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "with_failures", "of_the_finite"),
    [
        ([3.0, 1.0, 2.0], 2.0, 2.0),
        ([4.0, 1.0, 2.0, 3.0], 2.5, 2.5),
        ([1.0, 2.0, None], 2.0, 1.5),
        ([1.0, 2.0, 5.0, math.nan, math.inf], 5.0, 2.0),
        ([1.0, None], None, 1.0),
        ([None, math.nan], None, None),
        ([], None, None),
    ],
)
def test_a_missing_value_is_the_largest_for_one_median_and_nothing_for_the_other(values, with_failures, of_the_finite):
    assert median_with_failures(values) == with_failures
    assert median(values) == of_the_finite
