"""Paired comparisons against scipy, statsmodels, closed forms and simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.statistics.paired import (
    holm,
    improvement_interval,
    improvement_intervals,
    paired_permutation,
    paired_permutations,
    probability_of_improvement,
)


def scipys_sign_flip(differences):
    test = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    return test.pvalue


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_one_workload_is_scipys_exact_sign_flip_test(count):
    differences = np.random.default_rng(count).normal(0.4, 1.0, count)
    assert paired_permutation([differences]) == pytest.approx(scipys_sign_flip(differences), abs=1e-12)


def test_workloads_weigh_alike_whatever_their_seeds():
    first, second = np.array([1.0, 2.0, -0.5]), np.array([0.25, 0.5])
    statistics = [
        abs(np.mean(first * signs[:3]) + np.mean(second * signs[3:])) for signs in itertools.product([1, -1], repeat=5)
    ]
    expected = np.mean(np.array(statistics) >= statistics[0] - 1e-12)
    assert paired_permutation([first, second]) == pytest.approx(expected, abs=1e-12)


def test_the_smallest_p_of_ten_equal_signs():
    assert paired_permutation([np.full(10, 0.3)]) == pytest.approx(2 / 2**10, abs=1e-12)


def test_pairs_that_are_equal_say_nothing():
    some = np.array([0.3, 0.1, 0.2, -0.05])
    assert paired_permutation([np.zeros(8)]) == 1.0
    # Thirty zeros change the mean of a workload by a factor, and no comparison of two sign patterns.
    assert paired_permutation([np.concatenate([some, np.zeros(30)])]) == paired_permutation([some])


def test_drawn_patterns_agree_with_all_patterns():
    differences = np.random.default_rng(2).normal(0.5, 1.0, 17)
    exact = scipys_sign_flip(differences)
    drawn = paired_permutation([differences])
    assert 0.02 < exact < 0.5
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 100_000))


def test_drawn_p_is_seeded_and_never_zero():
    far = [np.full(10, 1.0), np.full(10, 0.5)]
    assert paired_permutation(far, resamples=999) == 1 / 1000
    near = [np.random.default_rng(0).normal(0.2, 1.0, 40)]
    assert paired_permutation(near, seed=1) == paired_permutation(near, seed=1)
    assert paired_permutation(near, seed=1) != paired_permutation(near, seed=2)


def test_chunks_of_patterns_do_not_show(monkeypatch):
    differences = [np.random.default_rng(0).normal(0.2, 1.0, 40)]
    whole = paired_permutation(differences, resamples=5000)
    monkeypatch.setattr("bench.statistics.paired._CHUNK_VALUES", 40 * 1000)
    assert paired_permutation(differences, resamples=5000) == whole


def test_several_methods_share_their_draws_and_change_nothing():
    rng = np.random.default_rng(0)
    families = [[rng.normal(0.3, 1.0, 12), rng.normal(0.3, 1.0, 9)] for _ in range(3)]
    families.append([np.concatenate([[0.1], np.zeros(11)]), np.zeros(9)])  # one that is tried exactly among them
    alone = [paired_permutation(each, resamples=2000) for each in families]
    assert paired_permutations(families, resamples=2000) == alone
    assert alone[-1] == 1.0


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-12, 1e9])
def test_the_test_is_two_sided_and_knows_no_unit(scale):
    differences = np.random.default_rng(1).normal(0.5, 1.0, 12)
    assert paired_permutation([scale * differences]) == paired_permutation([differences])


def test_without_an_effect_p_is_at_most_alpha_about_as_often_as_alpha():
    rng = np.random.default_rng(0)
    p = np.array([paired_permutation([rng.normal(size=5), rng.normal(size=5)]) for _ in range(600)])
    assert 0.03 <= np.mean(p <= 0.05) <= 0.075
    assert 0.45 <= np.mean(p <= 0.5) <= 0.55


@pytest.mark.parametrize("differences", [[], [np.array([])], [np.ones(3), np.array([])], [np.array([1.0, np.nan])]])
def test_what_cannot_be_tested_is_refused(differences):
    with pytest.raises(ValueError, match="a paired test needs"):
        paired_permutation(differences)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_holm_is_statsmodels(count):
    p = np.random.default_rng(count).random(count) ** 3
    p[: count // 4] = p[0] if count else 0.0  # ties
    expected = multipletests(p, method="holm")[1] if count else []
    assert holm(p) == pytest.approx(expected, abs=1e-15)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06], abs=1e-15)
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")]])
def test_holm_refuses_what_is_no_p_value(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(p)


def test_probability_of_improvement_is_mann_whitneys_u():
    rng = np.random.default_rng(0)
    first = [rng.integers(6, size=7).astype(float), rng.integers(6, size=4).astype(float)]
    second = [rng.integers(6, size=5).astype(float), rng.integers(6, size=9).astype(float)]
    expected = np.mean(
        [stats.mannwhitneyu(x, y).statistic / (len(x) * len(y)) for x, y in zip(first, second, strict=True)]
    )
    assert probability_of_improvement(first, second) == pytest.approx(expected, abs=1e-12)
    assert probability_of_improvement(second, first) == pytest.approx(1 - expected, abs=1e-12)


def test_probability_of_improvement_by_hand():
    assert probability_of_improvement([np.array([1.0, 2.0])], [np.array([1.0, 0.0])]) == 0.875
    assert probability_of_improvement([np.ones(3)], [np.ones(3)]) == 0.5


def test_the_interval_is_the_percentiles_of_jointly_drawn_seeds():
    rng = np.random.default_rng(0)
    first, second = [rng.normal(0.3, 1, 8), rng.normal(0.3, 1, 6)], [rng.normal(0, 1, 8), rng.normal(0, 1, 6)]

    def drawn_share(x, y):
        picks = rng.integers(len(x), size=len(x))
        pairs = [(x[i] > y[i]) for i in picks]
        strangers = [(x[i] > y[j]) for i in picks for j in picks if i != j]
        return np.mean(pairs) / len(x) + (1 - 1 / len(x)) * np.mean(strangers or pairs)

    drawn = [np.mean([drawn_share(x, y) for x, y in zip(first, second, strict=True)]) for _ in range(3000)]
    expected = np.percentile(drawn, [2.5, 97.5])
    assert improvement_interval(first, second) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("pairing", [0.0, 0.9])
def test_the_interval_covers_about_as_often_as_it_says(pairing):
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(0.5 / np.sqrt(2))  # of independent seeds, which all but one pair in n are
    covered = 0
    for trial in range(200):
        common = np.sqrt(pairing) * rng.normal(size=20)
        first, second = (common + np.sqrt(1 - pairing) * rng.normal(size=20) for _ in range(2))
        low, high = improvement_interval([first + 0.5], [second], resamples=400, seed=trial)
        covered += low <= truth <= high
    assert 0.87 <= covered / 200 <= 0.99


def test_intervals_of_several_methods_share_their_draws():
    rng = np.random.default_rng(0)
    methods, reference = [[rng.normal(size=6), rng.normal(size=4)] for _ in range(3)], [np.zeros(6), np.zeros(4)]
    expected = [improvement_interval(method, reference, resamples=500) for method in methods]
    assert improvement_intervals(methods, reference, resamples=500) == expected


def test_the_interval_is_seeded_and_clear_where_every_run_is_better():
    first, second = [np.arange(10.0) + 100], [np.arange(10.0)]
    assert improvement_interval(first, second) == (1.0, 1.0)
    noisy = [np.random.default_rng(0).normal(size=10)]
    assert improvement_interval(noisy, second, seed=1) == improvement_interval(noisy, second, seed=1)
    low, high = improvement_interval([second[0] + 0.5], second)
    assert low <= probability_of_improvement([second[0] + 0.5], second) <= high


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ([], [], "same workloads"),
        ([np.ones(2)], [np.ones(2)] * 2, "same workloads"),
        ([np.array([])], [np.array([])], "without runs"),
        ([np.ones(2)], [np.ones(3)], "same seeds"),
    ],
)
def test_methods_that_cannot_be_compared_are_refused(first, second, words):
    with pytest.raises(ValueError, match=words):
        improvement_interval(first, second)
