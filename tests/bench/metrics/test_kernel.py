import pytest
import torch

from bench.metrics.kernel import kid, squared_mmd


def brute_force(first, second):
    def kernel(x, y):
        return (float(x @ y) / len(x) + 1.0) ** 3

    n, m = len(first), len(second)
    within_first = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_second = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    across = sum(kernel(x, y) for x in first for y in second) / (n * m)
    return within_first + within_second - 2 * across


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


def test_blocks_are_disjoint_and_averaged(correlated):
    fakes, reals = correlated(100, shift=0.3), correlated(100)
    expected = (squared_mmd(fakes[:50], reals[:50]) + squared_mmd(fakes[50:], reals[50:])) / 2
    assert kid(fakes, reals, block=50) == pytest.approx(expected, rel=1e-10)


def test_sets_that_fit_in_one_block_are_compared_whole(correlated):
    fakes, reals = correlated(80), correlated(60)
    assert kid(fakes, reals, block=80) == squared_mmd(fakes, reals)


def test_the_larger_set_is_cut_to_the_blocks_of_the_smaller(correlated):
    fakes, reals = correlated(30), correlated(1000)
    assert kid(fakes, reals, block=50) == squared_mmd(fakes, reals[:50])


def test_single_precision_features_are_compared_in_double(correlated):
    fakes, reals = correlated(50).float() * 30, correlated(50).float() * 30
    assert squared_mmd(fakes, reals) == squared_mmd(fakes.double(), reals.double())
