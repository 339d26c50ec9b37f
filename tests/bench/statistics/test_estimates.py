"""Estimates: every number against the function it comes from, and every verdict against what would make it false."""

from dataclasses import replace

import numpy as np
import pytest

from bench.statistics.best import order
from bench.statistics.blocks import block_intervals, block_means
from bench.statistics.estimates import PairedTest, _verdict, estimate_methods
from bench.statistics.flips import joined, sign_flips
from bench.statistics.paired import holm, win_values


def strata(rng, effects, workloads=2, seeds=10, scatters=(1.0, 1.0)):
    common = [rng.normal(size=(1, seeds)) for _ in range(workloads)]
    return [
        0.5 + 0.05 * scatter * (each + rng.normal(size=(len(effects), seeds))) + np.array(effects)[:, None]
        for each, scatter in zip(common, scatters, strict=False)
    ]


@pytest.fixture(scope="module")
def planted():
    return strata(np.random.default_rng(0), [0.0, 0.3, 0.29, -0.2])


def test_numbers_are_those_of_their_functions(planted):
    found = estimate_methods(planted, reference=0, resamples=2000, seed=0)
    methods = found.methods
    assert [each.score for each in methods] == block_means(planted).tolist()
    low, high = block_intervals(planted)
    assert [(each.low, each.high) for each in methods] == list(zip(low, high, strict=True))
    placed = order(planted, resamples=2000)
    assert [each.among_best for each in methods] == placed.among_best.tolist() == [False, True, True, False]
    assert [(each.rank_low, each.rank_high) for each in methods] == [(3, 3), (1, 2), (1, 2), (4, 4)]
    assert sorted(each.rank for each in methods) == [1, 2, 3, 4]
    differences = [block[1:] - block[0] for block in planted]
    p, _ = joined([sign_flips(each) for each in differences], [np.sign(each.mean(axis=1)) for each in differences])
    assert [each.comparison.test.p_value for each in methods[1:]] == p.tolist()
    assert [each.comparison.test.p_adjusted for each in methods[1:]] == holm(p).tolist()
    wins = [win_values(block[1:], block[0]) for block in planted]
    assert [each.comparison.probability for each in methods[1:]] == block_means(wins).tolist()


def test_each_workload_is_told_by_itself(planted):
    found = estimate_methods(planted, reference=0, resamples=200, seed=0)
    for place, block in enumerate(planted):
        for method, own in enumerate(block):
            on = found.methods[method].workloads[place]
            low, high = block_intervals([own[None]])
            assert (on.score, on.low, on.high, on.pairs) == (own.mean(), low[0], high[0], 10)
            assert (on.wins, on.ties) == ((None, None) if method == 0 else ((own > block[0]).sum(), 0))
        p = sign_flips(block[1:] - block[0])
        tests = [each.workloads[place].test for each in found.methods[1:]]
        assert [test.p_adjusted for test in tests] == holm(p).tolist()
        assert [test.verdict for test in tests] == ["better", "better", "worse"]
        assert found.reach_on[place].least == 3 * 2 / 2**10


def test_ties_are_told(planted):
    block = planted[0].copy()
    block[1, :4] = block[0, :4]
    on = estimate_methods([block], reference=0, resamples=50, seed=0).methods[1].workloads[0]
    assert (on.wins, on.ties, on.pairs) == (6, 4, 10)


def test_the_reference_is_not_tested_against_itself(planted):
    found = estimate_methods(planted, reference=2, resamples=200, seed=0).methods
    assert found[2].comparison is None
    assert all(on.test is None for on in found[2].workloads)
    assert [each.comparison.probability for each in (found[0], found[3])] == [0.0, 0.0]
    # Where every run is worse there is no scatter to judge by, and no interval of no width.
    assert [each.comparison.low for each in (found[0], found[3])] == [None, None]
    assert 0.2 < found[1].comparison.low < found[1].comparison.probability < found[1].comparison.high


def test_without_a_reference_nobody_is_tested(planted):
    found = estimate_methods(planted, reference=None, resamples=100, seed=0)
    assert all(each.comparison is None and each.rank for each in found.methods)
    assert (found.reach, found.reach_on) == (None, (None, None))


def test_a_reference_alone_has_an_empty_family(planted):
    found = estimate_methods([each[:1] for each in planted], reference=0, resamples=100, seed=0)
    (only,) = found.methods
    assert (only.rank, only.among_best, only.comparison, found.reach) == (1, True, None, None)


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_below_five_seeds_there_are_scores_with_intervals_and_nothing_else(planted, seeds):
    few = [each[:, :seeds] for each in planted]
    found = estimate_methods(few, reference=0, resamples=100, seed=0)
    for each in found.methods:
        assert each.low <= each.score <= each.high
        assert (each.rank, each.rank_low, each.among_best, each.comparison) == (None, None, None, None)
        assert all(on.test is None for on in each.workloads)
    assert found.reach is None
    assert found.methods[1].workloads[0].wins == seeds


