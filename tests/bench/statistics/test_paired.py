"""Holm against statsmodels, and the share of better runs against scipy and simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.statistics.blocks import block_intervals, block_means
from bench.statistics.paired import holm, win_values


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_holm_is_statsmodels(count):
    p = np.random.default_rng(count).random(count) ** 3
    p[: count // 4] = p[0] if count else 0.0  # ties
    expected = multipletests(p, method="holm")[1] if count else []
    assert holm(p) == pytest.approx(expected, abs=1e-15)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], abs=1e-15)
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([0.0, 1.0]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(p)


def test_the_mean_of_the_win_values_is_mann_whitneys_u():
    rng = np.random.default_rng(0)
    scores, reference = rng.integers(6, size=(3, 9)).astype(float), rng.integers(6, size=9).astype(float)
    expected = [stats.mannwhitneyu(own, reference).statistic / 81 for own in scores]
    assert win_values(scores, reference).mean(axis=1) == pytest.approx(expected, abs=1e-12)
    assert win_values(reference[None], scores[0]).mean() == pytest.approx(1 - expected[0], abs=1e-12)


def test_a_win_value_is_of_the_seeds_runs_of_both_methods():
    """Of nine pairs five are won. Seed 0 wins one of three, and its run of the reference loses to all three."""
    values = win_values(np.array([[1.0, 2.0, 3.0]]), np.array([0.0, 2.5, 2.6]))
    assert values == pytest.approx(np.array([[7, 1, 7]]) / 9, abs=1e-12)


def test_win_values_by_hand():
    # 2 beats both, 1 ties with one and beats the other: P = (2 + 1.5) / 4.
    values = win_values(np.array([[1.0, 2.0]]), np.array([1.0, 0.0]))
    assert values.tolist() == [[0.75 + 0.75 - 0.875, 1.0 + 1.0 - 0.875]]


def test_every_run_better_leaves_no_scatter_and_no_interval():
    low, high = block_intervals([win_values(np.arange(10.0)[None] + 100, np.arange(10.0))])
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize("pairing", [0.0, 0.5])
@pytest.mark.parametrize("seeds", [5, 10])
def test_the_interval_of_better_runs_covers_about_as_often_as_it_says(pairing, seeds):
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.5 / np.sqrt(2))  # of independent seeds, which all but one pair in n are
    covered = 0
    for _ in range(600):
        common = np.sqrt(pairing) * rng.normal(size=seeds)
        first, second = (common + np.sqrt(1 - pairing) * rng.normal(size=seeds) for _ in range(2))
        low, high = block_intervals([win_values(first[None] + 0.5, second)])
        covered += bool(low[0] <= truth <= high[0])
    assert 0.90 <= covered / 600 <= 0.985


def test_workloads_weigh_alike():
    wins = [win_values(np.ones((1, 3)), np.zeros(3)), win_values(np.zeros((1, 9)), np.ones(9))]
    assert block_means(wins).tolist() == [0.5]


@pytest.mark.parametrize(("first", "second"), [(np.ones((1, 2)), np.ones(3)), (np.ones((1, 0)), np.ones(0))])
def test_methods_of_other_seeds_are_refused(first, second):
    with pytest.raises(ValueError, match="same seeds"):
        win_values(first, second)
