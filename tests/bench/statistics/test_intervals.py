"""Intervals against closed forms and scipy."""

import pytest
from scipy import stats

from bench.statistics.intervals import clopper_pearson


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
