"""A workload whose real data give it no scale costs itself its score, by name, and nobody else."""

import math

import pytest
from planted_records import make_stacks, make_toy, make_workload, planted_record

from bench.statistics import scores
from bench.statistics.gates.comparison import compare
from bench.statistics.gates.verdicts import GateSettings
from bench.statistics.ranking import rank
from bench.statistics.scales import no_scale, unscored

DIGITS, OTHER, TOY, STACKS = make_workload(), make_workload("mnist"), make_toy(), make_stacks()
WORKLOADS = {each.name: each for each in (DIGITS, OTHER, TOY, STACKS)}

WITHOUT = [
    (DIGITS, "1.0", {"distance_floor": 0.0}, "is 0"),
    (DIGITS, "1.1", {"distance_floor": None}, "do not know distance_floor"),
    (DIGITS, "1.1", {"distance_floor": 8000.0}, "8000, is not below the untrained generator's, 8000"),
    (DIGITS, "1.1", {"distance_floor": 9000.0}, "not below"),
    (TOY, "1.1", {"high_quality_ceiling": 0.0}, "high_quality_ceiling is 0"),
    (TOY, "1.1", {"high_quality_ceiling": None}, "do not know high_quality_ceiling"),
    (STACKS, "1.1", {"unreadable_floor": 1.0}, "unreadable_floor is 1"),
    (STACKS, "1.1", {"unreadable_floor": None}, "do not know unreadable_floor"),
    (STACKS, "1.1", {"coverage_ceiling": 0.0}, "coverage_ceiling is 0"),
    (STACKS, "1.1", {"coverage_ceiling": None}, "do not know coverage_ceiling"),
]
WITH = [
    (DIGITS, "1.0", {"distance_floor": 7999.9}),
    (DIGITS, "1.0", {"distance_floor": 1e-300}),
    (TOY, "1.0", {"high_quality_ceiling": None, "distance_floor": 0.0}),
    (TOY, "1.1", {"high_quality_ceiling": 1e-9, "distance_floor": 0.0}),
    (STACKS, "1.0", {"unreadable_floor": None, "coverage_ceiling": None}),
    (STACKS, "1.1", {"unreadable_floor": 0.0, "coverage_ceiling": 1.0, "distance_floor": None}),
]


@pytest.mark.parametrize(("workload", "protocol", "metrics", "reason"), WITHOUT)
def test_what_takes_the_scale_away_has_a_reason_and_a_way_out(workload, protocol, metrics, reason):
    made = planted_record(workload, protocol_version=protocol, metrics=metrics)
    lacking = no_scale(made, workload)
    assert reason in lacking.reason
    assert "again" in lacking.way_out
    with pytest.raises(ValueError, match=f"{made.trial_id}.*{workload.name}"):
        scores.score(made, workload)


@pytest.mark.parametrize(("workload", "protocol", "metrics"), WITH)
def test_what_leaves_a_scale(workload, protocol, metrics):
    made = planted_record(workload, protocol_version=protocol, metrics=metrics)
    assert no_scale(made, workload) is None
    assert 0.0 <= scores.score(made, workload) <= 1.0


def test_one_result_is_enough_and_failed_ones_need_no_scale():
    sound = [planted_record(DIGITS, seed=seed) for seed in range(2)]
    bad = planted_record(DIGITS, seed=2, metrics={"distance_floor": 0.0})
    failed = planted_record(DIGITS, seed=3, status="diverged", metrics={"distance_floor": 0.0})
    found = unscored([*sound, bad, failed], DIGITS)
    assert (found.record, found.results, found.of) == (f"{bad.trial_id}.0", 1, 3)
    assert unscored([*sound, failed], DIGITS) is None
    assert scores.score(failed, DIGITS) == 0.0
    # Its moving average is held against the scale all the same.
    averaged = planted_record(
        DIGITS, seed=3, status="diverged", protocol_version="1.1", metrics={"distance_floor": 0.0, "ema_distance": 9.0}
    )
    assert unscored([*sound, averaged], DIGITS).record == f"{averaged.trial_id}.0"