def test_one_seed_has_scores_alone(planted):
    found = estimate_methods([planted[0][:, :1], planted[1]], reference=0, resamples=100, seed=0)
    assert all(each.low is None and each.rank is None for each in found.methods)
    assert all(each.workloads[0].low is None and each.workloads[0].test is None for each in found.methods)
    # The other workload has seeds enough, and says what it can.
    assert [each.workloads[1].test.verdict for each in found.methods[1:]] == ["better", "better", "worse"]


def test_five_seeds_are_enough_to_be_ranked(planted):
    found = estimate_methods([each[:, :5] for each in planted], reference=0, resamples=100, seed=0)
    assert sorted(each.rank for each in found.methods) == [1, 2, 3, 4]


@pytest.mark.parametrize(("seeds", "tested"), [(5, True), (4, False)])
def test_five_seeds_of_a_workload_are_enough_to_be_tested(planted, seeds, tested):
    found = estimate_methods([each[:, :seeds] for each in planted], reference=0, resamples=100, seed=0)
    assert [reach is not None for reach in found.reach_on] == [tested] * len(planted)
    for method in found.methods[1:]:
        assert [on.test is not None for on in method.workloads] == [tested] * len(planted)
        assert (method.comparison is not None) == tested


def test_where_everything_failed_nobody_leads():
    found = estimate_methods([np.zeros((3, 10))] * 2, reference=0, resamples=100, seed=0)
    assert all(each.score == 0.0 and each.low is None for each in found.methods)
    assert all(each.rank is None and each.among_best is None and each.comparison is None for each in found.methods)
    assert all(on.test.verdict == "not shown" for on in found.methods[1].workloads)


def test_thirty_methods_on_ten_seeds_of_one_workload_can_show_nothing():
    block = np.random.default_rng(0).uniform(0.4, 0.5, (30, 10))
    block[1] = block[0] + 0.3
    found = estimate_methods([block], reference=0, resamples=100, seed=0)
    assert found.reach.least == pytest.approx(0.0566, abs=1e-4)
    assert not found.reach.shows
    assert found.reach.detectable is None
    assert found.methods[1].comparison.test.verdict == "not shown"
    # One method fewer, and it is shown.
    found = estimate_methods([block[:26]], reference=0, resamples=100, seed=0)
    assert found.reach.shows
    assert found.methods[1].comparison.test.verdict == "better"


def test_a_noisy_workload_does_not_hide_what_a_quiet_one_shows():
    """The pooled test of before had its p decided by whichever workload scatters most."""
    rng = np.random.default_rng(2)
    quiet = strata(rng, [0.0, 0.1], workloads=1)[0]
    noisy = strata(rng, [0.0, 0.1], workloads=1, scatters=(8.0,))[0]
    test = estimate_methods([quiet, noisy], reference=0, resamples=100, seed=0).methods[1].comparison.test
    alone = estimate_methods([noisy], reference=0, resamples=100, seed=0).methods[1].comparison.test
    assert test.verdict == "better"
    assert alone.verdict == "not shown"


def test_workloads_that_contradict_each_other_are_mixed():
    rng = np.random.default_rng(0)
    up, down = strata(rng, [0.0, 0.3], workloads=1)[0], strata(rng, [0.0, -0.25], workloads=1)[0]
    method = estimate_methods([up, down], reference=0, resamples=100, seed=0).methods[1]
    assert [on.test.verdict for on in method.workloads] == ["better", "worse"]
    assert method.comparison.test.verdict == "mixed"


def test_a_verdict_never_contradicts_the_score():
    shown = PairedTest(p_value=0.01, p_adjusted=0.01, detectable=0.1, verdict="better")
    open_ = replace(shown, verdict="not shown", p_adjusted=0.4)
    worse = replace(shown, verdict="worse")
    assert _verdict(shown, [shown, open_], 0.1) == "better"
    assert _verdict(shown, [shown, open_], -0.1) == "mixed"
    assert _verdict(worse, [worse, open_], -0.1) == "worse"
    assert _verdict(worse, [worse, open_], 0.1) == "mixed"
    assert _verdict(open_, [shown, open_], -0.1) == "not shown"
    assert _verdict(open_, [shown, worse], 0.1) == "mixed"
    # Equal scores contradict either side.
    assert _verdict(shown, [shown, open_], 0.0) == "mixed"
    assert _verdict(worse, [worse, open_], 0.0) == "mixed"
    assert _verdict(open_, [open_, open_], 0.0) == "not shown"


@pytest.mark.slow
def test_without_effects_holm_keeps_the_family_error():
    false = 0
    for trial in range(100):
        found = estimate_methods(strata(np.random.default_rng(trial), [0.0] * 4), reference=0, resamples=50, seed=0)
        false += any(each.comparison.test.verdict != "not shown" for each in found.methods[1:])
    assert false / 100 <= 0.12
