"""The score of a run: closed forms, failures, and records that cannot be scored."""

import math

import msgspec
import pytest

from bench.statistics import scores


def test_distance_score_is_linear_in_the_logarithm():
    halfway = math.sqrt(8000.0 * 2.0)
    assert scores.distance_score(halfway, initial=8000.0, floor=2.0) == pytest.approx(0.5, abs=1e-12)
    first_halving = 1.0 - scores.distance_score(4.0, initial=8000.0, floor=2.0)
    assert first_halving == pytest.approx(math.log(2) / math.log(4000), abs=1e-12)


@pytest.mark.parametrize(("distance", "expected"), [(9000.0, 0.0), (8000.0, 0.0), (2.0, 1.0), (0.5, 1.0), (0.0, 1.0)])
def test_distance_score_is_clipped(distance, expected):
    assert scores.distance_score(distance, initial=8000.0, floor=2.0) == expected


@pytest.mark.parametrize(("initial", "floor"), [(2.0, 2.0), (1.0, 2.0), (5.0, 0.0), (5.0, -1.0)])
def test_distance_score_needs_a_scale(initial, floor):
    with pytest.raises(ValueError, match="must be positive and below"):
        scores.distance_score(1.0, initial=initial, floor=floor)


def test_mode_score_closed_forms():
    assert scores.mode_score(8, 0.0, 8) == 1.0
    assert scores.mode_score(4, 0.0, 8) == 0.5
    assert scores.mode_score(8, math.log(8) / 4, 8) == pytest.approx(0.75, abs=1e-12)
    assert scores.mode_score(1, math.log(8), 8) == 0.0
    assert scores.mode_score(8, 99.0, 8) == 0.0


def test_the_workload_says_which_rule_applies(record, workload, toy):
    by_distance = scores.score(record(workload, distance=100.0), workload)
    assert by_distance == pytest.approx((math.log(8000) - math.log(100)) / (math.log(8000) - math.log(2)), abs=1e-12)
    by_modes = scores.score(record(toy, distance=100.0), toy)
    assert by_modes == pytest.approx(1 - 0.05 / math.log(8), abs=1e-12)


@pytest.mark.parametrize("status", ["nonfinite", "diverged", "not_learned"])
def test_a_failed_run_scores_zero_however_good_its_numbers(record, workload, status):
    failed = record(workload, distance=3.0, status=status)
    assert scores.is_failure(failed)
    assert scores.score(failed, workload) == 0.0


@pytest.mark.parametrize("status", ["timeout", "error"])
def test_a_lost_run_is_no_result(record, workload, status):
    lost = record(workload, status=status)
    assert not scores.is_result(lost)
    assert not scores.is_failure(lost)
    with pytest.raises(ValueError, match="has no score"):
        scores.score(lost, workload)


def test_no_mode_found_scores_zero_without_a_divergence(record, toy):
    empty = record(toy)
    empty = msgspec.structs.replace(empty, metrics={**empty.metrics, "modes": 0.0, "kl_uniform": None})
    assert scores.score(empty, toy) == 0.0


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_successful_record_without_its_number_is_refused(record, workload, value):
    damaged = record(workload)
    damaged = msgspec.structs.replace(damaged, metrics={**damaged.metrics, "distance": value})
    with pytest.raises(ValueError, match=f"{damaged.trial_id}.*'distance'"):
        scores.score(damaged, workload)


def test_an_unknown_workload_is_named(record, workload):
    with pytest.raises(ValueError, match="'digits', which this version does not have"):
        scores.workload_of(record(workload), {})