def world(floor_of_mnist, methods=("nsgan", "hinge"), seeds=6):
    distances = {"nsgan": 100.0, "hinge": 50.0}
    return [
        planted_record(
            workload,
            method,
            seed,
            distance=distances[method] * (1 if workload is DIGITS else 3),
            metrics={"distance_floor": floor_of_mnist} if workload is OTHER else {},
        )
        for workload in (DIGITS, OTHER)
        for method in methods
        for seed in range(seeds)
    ]


@pytest.mark.parametrize("floor", [0.0, None, 8000.0])
def test_the_others_are_ranked_as_if_the_workload_were_not_there(floor):
    records = world(floor)
    (board,) = rank(records, WORKLOADS, resamples=200)
    (alone,) = rank([each for each in records if each.spec.workload == "digits"], WORKLOADS, resamples=200)
    columns = {column.name: column for column in board.workloads}
    assert columns["digits"].unscored is None
    assert (columns["mnist"].unscored.results, columns["mnist"].unscored.of) == (12, 12)
    told = ("method", "score", "score_low", "score_high", "rank", "among_best", "p_adjusted", "cells_done", "seeds")
    for name in told:
        assert [getattr(row, name) for row in board.rows] == [getattr(row, name) for row in alone.rows], name
    assert [row.score for row in board.rows] == pytest.approx(
        [math.log(8000 / distance) / math.log(4000) for distance in (50.0, 100.0)]
    )
    assert board.rows[0].distances == {"digits": 50.0, "mnist": 150.0}
    assert board.uncounted == 0


def test_the_workload_counts_where_its_floor_is_right():
    (board,) = rank(world(3.0), WORKLOADS, resamples=200)
    assert all(column.unscored is None for column in board.workloads)
    assert board.rows[0].cells_counting == 12


def test_a_method_that_lacks_the_unscored_workload_alone_is_ranked():
    records = [each for each in world(0.0) if (each.spec.method, each.spec.workload) != ("hinge", "mnist")]
    (board,) = rank(records, WORKLOADS, resamples=50)
    assert {row.method for row in board.ranked} == {"nsgan", "hinge"}


def test_with_no_workload_left_nobody_is_ranked():
    records = [each for each in world(0.0) if each.spec.workload == "mnist"]
    (board,) = rank(records, WORKLOADS, resamples=50)
    assert board.ranked == ()
    assert [row.score for row in board.rows] == [None, None]
    assert [row.cells_counting for row in board.rows] == [0, 0]
    assert board.workloads[0].unscored is not None


def test_an_unscored_result_outside_the_counting_cells_costs_nothing():
    records = world(3.0)
    extra = planted_record(OTHER, "hinge", 7, metrics={"distance_floor": 0.0})
    (board,) = rank([*records, extra], WORKLOADS, resamples=50)
    assert all(column.unscored is None for column in board.workloads)
    assert board.uncounted == 1


def test_compare_leaves_out_the_scores_without_a_scale_and_compares_distances():
    metrics = {"high_quality_ceiling": 0.0, "distance_floor": 0.0}
    sides = [
        [
            planted_record(
                place, seed=seed, protocol_version="1.1", distance=100.0 + seed, components={"losses": losses},
                metrics=metrics,
            )
            for place in (DIGITS, TOY)
            for seed in range(5)
        ]
        for losses in ("1", "2")
    ]  # fmt: skip
    compared = compare(*sides, WORKLOADS, GateSettings(resamples=200))
    quality = {row.workload: row.findings[0] for row in compared.rows}
    assert quality["digits"].verdict == "equivalent"
    assert (quality["ring8"].verdict, quality["ring8"].note[:9]) == ("not comparable", "no scale:")
    assert "high_quality_ceiling" in quality["ring8"].note
