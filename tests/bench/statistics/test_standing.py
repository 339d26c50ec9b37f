"""Standings: groups by hand and planted, and every number against the function it comes from."""

import numpy as np
import pytest

from bench.statistics.intervals import iqm
from bench.statistics.paired import holm, paired_permutation, probability_of_improvement
from bench.statistics.standing import standings, tie_groups


def replicates_around(points, widths, resamples=2000):
    noise = np.random.default_rng(0).normal(size=(resamples, len(points)))
    return np.array(points) + noise * np.array(widths)


def test_groups_are_opened_by_the_highest_of_the_rest():
    points = np.array([0.30, 0.90, 0.89, 0.60, 0.61, 0.10])
    assert tie_groups(points, replicates_around(points, [0.01] * 6)) == [3, 1, 1, 2, 2, 4]


def test_a_wide_interval_reaches_over_a_narrow_one():
    points = np.array([0.90, 0.80, 0.70])
    assert tie_groups(points, replicates_around(points, [0.01, 0.01, 0.2])) == [1, 2, 1]


def test_membership_is_not_passed_on():
    # Second ties with first and third with second, but third not with first: third opens a group of its own.
    points = np.array([0.90, 0.87, 0.84])
    assert tie_groups(points, replicates_around(points, [0.012] * 3)) == [1, 1, 2]


def test_equal_methods_share_a_group_even_without_scatter():
    assert tie_groups(np.zeros(3), np.zeros((100, 3))) == [1, 1, 1]


def strata(rng, effects, workloads=2, seeds=10):
    common = [rng.normal(size=(1, seeds)) for _ in range(workloads)]
    return [
        0.5 + 0.05 * (each + rng.normal(size=(len(effects), seeds))) + np.array(effects)[:, None] for each in common
    ]


@pytest.fixture(scope="module")
def planted():
    return strata(np.random.default_rng(0), [0.0, 0.3, 0.29, -0.2])


def test_numbers_are_those_of_their_functions(planted):
    found = standings(planted, reference=0, resamples=2000, seed=0)
    points = iqm(np.concatenate(planted, axis=1))
    assert [each.score for each in found] == points.tolist()
    assert [each.group for each in found] == [2, 1, 1, 3]
    assert all(each.low < each.score < each.high for each in found)
    p = [paired_permutation([x[i] - x[0] for x in planted]) for i in (1, 2, 3)]
    assert [each.against.p_value for each in found[1:]] == p
    assert [each.against.p_adjusted for each in found[1:]] == holm(p).tolist()
    probabilities = [probability_of_improvement([x[i] for x in planted], [x[0] for x in planted]) for i in (1, 2, 3)]
    assert [each.against.probability for each in found[1:]] == probabilities
    assert all(each.against.low <= each.against.probability <= each.against.high for each in found[1:])


def test_the_reference_is_not_tested_against_itself(planted):
    found = standings(planted, reference=2, resamples=200, seed=0)
    assert found[2].against is None
    assert [each.against.probability for each in (found[0], found[3])] == [0.0, 0.0]
    assert 0.3 < found[1].against.probability < 0.7


def test_without_a_reference_nobody_is_tested(planted):
    assert all(each.against is None for each in standings(planted, reference=None, resamples=100, seed=0))


def test_a_reference_alone_has_an_empty_family(planted):
    (only,) = standings([each[:1] for each in planted], reference=0, resamples=100, seed=0)
    assert (only.rank, only.group, only.against) == (1, 1, None)


def test_one_seed_has_scores_and_ranks_alone(planted):
    found = standings([planted[0][:, :1], planted[1]], reference=0, resamples=100, seed=0)
    assert sorted(each.rank for each in found) == [1, 2, 3, 4]
    assert all(each.low is None and each.group is None and each.against is None for each in found)


def test_without_effects_groups_are_rarely_split():
    # Five equal methods: the leader of five is chosen for being lucky, so the rule splits more often than 5 %.
    split = 0
    for trial in range(60):
        found = standings(strata(np.random.default_rng(trial), [0.0] * 5), reference=0, resamples=300, seed=0)
        split += max(each.group for each in found) > 1
    assert split / 60 < 0.45


def test_without_effects_holm_keeps_the_family_error():
    false = 0
    for trial in range(100):
        found = standings(strata(np.random.default_rng(trial), [0.0] * 4), reference=0, resamples=50, seed=0)
        false += min(each.against.p_adjusted for each in found[1:]) <= 0.05
    assert false / 100 <= 0.12
