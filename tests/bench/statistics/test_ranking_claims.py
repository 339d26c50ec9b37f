"""What the ranking promises, simulated, beside what the rules of before did. `-m slow -s` prints the tables.

Each claim has a small simulation among the fast tests and a large one among the slow ones. Worlds are made of normal
scores that share half of their variance at each seed, as common random numbers make them, unless a claim says more.
"""

import earlier_ranking as earlier
import numpy as np
import pytest

from bench.statistics.best import order
from bench.statistics.blocks import block_intervals
from bench.statistics.flips import joined, sign_flips
from bench.statistics.intervals import percentile_interval

WORKLOADS, SCATTER = 2, 0.05
DRAWS = {
    "normal": (lambda rng, shape: 0.5 + SCATTER * rng.normal(size=shape), 0.5),
    "exponential": (lambda rng, shape: 0.3 + SCATTER * rng.exponential(size=shape), 0.3 + SCATTER),
    "a fifth fails": (
        lambda rng, shape: np.where(rng.random(shape) < 0.2, 0, 0.5 + SCATTER * rng.normal(size=shape)),
        0.4,
    ),
}


def world(rng, effects, seeds, workloads=WORKLOADS):
    """Return the scores of methods, one array a workload."""
    shape = (len(effects), seeds)
    return [
        0.5
        + np.array(effects)[:, None]
        + SCATTER * np.sqrt(0.5) * (rng.normal(size=(1, seeds)) + rng.normal(size=shape))
        for _ in range(workloads)
    ]


def show(title, rows):
    print(f"\n{title}")  # noqa: T201
    for row in rows:
        print("  " + "  ".join(f"{cell:>14}" if isinstance(cell, str) else f"{cell:>14.3f}" for cell in row))  # noqa: T201


# Intervals of scores.


def coverage(draw, seeds, workloads, tables):
    rng = np.random.default_rng(seeds)
    make, truth = DRAWS[draw]
    low, high = block_intervals([make(rng, (tables, seeds)) for _ in range(workloads)])
    return float(np.mean((low <= truth) & (truth <= high)))


def earlier_coverage(seeds, tables):
    rng = np.random.default_rng(seeds)
    held = 0
    for trial in range(tables):
        low, high = percentile_interval(
            earlier.bootstrap_iqm([DRAWS["normal"][0](rng, (1, seeds))], resamples=400, seed=trial)
        )
        held += bool(low[0] <= 0.5 <= high[0])
    return held / tables


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("workloads", [1, 2, 4])
def test_intervals_of_normal_scores_hold_at_any_number_of_seeds(seeds, workloads):
    # Two seeds of several workloads have few degrees of freedom, which Satterthwaite underrates: up to .99.
    assert 0.94 <= coverage("normal", seeds, workloads, 4000) <= 0.995


@pytest.mark.slow
def test_coverage_of_the_intervals_beside_that_of_before():
    rows = [("seeds", "before", *(f"{draw}, {w}" for draw in DRAWS for w in (1, 4)))]
    for seeds in (2, 3, 5, 10):
        found = {(draw, w): coverage(draw, seeds, w, 20_000) for draw in DRAWS for w in (1, 4)}
        before = earlier_coverage(seeds, 2000)
        rows.append((str(seeds), before, *found.values()))
        assert 0.945 <= found["normal", 1] <= 0.956
        assert before < 0.94
    show("Coverage of the 95 % interval of a score (before: normal, one workload)", rows)
    at_five = rows[3]
    # What is not promised: skewed scores, and rare failures that few seeds do not show, are covered less.
    assert 0.85 <= at_five[4] <= 0.92
    assert 0.65 <= at_five[6] <= 0.80


# The best.


def left_out(effects, seeds, tables, best, resamples=1000, workloads=WORKLOADS):
    """Return the shares of best methods that were left out: by the comparisons with the best, and outside group 1."""
    missed, outside = [], []
    for trial in range(tables):
        blocks = world(np.random.default_rng(trial), effects, seeds, workloads)
        missed.append(1 - order(blocks, resamples=resamples, seed=trial).among_best[best].mean())
        pooled = np.concatenate(blocks, axis=1)
        replicates = earlier.bootstrap_iqm(blocks, resamples=300, seed=trial)
        groups = np.array(earlier.tie_groups(earlier.iqm(pooled), replicates))
        outside.append((groups[best] > 1).mean())
    return float(np.mean(missed)), float(np.mean(outside))


@pytest.mark.parametrize("count", [5, 10])
def test_an_equal_method_is_seldom_left_out_of_the_best(count):
    missed, outside = left_out([0.0] * count, 10, 80, slice(None))
    assert 0.015 <= missed <= 0.085
    assert outside > missed


def test_the_true_best_is_kept():
    missed, _ = left_out([0.02, *np.linspace(0.015, -0.3, 11)], 10, 60, slice(0, 1))
    assert missed <= 0.07


@pytest.mark.slow
def test_equal_methods_left_out_of_the_best_beside_those_outside_the_first_group():
    rows = [("methods", "seeds", "left out", "before")]
    for count, tables in ((5, 600), (10, 400), (70, 60)):
        for seeds in (5, 10):
            missed, outside = left_out([0.0] * count, seeds, tables, slice(None))
            rows.append((str(count), str(seeds), missed, outside))
            assert 0.025 <= missed <= 0.075
    show("Equal methods that are not among the best", rows)
    assert rows[-1][3] > 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("count", "lag"), [(10, 0.01), (70, 0.01), (70, 0.3)])
