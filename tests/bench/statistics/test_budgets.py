"""Score against budget: every evaluation is a budget, and the order at one need not be the last one's."""

import msgspec
import numpy as np
import pytest
from planted_campaigns import WORKLOADS, campaign

from bench.statistics.budgets import scores_by_budget
from bench.statistics.ranking import rank
from bench.statistics.scores import score
from bench.statistics.stages import all_at_step
from bench.store.record import History

FINAL = {"nsgan": 60.0, "hinge": 30.0, "lsgan": 15.0, "wgan": 90.0}
EARLY = {"nsgan": 500.0, "hinge": 400.0, "lsgan": 900.0, "wgan": 100.0}


def curves(records):
    (board,) = rank(records, WORKLOADS, resamples=100)
    return scores_by_budget(board, records, WORKLOADS)


def test_scores_are_those_of_shorter_trials_and_the_last_are_the_tables():
    records = campaign(methods=FINAL, early=EARLY)
    (found,) = curves(records)
    assert found.steps == (300, 600)
    (last,) = rank(records, WORKLOADS, resamples=100)
    (first,) = rank(all_at_step(records, WORKLOADS, 300), WORKLOADS, resamples=100)
    for place, row in enumerate(found.rows):
        assert found.scores[place, 1] == pytest.approx(row.score, abs=1e-12)
        then = next(each for each in first.rows if each.expression == row.expression)
        assert found.scores[place, 0] == pytest.approx(then.score, abs=1e-12)
        assert (found.low[place, 0], found.high[place, 0]) == pytest.approx(
            (then.score_low, then.score_high), abs=1e-12
        )
    assert [row.method for row in last.rows] == [row.method for row in found.rows]


def test_who_leads_and_how_far_the_order_agrees_with_the_last_one():
    (found,) = curves(campaign(methods=FINAL, early=EARLY))
    assert [row.method for row in found.leaders] == ["wgan", "lsgan"]
    # lsgan hinge nsgan wgan at the end, wgan hinge nsgan lsgan before: of six pairs one is in the same order.
    assert found.agreement == pytest.approx(((1 - 5) / 6, 1.0), abs=1e-12)


def test_a_run_that_has_failed_counts_nothing_from_there_on():
    records = campaign(methods=FINAL, early=EARLY)
    stopped = [
        msgspec.structs.replace(
            record,
            status="nonfinite",
            metrics={**record.metrics, "distance": None},
            history=History(evaluations=record.history.evaluations[:2]),
        )
        if (record.spec.method, record.spec.seed) == ("lsgan", 0)
        else record
        for record in records
    ]
    (found,) = curves(stopped)
    place = [row.method for row in found.rows].index("lsgan")
    own = [score(record, WORKLOADS["digits"]) for record in records if record.spec.method == "lsgan"]
    assert found.scores[place, 1] == pytest.approx(sum(own[1:]) / 5, abs=1e-12)
    (whole,) = curves(records)
    before = [row.method for row in whole.rows].index("lsgan")
    assert found.scores[place, 0] == pytest.approx(whole.scores[before, 0], abs=1e-12)


@pytest.mark.parametrize("seeds", [1, 4])
def test_so_few_seeds_have_no_interval(seeds):
    (found,) = curves(campaign(seeds=seeds, methods=FINAL))
    assert found.low is None
    assert found.high is None
    assert np.isfinite(found.scores).all()


def test_points_are_scored_by_their_modes_at_each_budget():
    (found,) = curves(campaign("ring8", methods=FINAL))
    assert found.workload == "ring8"
    assert found.steps == (300, 600)


def test_a_budget_that_not_all_runs_tell_of_is_left_out():
    records = campaign(methods=FINAL)
    lacking = [
        msgspec.structs.replace(record, history=History(evaluations=record.history.evaluations[::2]))
        if record.spec.method == "hinge"
        else record
        for record in records
    ]
    assert curves(lacking) == []


def test_equal_scores_have_no_agreement():
    (found,) = curves(campaign(methods=dict.fromkeys(FINAL, 20.0), early=EARLY))
    assert np.isnan(found.agreement[1])
