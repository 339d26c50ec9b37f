"""Comparisons with the best and intervals of ranks: planted orders, brute force, and what may not change them."""

import itertools

import numpy as np
import pytest

from bench.statistics.best import order


def world(seed, effects, seeds=10, workloads=2, scatter=0.02):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(workloads, 1, seeds))
    own = rng.normal(size=(workloads, len(effects), seeds))
    return [0.5 + np.array(effects)[:, None] + scatter * (c + o) for c, o in zip(common, own, strict=True)]


def test_a_clear_order_is_found():
    found = order(world(0, [0.1, 0.4, 0.2, 0.3]), resamples=2000)
    assert found.among_best.tolist() == [False, True, False, False]
    assert found.rank_low.tolist() == found.rank_high.tolist() == [4, 1, 3, 2]


def test_twins_may_both_be_the_best_and_share_their_ranks():
    found = order(world(1, [0.0, 0.3, 0.3]), resamples=2000)
    assert found.among_best.tolist() == [False, True, True]
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([3, 1, 1], [3, 2, 2])


@pytest.mark.parametrize("value", [0.0, 0.4])
def test_runs_that_are_all_equal_cannot_be_told_apart(value):
    found = order([np.full((4, 6), value)] * 2, resamples=500)
    assert found.among_best.all()
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([1] * 4, [4] * 4)


def test_differences_without_scatter_are_certain_and_finite():
    with np.errstate(all="raise"):
        found = order([np.array([[0.5] * 10, [0.25] * 10])], resamples=500)
    assert found.among_best.tolist() == [True, False]
    assert found.rank_high.tolist() == [1, 2]


def test_one_method_is_the_best():
    found = order([np.random.default_rng(0).random((1, 5))])
    assert (found.among_best.tolist(), found.rank_low.tolist(), found.rank_high.tolist()) == ([True], [1], [1])


def test_five_seeds_can_leave_out_but_settle_no_rank():
    # 1 of 32 patterns is as far out on one side, and 2 of 32 on either, which is more than 5 %.
    found = order([np.array([[0.5, 0.51, 0.52, 0.5, 0.53], [0.1, 0.12, 0.1, 0.14, 0.1]])])
    assert found.among_best.tolist() == [True, False]
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([1, 1], [2, 2])


def test_it_is_what_trying_every_pattern_by_hand_gives():
    blocks = world(3, [0.0, 0.06, 0.07], seeds=4, workloads=2)
    methods = range(3)

    def statistic(signs, i, j):
        differences = [(own[i] - own[j]) * sign for own, sign in zip(blocks, signs, strict=True)]
        variance = sum(each.var(ddof=1) / len(each) / 4 for each in differences)
        return np.mean([each.mean() for each in differences]) / np.sqrt(variance)

    patterns = [(np.array(p[:4]), np.array(p[4:])) for p in itertools.product([1, -1], repeat=8)]
    table = np.array(
        [[[statistic(p, j, i) if i != j else -np.inf for j in methods] for i in methods] for p in patterns]
    )
    ahead, largest = table.max(axis=2), np.abs(np.where(np.isfinite(table), table, 0)).max(axis=(1, 2))
    best = [np.mean(ahead[:, i] >= ahead[0, i] - 1e-9) > 0.05 for i in methods]
    above = [[i != j and np.mean(largest >= abs(table[0, i, j]) - 1e-9) <= 0.05 for j in methods] for i in methods]
    low = [1 + sum(above[i][j] and table[0, i, j] > 0 for j in methods) for i in methods]
    high = [3 - sum(above[i][j] and table[0, i, j] < 0 for j in methods) for i in methods]
    found = order(blocks)
    assert (found.among_best.tolist(), found.rank_low.tolist(), found.rank_high.tolist()) == (best, low, high)
    assert len(set(best)) == 2  # the example tells something


def test_the_order_of_methods_and_a_common_shift_change_nothing():
    blocks = world(4, [0.0, 0.03, 0.05, 0.02])
    found, turned = order(blocks, resamples=1000), order([0.1 + block[::-1] for block in blocks], resamples=1000)
    assert found.among_best.tolist() == turned.among_best[::-1].tolist()
    assert found.rank_low.tolist() == turned.rank_low[::-1].tolist()
    assert found.rank_high.tolist() == turned.rank_high[::-1].tolist()


def test_what_is_left_out_of_the_best_is_never_called_first():
    """The intervals of ranks hold at once, and so ask for more than the comparison with the best does."""
    for seed in range(20):
        found = order(world(seed, np.linspace(0, 0.05, 8)), resamples=500, seed=seed)
        assert not (found.among_best & (found.rank_low > 1)).any()


def test_a_single_seed_is_refused():
    with pytest.raises(ValueError, match="at least two seeds"):
        order([np.ones((2, 1))])
