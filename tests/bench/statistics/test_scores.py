"""The score of a run: closed forms, versions, failures, averages, and records that cannot be scored."""

import math

import msgspec
import pytest
from planted_records import make_stacks

from bench.config.protocol import SCORING_VERSION, scoring_version
from bench.statistics import scores


def test_distance_score_is_linear_in_the_logarithm():
    halfway = math.sqrt(8000.0 * 2.0)
    assert scores.distance_score(halfway, initial=8000.0, floor=2.0) == pytest.approx(0.5, abs=1e-12)
    first_halving = 1.0 - scores.distance_score(4.0, initial=8000.0, floor=2.0)
    assert first_halving == pytest.approx(math.log(2) / math.log(4000), abs=1e-12)


@pytest.mark.parametrize(
    ("distance", "expected"), [(9000.0, 0.0), (8000.0, 0.0), (2.0, 1.0), (0.5, 1.0), (1e-300, 1.0)]
)
def test_distance_score_is_clipped(distance, expected):
    assert scores.distance_score(distance, initial=8000.0, floor=2.0) == expected


@pytest.mark.parametrize(("initial", "floor"), [(2.0, 2.0), (1.0, 2.0), (5.0, 0.0), (5.0, -1.0)])
def test_distance_score_needs_a_scale(initial, floor):
    with pytest.raises(ValueError, match="must be positive and below"):
        scores.distance_score(1.0, initial=initial, floor=floor)


@pytest.mark.parametrize("distance", [0.0, -5.0, -1e308, math.nan])
def test_no_distance_of_0_or_below_has_a_score(distance):
    with pytest.raises(ValueError, match="must be positive"):
        scores.distance_score(distance, initial=8000.0, floor=2.0)


def test_a_distance_below_one_has_a_score():
    assert scores.distance_score(0.5, initial=50.0, floor=0.005) == pytest.approx(0.5, abs=1e-12)


def test_mode_score_is_clipped():
    """Rounding can put a divergence of 0 a little below it."""
    assert scores.mode_score(8, -0.1, 8) == 1.0
    assert scores.mode_score(9, 0.0, 8) == 1.0


def test_mode_score_closed_forms():
    assert scores.mode_score(8, 0.0, 8) == 1.0
    assert scores.mode_score(4, 0.0, 8) == 0.5
    assert scores.mode_score(8, math.log(8) / 4, 8) == pytest.approx(0.75, abs=1e-12)
    assert scores.mode_score(1, math.log(8), 8) == 0.0
    assert scores.mode_score(8, 99.0, 8) == 0.0
    assert scores.mode_score(6, math.log(8) / 3, 8, 0.5) == pytest.approx(0.75 * (2 / 3) * 0.5, abs=1e-12)


def test_the_workload_says_which_rule_applies(record, workload, toy):
    by_distance = scores.score(record(workload, distance=100.0), workload)
    assert by_distance == pytest.approx((math.log(8000) - math.log(100)) / (math.log(8000) - math.log(2)), abs=1e-12)
    by_modes = scores.score(record(toy, distance=100.0), toy)
    assert by_modes == pytest.approx(1 - 0.05 / math.log(8), abs=1e-12)


def test_the_protocol_of_a_record_says_which_version_scores_it(record, toy):
    assert (scoring_version("1.0"), scoring_version("1.1"), SCORING_VERSION) == ("1", "2", "2")
    old, new = (record(toy, protocol_version=version, metrics={"high_quality": 0.1}) for version in ("1.0", "1.1"))
    evenly = 1 - 0.05 / math.log(8)
    assert scores.score(old, toy) == pytest.approx(evenly, abs=1e-12)
    assert scores.score(new, toy) == pytest.approx(evenly * 0.1 / 0.989, abs=1e-12)


def test_fidelity_in_the_plane_is_high_quality_over_its_ceiling(record, toy):
    for quality, expected in ((0.0, 0.0), (0.4945, 0.5), (0.989, 1.0), (1.0, 1.0)):
        made = record(toy, protocol_version="1.1", metrics={"high_quality": quality, "kl_uniform": 0.0})
        assert scores.score(made, toy) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("unreadable", "coverage", "expected"),
    [(0.02, 0.9, 1.0), (0.51, 0.9, 0.5), (0.02, 0.45, 0.5), (0.51, 0.45, 0.25), (1.0, 0.9, 0.0), (0.0, 1.0, 1.0)],
)
def test_fidelity_of_stacks_is_the_readable_share_times_coverage_over_real_data(record, unreadable, coverage, expected):
    stacks = make_stacks()
    metrics = {"unreadable": unreadable, "coverage": coverage, "kl_uniform": 0.0}
    made = record(stacks, protocol_version="1.1", metrics=metrics)
    assert scores.score(made, stacks) == pytest.approx(expected, abs=1e-12)


AVERAGE = {"ema_distance": 50.0}
AVERAGE_OF_POINTS = {"ema_distance": 50.0, "ema_modes": 6.0, "ema_kl_uniform": 0.0, "ema_high_quality": 0.4945}


def test_the_moving_average_is_scored_by_the_same_rule_on_shared_floors(record, workload, toy):
    made = record(workload, distance=100.0, protocol_version="1.1", metrics=AVERAGE)
    expected = (math.log(8000) - math.log(50)) / (math.log(8000) - math.log(2))
    assert scores.average_score(made, workload) == pytest.approx(expected, abs=1e-12)
    assert scores.score(made, workload) < expected
    points = record(toy, protocol_version="1.1", metrics=AVERAGE_OF_POINTS)
    assert scores.average_score(points, toy) == pytest.approx(0.75 * 0.5, abs=1e-12)


def test_a_record_without_the_average_has_no_score_of_it(record, workload):
    assert scores.average_score(record(workload, protocol_version="1.1"), workload) is None
    assert scores.average_score(record(workload, metrics=AVERAGE), workload) is None  # scoring version 1 knows none
    assert scores.average_score(record(workload, distance=None, status="nonfinite"), workload) is None


@pytest.mark.parametrize(
    ("status", "average", "fails"),
    [
        ("ok", 4000.0, False),  # half of the untrained generator's 8,000
        ("ok", 4000.1, True),
        ("ok", None, True),  # its samples were not finite
        ("diverged", 50.0, False),
        ("not_learned", 50.0, False),
        ("diverged", 5000.0, True),
        ("nonfinite", 50.0, True),
    ],
)
def test_the_average_fails_by_its_own_distance(record, workload, status, average, fails):
    made = record(workload, status=status, protocol_version="1.1", metrics={"ema_distance": average})
    assert (scores.average_score(made, workload) == 0.0) is fails
    assert (scores.score(made, workload) == 0.0) is (status != "ok")


def test_a_run_that_stopped_early_has_left_no_average(record, workload):
    stopped = record(workload, distance=None, status="nonfinite", protocol_version="1.1")
    assert scores.average_score(stopped, workload) == 0.0


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
