"""Shifts: estimate, interval and detectable size, against scipy, brute force and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bench.statistics.exact import mann_whitney, signed_rank
from bench.statistics.location_shifts import POWER, estimate, needed_shift


def draws(count, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(0.0, 1.0, 7), rng.normal(0.3, 1.0, 9)) for _ in range(count)]


def test_the_estimate_is_the_median_of_all_differences():
    for base, new in draws(20):
        brute = np.median([b - a for a, b in itertools.product(base, new)])
        assert estimate(base, new, paired=False)[0] == pytest.approx(brute, rel=1e-12)


def test_of_pairs_it_is_the_median_of_the_walsh_averages():
    for base, new in draws(20):
        moved = new[:7] - base
        brute = np.median([(moved[i] + moved[j]) / 2 for i in range(7) for j in range(i, 7)])
        assert estimate(base, new[:7], paired=True)[0] == pytest.approx(brute, rel=1e-12)


@pytest.mark.parametrize("paired", [False, True])
def test_the_interval_holds_what_neither_test_refuses(paired):
    """Just within an end the two-sided test at 5 % lets the shift stand; just outside it does not."""

    def least(base, new, shift):
        if paired:
            moved = new - base - shift
            return min(signed_rank(moved.tolist()), signed_rank((-moved).tolist()))
        moved = (new - shift).tolist()
        return min(mann_whitney(base.tolist(), moved), mann_whitney(moved, base.tolist()))

    for base, wide in draws(20, seed=1):
        new = wide[:7] if paired else wide
        _, low, high = estimate(base, new, paired=paired)
        for end, outward in ((low, -1e-9), (high, 1e-9)):
            assert least(base, new, end + outward) < 0.025 <= least(base, new, end - outward)


def test_three_against_three_bound_nothing():
    base, new = np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.5])
    assert estimate(base, new, paired=False) == (1.0, -math.inf, math.inf)


def test_one_wild_value_moves_the_estimate_within_the_others():
    base = np.linspace(0.0, 1.0, 10)
    moved = estimate(base, base + 0.2, paired=False)[0]
    wild = np.append(base[:-1] + 0.2, -1e6)
    assert abs(estimate(base, wild, paired=False)[0] - moved) < 0.15
    assert estimate(base, wild, paired=False)[1] > -1.0


@pytest.mark.parametrize(("base", "new"), [(5, 5), (10, 10), (20, 5), (60, 50)])
def test_the_interval_covers_what_it_promises_and_hardly_more(base, new):
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        _, low, high = estimate(rng.normal(size=base), rng.normal(0.3, 1.0, new), paired=False)
        hits += low <= 0.3 <= high
    assert 0.935 < hits / 1000 < 0.99


@pytest.mark.parametrize(
    ("base", "new", "paired"),
    [(5, 5, False), (10, 10, False), (20, 5, False), (60, 50, False), (10, 10, True), (60, 60, True)],
)
def test_the_detectable_shift_is_found_four_times_in_five(base, new, paired):
    needed, _ = needed_shift(base, new, 0.01, paired=paired)
    shift = float(np.quantile(needed, POWER))
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(400):
        if paired:
            found += signed_rank((rng.normal(size=new) + shift).tolist()) < 0.01
        else:
            found += mann_whitney(rng.normal(size=base).tolist(), (rng.normal(size=new) + shift).tolist()) < 0.01
    assert 0.73 < found / 400 < 0.87


def test_where_no_p_is_small_enough_no_shift_is_detectable():
    assert needed_shift(5, 5, 1 / 252, paired=False) is None
    assert needed_shift(5, 5, 1.01 / 252, paired=False) is not None
    assert needed_shift(5, 5, 1 / 32, paired=True) is None


def test_the_largest_of_all_wins_needs_every_value_above_the_others():
    """At the sharpest level the shift must carry the least new value over the largest old one."""
    needed, error = needed_shift(4, 4, 1.01 / 70, paired=False)
    rng = np.random.default_rng(0)
    for place in range(50):
        new, base = rng.standard_normal(4), rng.standard_normal(4)
        assert needed[place] == pytest.approx(base.max() - new.min(), rel=1e-12)
        assert error[place] == pytest.approx(np.median(np.subtract.outer(new, base)), rel=1e-12)


def test_the_critical_count_is_that_of_scipy():
    """scipy's exact p of the least count of wins that the interval is cut at is the first below .025."""
    rng = np.random.default_rng(5)
    base, new = rng.normal(size=8), rng.normal(size=6)
    _, low, _ = estimate(base, new, paired=False)
    wins = int((np.subtract.outer(new, base) - (low - 1e-9) > 0).sum())
    p = stats.mannwhitneyu(new - (low - 1e-9), base, alternative="greater", method="exact").pvalue
    assert wins >= 8 * 6 / 2
    assert p == pytest.approx(mann_whitney(base.tolist(), (new - (low - 1e-9)).tolist()), rel=1e-9)
    assert p < 0.025
