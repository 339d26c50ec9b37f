"""The failure gate."""

import pytest
from planted_records import make_workload, planted_record

from bench.statistics.gates.cells import pair
from bench.statistics.gates.failures import failures, failures_of


def runs(failed, total, losses="1", status="diverged", method="nsgan", **components):
    return [
        planted_record(
            make_workload(),
            method,
            seed=seed,
            status=status if seed < failed else "ok",
            components={"losses": losses, **components},
        )
        for seed in range(total)
    ]


def judge(base, new):
    (each,) = pair(base, new)
    return failures(each)


@pytest.mark.parametrize(
    ("base", "new", "verdict", "p"),
    [
        ((0, 10), (6, 10), "worse", 0.0054),
        ((0, 10), (5, 10), "inconclusive", 0.0163),
        ((7, 10), (0, 10), "better", 0.0015),
        ((1, 10), (1, 10), "inconclusive", 0.763),
        ((0, 20), (3, 5), "worse", 0.0043),
    ],
)
def test_more_failures_than_chance_gives(base, new, verdict, p):
    found = judge(runs(*base), runs(*new, losses="2"))
    assert (found.verdict, found.able) == (verdict, True)
    assert found.p == pytest.approx(p, abs=6e-5 if p < 0.1 else 6e-4)
    assert found.effect == pytest.approx(new[0] / new[1] - base[0] / base[1])


@pytest.mark.parametrize(
    ("beside", "verdict"),
    [
        (((0, 10), (0, 10)), "worse"),
        (((1, 10), (1, 10)), "worse"),
        (((5, 10), (5, 10)), "inconclusive"),
        # All three failures in BASE would be an improvement with p .0043; in NEW they would be nothing.
        (((1, 5), (2, 20)), "inconclusive"),
    ],
)
def test_only_cells_that_could_give_an_alarm_cost_others_power(beside, verdict):
    # p is .0054, and the level .0075 over as many cells as have failures enough for a p below it.
    base, new = runs(0, 10), runs(6, 10, losses="2")
    assert [found.verdict for found in failures_of(pair(base, new))] == ["worse"]
    others = (runs(*failed, losses, method="hinge") for failed, losses in zip(beside, "12", strict=True))
    both = [mine + other for mine, other in zip((base, new), others, strict=True)]
    found = {cell.method: found.verdict for cell, found in zip(pair(*both), failures_of(pair(*both)), strict=True)}
    assert found == {"nsgan": verdict, "hinge": "inconclusive"}


def test_three_runs_are_too_few():
    found = judge(runs(0, 3), runs(3, 3, losses="2"))
    assert (found.verdict, found.able, found.note) == ("inconclusive", False, "too few runs to tell")


def test_a_lost_run_is_no_failure():
    found = judge(runs(0, 10), runs(7, 10, losses="2", status="timeout"))
    assert (found.verdict, found.new_count, found.new) == ("inconclusive", 3, 0.0)


def test_what_was_judged_by_other_metrics_is_not_compared():
    found = judge(runs(0, 10, metrics="1"), runs(9, 10, metrics="2"))
    assert (found.verdict, found.note) == ("not comparable", "measured by other versions: metrics 1 against 2")
