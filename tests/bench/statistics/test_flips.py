"""The sign-flip test against brute force, scipy and simulation; the joined test against its exact distribution."""

import itertools

import numpy as np
import pytest
from scipy import stats

from bench.statistics.flips import joined, least_sign_flip, sign_flips


def scipys_sign_flip(differences):
    test = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    return test.pvalue


@pytest.mark.parametrize("count", [2, 3, 7, 10])
def test_it_is_scipys_exact_sign_flip_test(count):
    differences = np.random.default_rng(count).normal(0.4, 1.0, count)
    assert sign_flips(differences[None]) == pytest.approx([scipys_sign_flip(differences)], abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 5, 8, 11])
def test_counting_in_the_middle_is_trying_all_patterns(count):
    rng = np.random.default_rng(count)
    for differences in (rng.normal(0.5, 1.0, count), rng.integers(-2, 4, count).astype(float)):
        signs = np.array(list(itertools.product([1.0, -1.0], repeat=count)))
        expected = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
        assert sign_flips(differences[None])[0] == pytest.approx(expected, abs=1e-12)


def test_thirty_pairs_are_counted():
    # Thirty equal differences: the mean is as far out as seen or farther with 2 sum_{k <= 9} C(30, k) of 2^30 patterns.
    differences = np.array([0.25] * 21 + [-0.25] * 9)
    assert sign_flips(differences[None])[0] == pytest.approx(2 * stats.binom.cdf(9, 30, 0.5), rel=1e-9)
    assert sign_flips(np.full((1, 30), 0.1))[0] == pytest.approx(2.0**-29, rel=1e-9)


def test_pairs_that_are_equal_say_nothing():
    some = np.array([0.3, 0.1, 0.2, -0.05])
    assert sign_flips(np.zeros((1, 8))) == [1.0]
    assert sign_flips(np.concatenate([some, np.zeros(40)])[None]) == sign_flips(some[None])


def test_drawn_patterns_agree_with_counted_ones(monkeypatch):
    differences = np.random.default_rng(2).normal(0.2, 1.0, (1, 24))
    exact = sign_flips(differences)[0]
    monkeypatch.setattr("bench.statistics.flips.COUNTED_PAIRS", 10)
    drawn = sign_flips(differences)[0]
    assert 0.02 < exact < 0.5
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 100_000))
    assert drawn != exact


def test_drawn_p_is_seeded_never_zero_and_chunks_do_not_show(monkeypatch):
    assert sign_flips(np.ones((1, 40)), resamples=999) == [1 / 1000]
    near = np.random.default_rng(0).normal(0.2, 1.0, (2, 40))
    whole = sign_flips(near, resamples=5000, seed=1)
    assert (whole != sign_flips(near, resamples=5000, seed=2)).any()
    monkeypatch.setattr("bench.statistics.flips._CHUNK_VALUES", 40 * 1000)
    assert (whole == sign_flips(near, resamples=5000, seed=1)).all()


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-12, 1e9])
def test_the_test_is_two_sided_and_knows_no_unit(scale):
    differences = np.random.default_rng(1).normal(0.5, 1.0, (1, 12))
    assert sign_flips(scale * differences) == sign_flips(differences)


@pytest.mark.parametrize(
    "differences", [np.empty((1, 0)), np.array([[1.0, np.nan]]), np.array([[np.inf]]), np.array([1.0, 2.0])]
)
def test_what_cannot_be_tested_is_refused(differences):
    with pytest.raises(ValueError, match="a paired test needs"):
        sign_flips(differences)


def test_the_least_p_is_that_of_differences_of_one_sign():
    for pairs in (1, 2, 5, 10, 30, 31, 60):
        differences = np.random.default_rng(0).uniform(0.5, 1.0, (1, pairs))
        assert sign_flips(differences)[0] == pytest.approx(least_sign_flip(pairs), rel=1e-9)


def test_joined_by_hand():
    p, z = joined([np.array([0.05, 0.05, 1.0, 0.2])] * 2, [np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, -1, 0, 1])])
    assert z[0] == pytest.approx(np.sqrt(2) * stats.norm.isf(0.025), rel=1e-9)
    assert p == pytest.approx([stats.norm.sf(z[0]) * 2, 1.0, 1.0, stats.norm.sf(stats.norm.isf(0.1) * 2**0.5) * 2])


def test_joined_is_scipys_stouffer():
    p = np.array([0.03, 0.4, 0.8])
    _, expected = stats.combine_pvalues(p / 2, method="stouffer")
    assert joined(list(p[:, None]), [np.ones(1)] * 3)[0][0] == pytest.approx(2 * expected, rel=1e-9)


def test_joined_stays_finite_and_one_workload_is_itself():
    p, z = joined([np.array([2.0**-29]), np.array([1.0])], [np.ones(1), np.zeros(1)])
    assert np.isfinite([*p, *z]).all()
    assert joined([np.array([0.123])], [np.ones(1)])[0].tolist() == [0.123]


@pytest.mark.parametrize("seeds", [(5, 5), (4, 6), (3, 3, 4)])
def test_the_joined_test_keeps_its_level_over_all_patterns(seeds):
    """Without an effect every sign pattern is as likely: p is at most alpha in at most that share of them."""
    rng = np.random.default_rng(0)
    values = [rng.lognormal(0.0, 1.5, count) for count in seeds]
    signed = [np.array(list(itertools.product([1.0, -1.0], repeat=len(own)))) * own for own in values]
    p_values, signs = [sign_flips(each) for each in signed], [np.sign(each.sum(axis=1)) for each in signed]
    combined = [
        joined([p[[i]] for p, i in zip(p_values, at, strict=True)], [s[[i]] for s, i in zip(signs, at, strict=True)])[0]
        for at in itertools.product(*[range(len(each)) for each in signed])
    ]
    found = np.array(combined)
    for level in (0.2, 0.1, 0.05, 0.02, 0.01):
        assert np.mean(found <= level) <= level * 1.05, level
    assert np.mean(found <= 0.2) >= 0.05  # and is not merely shy
