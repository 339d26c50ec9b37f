"""Intervals against closed forms, scipy and simulation."""

import time

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import bootstrap_iqm, clopper_pearson, iqm, percentile_interval, rank_intervals


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 10, 11, 40])
def test_iqm_is_scipys_trimmed_mean(count):
    values = np.random.default_rng(count).normal(size=(3, count))
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=-1), rel=1e-12)


def test_iqm_ignores_the_outer_quarters():
    assert iqm(np.array([-1e9, -1e9, 1.0, 2.0, 3.0, 4.0, 1e9, 1e9])) == 2.5


def test_iqm_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        iqm(np.empty((2, 0)))


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


def test_the_bootstrap_is_reproducible_and_seeded():
    strata = [np.random.default_rng(0).random((3, 5))]
    first = bootstrap_iqm(strata, resamples=500, seed=1)
    assert np.array_equal(first, bootstrap_iqm(strata, resamples=500, seed=1))
    assert not np.array_equal(first, bootstrap_iqm(strata, resamples=500, seed=2))


def test_seeds_are_resampled_jointly_across_methods():
    # The second method is the first plus a constant, seed by seed: paired resampling keeps their difference exact.
    first = np.random.default_rng(0).random((1, 6))
    replicates = bootstrap_iqm([np.concatenate([first, first + 0.25])], resamples=300)
    assert replicates[:, 1] - replicates[:, 0] == pytest.approx(0.25, abs=1e-12)
    assert replicates[:, 0].std() > 0.01


def test_strata_keep_their_sizes():
    # A workload of ones and one of zeros: however seeds are drawn, half of each replicate is ones.
    replicates = bootstrap_iqm([np.ones((1, 4)), np.zeros((1, 4))], resamples=200)
    assert replicates == pytest.approx(0.5, abs=1e-12)


def test_strata_are_resampled_independently():
    # Opposite values: with the same draw in both workloads every replicate would be symmetric, and its mean 0.
    values = np.arange(6.0)[None] - 2.5
    assert bootstrap_iqm([values, -values], resamples=400).std() > 0.1


def test_chunks_do_not_show():
    strata = [np.random.default_rng(0).random((40, 30))]
    replicates = bootstrap_iqm(strata, resamples=2500)  # more than one chunk at this size
    assert replicates.shape == (2500, 40)
    assert np.isfinite(replicates).all()
    assert replicates.mean(axis=0) == pytest.approx(iqm(strata[0]), abs=0.03)


@pytest.mark.parametrize("draw", ["normal", "exponential"])
def test_the_interval_at_ten_seeds_covers_as_often_as_it_says(draw):
    # 10 seeds x 4 workloads. The truth is the trimmed mean of the distribution, from a large sample.
    rng = np.random.default_rng(0)
    truth = float(iqm(getattr(rng, draw)(size=(1, 400_000)))[0])
    covered = 0
    for trial in range(1000):
        strata = [getattr(rng, draw)(size=(1, 10)) for _ in range(4)]
        low, high = percentile_interval(bootstrap_iqm(strata, resamples=400, seed=trial))
        covered += bool(low[0] <= truth <= high[0])
    assert 0.91 <= covered / 1000 <= 0.98


def test_three_seeds_cover_too_little():
    # Why fewer than ten seeds are called provisional: nominal 95 % of one workload and three seeds is about 75 %.
    rng = np.random.default_rng(0)
    intervals = [
        percentile_interval(bootstrap_iqm([rng.normal(size=(1, 3))], resamples=400, seed=trial)) for trial in range(600)
    ]
    covered = np.mean([low[0] <= 0.0 <= high[0] for low, high in intervals])
    assert 0.68 <= covered <= 0.82


def test_fifty_thousand_resamples_take_seconds():
    strata = [np.random.default_rng(place).random((20, 10)) for place in range(5)]
    started = time.process_time()
    rank_intervals(bootstrap_iqm(strata))
    assert time.process_time() - started < 5.0  # 1.2 s on an idle core


def test_rank_intervals_of_separate_methods_are_single_ranks():
    replicates = np.array([[0.9, 0.5, 0.1]]) + np.random.default_rng(0).normal(scale=0.01, size=(500, 3))
    low, high = rank_intervals(replicates)
    assert low.tolist() == high.tolist() == [1, 2, 3]


def test_rank_intervals_of_equal_methods_span_their_tie():
    replicates = np.tile([0.9, 0.2, 0.2], (100, 1))
    low, high = rank_intervals(replicates)
    assert low.tolist() == [1, 2, 2]
    assert high.tolist() == [1, 3, 3]


def test_rank_intervals_of_methods_that_swap_overlap():
    rng = np.random.default_rng(0)
    replicates = np.column_stack([rng.normal(0.5, 0.1, 2000), rng.normal(0.5, 0.1, 2000)])
    low, high = rank_intervals(replicates)
    assert low.tolist() == [1, 1]
    assert high.tolist() == [2, 2]
