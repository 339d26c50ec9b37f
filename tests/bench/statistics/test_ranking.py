"""The leaderboard: the planted order, ties, and everything that must not be averaged over silently."""

import msgspec
import pytest
from planted_records import make_stacks

from bench.statistics.ranking import rank


def methods_of(board):
    return [row.method for row in board.rows]


def test_the_planted_order_is_found(planted, workload, planted_order):
    (board,) = rank(planted(10), {"digits": workload}, resamples=2000)
    assert methods_of(board) == list(planted_order)
    assert [row.rank for row in board.rows] == [1, 2, 3, 4]
    assert [(row.rank_low, row.rank_high) for row in board.rows] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [row.among_best for row in board.rows] == [True, False, False, False]
    assert all(row.score_low <= row.score <= row.score_high for row in board.rows)


def test_the_same_records_give_the_same_table_in_any_order(planted, workload):
    records = planted(3)
    forth, back = (rank(each, {"digits": workload}, resamples=300) for each in (records, records[::-1]))
    assert forth == back
    assert forth[0].digest == back[0].digest


def test_the_digest_names_the_content_and_not_the_ids_alone(planted, workload):
    records = planted(2)
    changed = [msgspec.structs.replace(records[0], stability={"late_regression": 0.5}), *records[1:]]
    (one,), (other,) = (rank(each, {"digits": workload}, resamples=50) for each in (records, changed))
    assert one.record_ids == other.record_ids
    assert one.digest != other.digest


def test_everybody_is_tested_against_the_reference(planted, workload, planted_order):
    (board,) = rank(planted(10), {"digits": workload}, resamples=500)
    rows = {row.method: row for row in board.rows}
    assert board.reference == "nsgan"
    assert (rows["nsgan"].p_adjusted, rows["nsgan"].better_than_reference) == (None, None)
    assert [rows[name].better_than_reference for name in planted_order if name != "nsgan"] == [1.0, 1.0, 0.0]
    # Ten pairs of one sign: p = 2 / 2^10, and Holm multiplies the smallest of three by three.
    assert [rows[name].p_value for name in planted_order if name != "nsgan"] == [2 / 2**10] * 3
    assert [rows[name].p_adjusted for name in planted_order if name != "nsgan"] == [6 / 2**10] * 3
    assert [rows[name].verdict for name in planted_order if name != "nsgan"] == ["better", "better", "worse"]
    assert [rows[name].estimates["digits"].wins for name in planted_order if name != "nsgan"] == [10, 10, 0]
    assert (board.reach.least, board.workloads[0].reach.least) == (6 / 2**10, 6 / 2**10)


