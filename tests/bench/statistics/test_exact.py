"""The exact tests against enumeration, against scipy, and against tables."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.exact import (
    fisher,
    fisher_least,
    mann_whitney,
    mann_whitney_least,
    signed_rank,
    signed_rank_least,
)


def enumerated_mann_whitney(base, new):
    """The share of all ways to deal out the midranks that give `new` at least its sum."""
    ranks = stats.rankdata([*base, *new])
    seen = ranks[len(base) :].sum()
    ways = [sum(chosen) for chosen in itertools.combinations(ranks, len(new))]
    return np.mean([way >= seen - 1e-9 for way in ways])


@pytest.mark.parametrize("seed", range(6))
def test_mann_whitney_is_the_share_of_all_ways_to_deal_out_the_ranks(seed):
    rng = np.random.default_rng(seed)
    base, new = rng.integers(0, 6, 5).tolist(), rng.integers(1, 7, 4).tolist()  # many ties
    assert mann_whitney(base, new) == pytest.approx(enumerated_mann_whitney(base, new), abs=1e-12)


def test_mann_whitney_without_ties_is_scipys_exact_one():
    rng = np.random.default_rng(1)
    base, new = rng.normal(size=12), rng.normal(0.7, size=9)
    expected = stats.mannwhitneyu(new, base, alternative="greater", method="exact").pvalue
    assert mann_whitney(list(base), list(new)) == pytest.approx(expected, rel=1e-10)


def test_mann_whitney_of_many_values_is_the_normal_approximation():
    rng = np.random.default_rng(2)
    base, new = np.round(rng.normal(size=300), 1), np.round(rng.normal(0.2, size=200), 1)
    expected = stats.mannwhitneyu(new, base, alternative="greater", method="asymptotic").pvalue
    assert mann_whitney(list(base), list(new)) == pytest.approx(expected, rel=1e-9)
    assert mann_whitney([1.0] * 80, [1.0] * 80) == 1.0


def test_failed_runs_are_all_equally_bad():
    assert mann_whitney([1.0, math.inf], [2.0, math.inf]) == pytest.approx(
        enumerated_mann_whitney([1.0, 9.0], [2.0, 9.0])
    )
    assert mann_whitney([1.0, 2.0, 3.0], [math.inf] * 3) == pytest.approx(1 / 20)


@pytest.mark.parametrize(("base", "new", "least"), [(3, 3, 0.05), (3, 10, 1 / 286), (5, 10, 1 / 3003)])
def test_the_smallest_p_is_that_of_complete_separation(base, new, least):
    assert mann_whitney_least(base, new) == pytest.approx(least)
    assert mann_whitney(list(range(base)), list(range(100, 100 + new))) == pytest.approx(least)
    assert fisher_least(base, new) == pytest.approx(fisher(0, base, new, new))


def test_a_hundred_values_are_counted_still():
    # The normal approximation stays above 1e-18 here.
    assert mann_whitney(list(range(50)), list(range(50, 100))) == pytest.approx(1 / math.comb(100, 50), rel=1e-9, abs=0)


def test_the_smallest_p_of_many_values_exists():
    assert mann_whitney_least(60, 60) == pytest.approx(1 / math.comb(120, 60), rel=1e-9, abs=0)
    assert mann_whitney_least(5000, 1) == pytest.approx(1 / 5001)
    assert mann_whitney_least(200_000, 200_000) == 0.0
    assert mann_whitney_least(0, 5) == mann_whitney_least(5, 0) == 1.0


@pytest.mark.parametrize(
    "p",
    [
        mann_whitney([2.0 + place for place in range(34)], [-place for place in range(34)]),
        mann_whitney([0.0] * 20, [0.0] * 75),
        signed_rank([-1.0 - place for place in range(80)]),
        signed_rank([-1.0] * 75),
    ],
)
def test_a_p_of_many_runs_is_no_larger_than_1(p):
    # So many ways are rounded, and their sum can come to more than there are.
    assert 1.0 - 1e-15 <= p <= 1.0


def test_a_rank_test_needs_both_sides():
    with pytest.raises(ValueError, match="both sides"):
        mann_whitney([], [1.0])


def test_signed_rank_is_the_share_of_all_signs():
    differences = [0.5, -0.5, 1.5, 2.5, 2.5, -0.1]
    ranks = stats.rankdata(np.abs(differences))
    seen = ranks[np.array(differences) > 0].sum()
    ways = [(ranks * signs).sum() for signs in itertools.product([0, 1], repeat=6)]
    assert signed_rank(differences) == pytest.approx(np.mean(np.array(ways) >= seen - 1e-9))


def test_signed_rank_is_scipys_exact_one():
    differences = np.random.default_rng(3).normal(0.4, size=11)
    expected = stats.wilcoxon(differences, alternative="greater", method="exact").pvalue
    assert signed_rank(list(differences)) == pytest.approx(expected, rel=1e-10)


def test_pairs_that_do_not_differ_say_nothing():
    assert signed_rank([0.0, 0.0]) == 1.0
    assert signed_rank([0.0, 1.0, 2.0, math.inf]) == pytest.approx(signed_rank_least(3)) == 1 / 8
    # Of the ranks 1, 2, 3 two of eight choices come to 5; with zeros among them the ranks would be others.
    assert signed_rank([0.0, 0.0, -1.0, 2.0, 3.0]) == 2 / 8


@pytest.mark.parametrize(("base", "new"), [((0, 10), (4, 10)), ((1, 12), (3, 7)), ((2, 5), (0, 5)), ((0, 3), (0, 3))])
def test_fisher_is_scipys(base, new):
    table = [[new[0], new[1] - new[0]], [base[0], base[1] - base[0]]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert fisher(*base, *new) == pytest.approx(expected, rel=1e-10)


def test_fisher_wants_counts():
    with pytest.raises(ValueError, match="3/2"):
        fisher(0, 2, 3, 2)
