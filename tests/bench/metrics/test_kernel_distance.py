from fractions import Fraction
from itertools import permutations

import pytest
import torch

from bench.metrics.kernel_distance import kernel_distance, squared_mmd
from bench.metrics.order import shuffled


def brute_force(first, second):
    def kernel(x, y):
        return (float(x @ y) / len(x) + 1.0) ** 3

    n, m = len(first), len(second)
    within_first = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_second = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return within_first + within_second - 2 * across


def exactly(first, second):
    """The same in rational numbers, where nothing is rounded."""

    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3

    first, second = ([[Fraction(value) for value in row] for row in each.tolist()] for each in (first, second))
    within = [
        sum(kernel(x, y) for x, y in permutations(each, 2)) / (len(each) * (len(each) - 1)) for each in (first, second)
    ]
    across = sum(kernel(x, y) for x in first for y in second) / (len(first) * len(second))
    return float(sum(within) - 2 * across)


def test_it_is_the_unbiased_estimate_by_its_definition(correlated):
    first, second = correlated(12), correlated(9, shift=0.5)
    assert squared_mmd(first, second) == pytest.approx(brute_force(first, second), rel=1e-10)


def test_it_is_unbiased(correlated):
    found = torch.tensor([squared_mmd(correlated(100), correlated(100)) for _ in range(200)])
    assert abs(found.mean()) < 4 * found.std() / 200**0.5
    assert (found < 0).any()
    # The biased estimate, with its diagonals, would stand far above zero.
    assert found.std() < 0.05


def test_different_sets_are_told_apart(correlated):
    assert squared_mmd(correlated(500, shift=1.0), correlated(500)) > 1.0


def in_order(fakes, reals):
    """Both sets in the order in which `kid` cuts them into blocks."""
    return shuffled(fakes, "kernel-distance/fakes"), shuffled(reals, "kernel-distance/reals")


def test_blocks_are_disjoint_and_averaged(correlated):
    fakes, reals = correlated(100, shift=0.3), correlated(100)
    first, second = in_order(fakes, reals)
    expected = (squared_mmd(first[:50], second[:50]) + squared_mmd(first[50:], second[50:])) / 2
    assert kernel_distance(fakes, reals, block=50) == pytest.approx(expected, rel=1e-10)


def test_sets_that_fit_in_one_block_are_compared_whole(correlated):
    fakes, reals = correlated(80), correlated(60)
    assert kernel_distance(fakes, reals, block=80) == pytest.approx(squared_mmd(fakes, reals), rel=1e-10)


def test_the_larger_set_is_cut_to_the_blocks_of_the_smaller(correlated):
    fakes, reals = correlated(30), correlated(1000)
    assert kernel_distance(fakes, reals, block=50) == pytest.approx(
        squared_mmd(fakes, in_order(fakes, reals)[1][:50]), rel=1e-10
    )


@pytest.mark.parametrize("sorted_set", ["fakes", "reals", "both"])
def test_the_order_of_samples_does_not_matter(correlated, sorted_set):
    fakes, reals = correlated(2000), correlated(2000)
    spread = (
        torch.tensor([kernel_distance(correlated(2000), correlated(2000), block=200) for _ in range(30)]).std().item()
    )
    if sorted_set != "reals":
        fakes = fakes[fakes[:, 0].argsort()]
    if sorted_set != "fakes":
        reals = reals[reals[:, 0].argsort(descending=True)]
    assert abs(kernel_distance(fakes, reals, block=200)) < 5 * spread
    # Without the permutation, blocks of sorted samples are far apart.
    cut = [squared_mmd(*pair) for pair in zip(fakes.split(200), reals.split(200), strict=True)]
    assert sum(cut) / len(cut) > 20 * spread


def test_one_feature_far_away_does_not_blur_the_others(correlated):
    fakes, reals = correlated(40), correlated(30)
    fakes[3, 5] = 1e6
    assert squared_mmd(fakes, reals) == pytest.approx(exactly(fakes, reals), rel=1e-9)


def test_single_precision_features_are_compared_in_double(correlated):
    fakes, reals = correlated(50).float() * 30, correlated(50).float() * 30
    assert squared_mmd(fakes, reals) == squared_mmd(fakes.double(), reals.double())