def test_a_reference_that_is_incomplete_tests_nobody_and_still_is_the_measure_of_cost(planted, workload):
    records = [each for each in planted(3) if not (each.spec.method == "nsgan" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert board.reference is None
    assert all(row.p_value is None for row in board.rows)
    assert {row.method: (row.relative_throughput, row.cost_pairs) for row in board.rows}["mmgan"] == (1.0, 2)


def test_modes_are_a_median_over_failed_runs_too(record, toy):
    records = [record(toy, "nsgan", seed) for seed in range(2)]
    failed = record(toy, "nsgan", 2, distance=None, status="nonfinite")
    for metrics, expected in (({}, 8.0), ({**failed.metrics, "modes": 3.0}, 8.0)):
        made = [*records, msgspec.structs.replace(failed, metrics=metrics)]
        assert rank(made, {"ring8": toy}, resamples=50)[0].rows[0].modes["ring8"] == expected
    lost = [
        records[0],
        *(msgspec.structs.replace(record(toy, "nsgan", s, status="nonfinite"), metrics={}) for s in (1, 2)),
    ]
    (board,) = rank(lost, {"ring8": toy}, resamples=50)
    assert board.rows[0].modes["ring8"] == 0.0
    assert board.rows[0].done == {"ring8": 3}


def test_methods_that_cannot_be_told_apart_may_both_be_the_best(record, workload):
    records = []
    for seed, (first, second) in enumerate([(50, 60), (60, 50), (55, 52), (52, 58), (58, 55), (54, 57), (57, 53)]):
        records += [
            record(workload, "a", seed, distance=float(first)),
            record(workload, "b", seed, distance=float(second)),
        ]
        records.append(record(workload, "far", seed, distance=900.0 + seed))
    (board,) = rank(records, {"digits": workload}, resamples=2000)
    by_name = {row.method: row for row in board.rows}
    assert {name: row.among_best for name, row in by_name.items()} == {"a": True, "b": True, "far": False}
    assert (by_name["a"].rank_low, by_name["a"].rank_high) == (1, 2)
    assert (by_name["far"].rank_low, by_name["far"].rank_high) == (3, 3)


def test_an_easy_workload_and_a_hard_one_weigh_alike(record, workload, toy):
    """Nothing is pooled: the interquartile mean of before threw away whichever workload lay outside."""
    workloads = {"digits": workload, "ring8": toy}
    records = [
        record(place, method, seed, distance=distance, metrics=metrics)
        for place, method, distance, metrics in (
            (workload, "nsgan", 100.0, {}),
            (workload, "a", 50.0, {}),
            (toy, "nsgan", 100.0, {"modes": 8.0, "kl_uniform": 0.0}),
            (toy, "a", 100.0, {"modes": 2.0, "kl_uniform": 0.0}),
        )
        for seed in range(10)
    ]
    (board,) = rank(records, workloads, resamples=100)
    rows = {row.method: row for row in board.rows}
    on = rows["a"].estimates
    assert on["ring8"].score == pytest.approx(0.25)
    assert rows["a"].score == pytest.approx((on["digits"].score + on["ring8"].score) / 2)
    assert [on[name].test.verdict for name in ("digits", "ring8")] == ["better", "worse"]
    assert rows["a"].verdict == "mixed"
    assert set(rows["a"].late_regressions) == {"digits", "ring8"}


def test_late_regressions_are_not_pooled(record, workload, toy):
    def late(place, value):
        return msgspec.structs.replace(record(place, "nsgan", 0), stability={"late_regression": value})

    (board,) = rank([late(workload, 0.0), late(toy, 2.0)], {"digits": workload, "ring8": toy})
    assert board.rows[0].late_regressions == {"digits": 0.0, "ring8": 2.0}


def test_what_a_score_of_modes_is_made_of_is_there(record, toy):
    records = [record(toy, "nsgan", seed, metrics={"kl_uniform": 0.1 * seed}) for seed in range(3)]
    records += [record(toy, "nsgan", 3, distance=None, status="nonfinite", metrics={"kl_uniform": None})]
    (board,) = rank(records, {"ring8": toy})
    assert board.rows[0].divergences["ring8"] == pytest.approx(0.15)  # the run without a histogram is infinitely far
    assert board.rows[0].coverages == {}
    stacks = make_stacks()
    (board,) = rank([record(stacks, "nsgan", seed) for seed in range(2)], {stacks.name: stacks})
    assert (board.rows[0].coverages[stacks.name], board.workloads[0].coverage_ceiling) == (0.6, 0.9)


def test_where_everything_failed_nobody_leads(record, workload):
    records = [
        record(workload, name, seed, distance=None, status="nonfinite") for name in ("nsgan", "a") for seed in range(10)
    ]
    (board,) = rank(records, {"digits": workload})
    assert [(row.score, row.rank, row.among_best, row.verdict) for row in board.rows] == [(0.0, None, None, None)] * 2


@pytest.mark.parametrize("seeds", [2, 4])
def test_few_seeds_have_scores_and_intervals_alone(planted, workload, seeds):
    (board,) = rank(planted(seeds), {"digits": workload})
    assert all(row.score_low <= row.score <= row.score_high for row in board.rows)
    for row in board.rows:
        assert (row.rank, row.rank_low, row.among_best, row.p_adjusted, row.better_than_reference) == (None,) * 5
    assert board.ranked == ()
    assert len(board.scored) == 4


def test_failures_count_zero_and_are_shown_with_their_interval(record, workload):
    records = [record(workload, "steady", seed, distance=100.0) for seed in range(3)]
    records += [record(workload, "shaky", seed, distance=100.0) for seed in range(2)]
    records.append(record(workload, "shaky", 2, distance=None, status="nonfinite"))
    (board,) = rank(records, {"digits": workload}, resamples=200)
    steady, shaky = board.rows
    assert shaky.score == pytest.approx(2 / 3 * steady.score, rel=1e-12)
    assert (shaky.failures, shaky.runs) == (1, 3)
    assert (shaky.failure_low, shaky.failure_high) == pytest.approx((0.0084, 0.9057), abs=1e-4)
    assert shaky.distances["digits"] == 100.0  # the median run
    assert steady.failure_low == 0.0


def test_a_median_over_mostly_failed_runs_does_not_exist(record, workload):
    records = [record(workload, "broken", seed, distance=None, status="nonfinite") for seed in range(2)]
    records.append(record(workload, "broken", 2, distance=100.0))
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert board.rows[0].distances["digits"] is None


def test_a_missing_seed_leaves_the_method_unranked(planted, workload):
    records = [each for each in planted(5) if not (each.spec.method == "wgan-gp" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    row = board.rows[-1]
    assert row.method == "wgan-gp"
    assert (row.cells_done, row.cells_counting) == (4, 5)
    assert (row.score, row.rank, row.rank_low, row.among_best) == (None, None, None, None)
    assert [each.rank for each in board.rows[:-1]] == [1, 2, 3]


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_lost_run_is_missing_and_no_failure(planted, record, workload, status):
    records = planted(3)
    records[0] = record(workload, records[0].spec.method, 0, status=status)
    (board,) = rank(records, {"digits": workload}, resamples=200)
    row = board.rows[-1]
    assert (row.cells_done, row.failures, row.runs, row.lost) == (2, 0, 2, 1)
    assert row.score is None


def test_seeds_that_few_methods_have_do_not_count(planted, record, workload):
    records = planted(3)
    alone = rank(records, {"digits": workload}, resamples=200)[0]
    records += [record(workload, "mmgan", seed, distance=3.0) for seed in range(3, 10)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert [row.score for row in board.rows] == [row.score for row in alone.rows]
    assert board.workloads[0].seeds == (0, 1, 2)
    assert board.uncounted == 7


def test_an_unfinished_round_does_not_unrank_what_is_complete(planted, workload):
    records = [each for each in planted(2) if each.spec.seed == 0 or each.spec.method == "nsgan"]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    assert all(row.score for row in board.rows)
    assert all((row.cells_done, row.cells_counting) == (1, 1) for row in board.rows)


def test_a_single_seed_has_an_order_but_no_interval(planted, workload):
    (board,) = rank(planted(1), {"digits": workload})
    assert [row.score for row in board.rows] == sorted((row.score for row in board.rows), reverse=True)
    assert all(row.score_low is None and row.rank is None and row.among_best is None for row in board.rows)


def test_fewer_than_ten_seeds_are_provisional(planted, workload):
    assert all(row.provisional for row in rank(planted(9), {"digits": workload}, resamples=50)[0].rows)
    assert not any(row.provisional for row in rank(planted(10), {"digits": workload}, resamples=50)[0].rows)


def test_variants_are_listed_and_never_ranked(planted, record, workload):
    records = planted(3)
    records += [record(workload, "nsgan", seed, distance=2.5, allow_invalid=True) for seed in range(3)]
    (board,) = rank(records, {"digits": workload}, resamples=200)
    variant = board.rows[-1]
    assert variant.variant
    assert (variant.score, variant.rank) == (None, None)
    assert variant.distances["digits"] == 2.5
    assert len(board.scored) == 4
