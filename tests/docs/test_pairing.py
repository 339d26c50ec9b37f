"""What the page about measuring says that paired seeds gain: by hand, by another formula, and as written."""

import re
from itertools import combinations

import numpy as np
import pytest
import site_pairing
from doc_pages import prose_under
from site_marks import inside

TEXT = site_pairing.PAGE.read_text(encoding="utf-8")


def test_the_table_is_that_of_the_records():
    assert inside(TEXT, site_pairing.MARK) == site_pairing.table(), "write it again: make docs"


def test_the_correlation_is_pearsons_mean_over_pairs():
    scores = np.random.default_rng(3).normal(size=(5, 7))
    each = [np.corrcoef(scores[i], scores[j])[0, 1] for i, j in combinations(range(5), 2)]
    assert site_pairing.correlation(scores) == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize(("scores", "expected"), [([[1, 2, 3], [10, 20, 30]], 1.0), ([[1, 2, 3], [3, 2, 1]], -1.0)])
def test_correlations_by_hand(scores, expected):
    assert site_pairing.correlation(np.array(scores, dtype=float)) == pytest.approx(expected)


def test_methods_that_share_their_seeds_are_seen_and_those_that_do_not_are_not():
    """Of 100 tables without a common part about five have p <= 0.05; with one as large as the rest most have it."""
    random = np.random.default_rng(0)
    alone = [site_pairing.chance(random.normal(size=(6, 8)), 200) for _ in range(100)]
    shared = [site_pairing.chance(random.normal(size=8) + random.normal(size=(6, 8)), 200) for _ in range(30)]
    assert 1 <= sum(p <= 0.05 for p in alone) <= 11
    assert sum(p <= 0.05 for p in shared) >= 25


def test_two_methods_of_three_seeds_have_the_exact_chance():
    """Of the six ways to pair three seeds one is the given order: p is 1/6, to the noise of drawn permutations."""
    assert site_pairing.chance(np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])) == pytest.approx(1 / 6, abs=0.015)


@pytest.mark.parametrize("methods", [0, 1])
def test_without_a_pair_of_methods_nothing_is_tested(methods):
    scores = np.array([[1.0, 2.0]])[:methods]
    assert np.isnan([site_pairing.correlation(scores), site_pairing.chance(scores, 10)]).all()


def test_every_number_with_a_decimal_under_the_table_stands_in_it():
    said = prose_under(TEXT, site_pairing.MARK)
    numbers = set(re.findall(r"−?\d+\.\d+", said))
    assert numbers
    assert numbers - set(re.findall(r"−?\d+\.\d+", inside(TEXT, site_pairing.MARK))) == set()
