"""Performance profiles by hand and against a plain bootstrap."""

import numpy as np
import pytest

from bench.statistics.profiles import performance_profile, profile_band


def test_workloads_weigh_alike_and_the_threshold_counts():
    strata = [np.array([[0.2, 0.4]]), np.array([[0.4, 0.5, 0.6, 0.7]])]
    profile = performance_profile(strata, np.array([0.0, 0.4, 0.55, 1.0]))
    assert profile == pytest.approx(np.array([[1.0, 0.75, 0.25, 0.0]]))


def test_the_band_is_the_bootstrap_over_joint_seeds():
    rng = np.random.default_rng(0)
    strata, thresholds = [rng.random((3, 8)), rng.random((3, 5))], np.linspace(0, 1, 5)
    drawn = []
    for _ in range(4000):
        picks = [rng.integers(each.shape[1], size=each.shape[1]) for each in strata]
        resampled = [each[:, pick] for each, pick in zip(strata, picks, strict=True)]
        drawn.append(performance_profile(resampled, thresholds))
    low, high = profile_band(strata, thresholds, resamples=4000)
    expected = np.percentile(drawn, [2.5, 97.5], axis=0)
    assert low == pytest.approx(expected[0], abs=0.051)  # a step of the coarsest grid of shares is 1/40
    assert high == pytest.approx(expected[1], abs=0.051)
    assert np.array_equal(low, profile_band(strata, thresholds, resamples=4000)[0])


def test_seeds_are_drawn_jointly():
    first = np.random.default_rng(0).random((1, 6))
    low, high = profile_band([np.concatenate([first, first])], np.array([0.5]))
    assert (low[0], high[0]) == (low[1], high[1])
    assert low[0] < high[0]