def test_the_true_best_is_kept_among_near_and_far_ones(count, lag):
    effects = [0.0, *(-lag * (1 + place) / count for place in range(count - 1))]
    missed, outside = left_out(effects, 10, 200, slice(0, 1), resamples=500)
    show("The true best left out", [("methods", "lag", "left out", "before"), (str(count), str(lag), missed, outside)])
    assert missed <= 0.085


ODD = {
    "exponential": lambda rng, shape: 0.3 + SCATTER * rng.exponential(size=shape),
    "a tenth fails": lambda rng, shape: np.where(rng.random(shape) < 0.1, 0.0, 0.5 + 0.03 * rng.normal(size=shape)),
    "scatters differ": lambda rng, shape: 0.5 + 0.02 * np.linspace(0.3, 6, shape[0])[:, None] * rng.normal(size=shape),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ODD)
def test_neither_promise_needs_normal_scores_or_equal_scatters(kind):
    """All methods have the same mean, and nothing else need be alike."""
    missed, wrong = [], []
    for trial in range(300):
        rng = np.random.default_rng(trial)
        found = order([ODD[kind](rng, (10, 10)) for _ in range(WORKLOADS)], resamples=1000, seed=trial)
        missed.append(~found.among_best)
        wrong.append((found.rank_low > 1).any() or (found.rank_high < 10).any())
    show(
        f"{kind}: left out, worst method, ranks wrong",
        [(np.mean(missed), np.mean(missed, axis=0).max(), np.mean(wrong))],
    )
    assert np.mean(missed) <= 0.07
    assert np.mean(missed, axis=0).max() <= 0.10
    assert np.mean(wrong) <= 0.09


def split(tables, resamples):
    """Return in which share of tables five equal methods are told apart: of before, and by simultaneous ranks."""
    before = now = 0
    for trial in range(tables):
        blocks = world(np.random.default_rng(trial), [0.0] * 5, 10)
        replicates = earlier.bootstrap_iqm(blocks, resamples=300, seed=trial)
        before += max(earlier.tie_groups(earlier.iqm(np.concatenate(blocks, axis=1)), replicates)) > 1
        found = order(blocks, resamples=resamples, seed=trial)
        now += bool((found.rank_low > 1).any() or (found.rank_high < 5).any())
    return before / tables, now / tables


def test_five_equal_methods_are_seldom_told_apart():
    before, now = split(100, 500)
    assert now <= 0.11
    assert before >= 0.15


@pytest.mark.slow
def test_splits_of_five_equal_methods():
    before, now = split(600, 1000)
    show("Five equal methods told apart", [("before", "now"), (before, now)])
    assert 0.02 <= now <= 0.075
    assert before >= 0.2


# Ranks.


def ranks_hold(effects, seeds, tables, resamples):
    """Return in which share of tables all intervals hold at once: of before, and now."""
    effects = np.array(effects)
    first = 1 + (effects[None] > effects[:, None] + 1e-12).sum(axis=1)
    last = (effects[None] >= effects[:, None] - 1e-12).sum(axis=1)
    before = now = 0
    for trial in range(tables):
        blocks = world(np.random.default_rng(trial), effects, seeds)
        found = order(blocks, resamples=resamples, seed=trial)
        now += bool(((found.rank_low <= first) & (found.rank_high >= last)).all())
        low, high = earlier.rank_intervals(earlier.bootstrap_iqm(blocks, resamples=300, seed=trial))
        # A tie supports all of its ranks: the interval of before has to reach one of them.
        before += bool(((low <= last) & (high >= first)).all())
    return before / tables, now / tables


@pytest.mark.parametrize("effects", [[0.0] * 8, [0.03 * (place // 2) for place in range(8)]])
def test_rank_intervals_hold_all_at_once(effects):
    _, now = ranks_hold(effects, 10, 80, 500)
    assert now >= 0.88


@pytest.mark.slow
def test_simultaneous_intervals_of_ranks_beside_those_of_before():
    rows = [("methods", "effects", "before", "now")]
    for count, tables in ((5, 400), (10, 300), (70, 60)):
        for name, effects in (("equal", [0.0] * count), ("near", list(np.linspace(0, 0.1, count)))):
            before, now = ranks_hold(effects, 10, tables, 1000)
            rows.append((str(count), name, before, now))
            assert now >= 0.90
    show("Tables in which all intervals of ranks hold (before: reach a rank of the tie)", rows)


# Tests.


def rejected(scatters, seeds, tables):
    rng = np.random.default_rng(0)
    made = [scatter * rng.normal(size=(tables, seeds)) for scatter in scatters]
    p, _ = joined([sign_flips(each) for each in made], [np.sign(each.mean(axis=1)) for each in made])
    return [float(np.mean(p <= level)) for level in (0.1, 0.05, 0.01)]


@pytest.mark.parametrize("scatters", [(1,), (1, 10), (1, 3, 10)])
def test_the_joined_test_keeps_its_level(scatters):
    for level, found in zip((0.1, 0.05, 0.01), rejected(scatters, 8, 3000), strict=True):
        assert 0.3 * level <= found <= level + 3 * np.sqrt(level / 3000)


@pytest.mark.slow
def test_levels_of_the_joined_test():
    rows = [("seeds", "workloads", "at .1", "at .05", "at .01")]
    for seeds in (5, 10, 20):
        for workloads in (1, 2, 5):
            found = rejected(range(1, workloads + 1), seeds, 10_000)
            rows.append((str(seeds), str(workloads), *found))
            assert found[1] <= 0.056
    show("How often equal methods are called different", rows)
