"""E[min of k] against all subsets and against simulation."""

from itertools import combinations

import numpy as np
import pytest

from bench.statistics.budget import expected_minimum, expected_minimum_band, failures_at


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_it_is_the_mean_over_all_subsets(count):
    distances = np.random.default_rng(count).lognormal(4, 1, count)
    expected = [np.mean([min(each) for each in combinations(distances, k)]) for k in range(1, count + 1)]
    assert expected_minimum(distances) == pytest.approx(expected, rel=1e-12)


def test_it_agrees_with_drawing_configurations():
    rng = np.random.default_rng(0)
    distances = rng.lognormal(4, 1, 30)
    shuffled = rng.permuted(np.tile(distances, (20_000, 1)), axis=1)
    simulated = np.minimum.accumulate(shuffled, axis=1)
    error = simulated.std(axis=0) / np.sqrt(20_000)
    assert np.abs(expected_minimum(distances) - simulated.mean(axis=0)) == pytest.approx(0, abs=1e-9 + 5 * error.max())


def test_it_begins_at_the_mean_and_ends_at_the_minimum():
    curve = expected_minimum(np.array([3.0, 1.0, 8.0, 2.0]))
    assert (curve[0], curve[-1]) == (pytest.approx(3.5), pytest.approx(1.0))
    assert (np.diff(curve) < 0).all()


def test_a_hundred_configurations_lose_no_precision():
    assert expected_minimum(np.full(100, 7.0)) == pytest.approx(7.0, rel=1e-12)


def test_failures_stay_in_the_curve():
    distances = failures_at(np.array([10.0, np.nan, 20.0]), np.array([False, True, False]), 1000.0)
    assert distances.tolist() == [10.0, 1000.0, 20.0]
    assert expected_minimum(distances)[0] == pytest.approx(1030 / 3)


@pytest.mark.parametrize("distances", [np.array([]), np.array([1.0, np.inf]), np.array([np.nan])])
def test_what_is_not_finite_is_refused(distances):
    with pytest.raises(ValueError, match="finite distance"):
        expected_minimum(distances)


def test_the_band_is_the_bootstrap_over_joint_seeds():
    rng = np.random.default_rng(0)
    distances = rng.lognormal(4, 0.3, (6, 5))
    drawn = [expected_minimum(distances[:, rng.integers(5, size=5)].mean(axis=1)) for _ in range(4000)]
    low, high = expected_minimum_band(distances)
    expected = np.percentile(drawn, [2.5, 97.5], axis=0)
    assert low == pytest.approx(expected[0], rel=0.03)
    assert high == pytest.approx(expected[1], rel=0.03)
    curve = expected_minimum(distances.mean(axis=1))
    assert ((low <= curve) & (curve <= high)).all()


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_band_needs_seeds(shape):
    with pytest.raises(ValueError, match="at least two seeds"):
        expected_minimum_band(np.ones(shape))
