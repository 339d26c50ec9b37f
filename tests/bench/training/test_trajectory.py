"""What the evaluations say of a run: each measure by hand or in numpy, and what missing evaluations do to it."""

import math

import numpy as np
import pytest

from bench.config.protocol import TARGET_SCORE
from bench.statistics.scores import distance_score
from bench.store.record import Evaluation
from bench.training.trajectory import (
    auc_log_distance,
    best_step,
    collapse_onset,
    late_regression,
    late_regression_onset,
    oscillation,
    status_of,
    time_to_target,
    trajectory_metrics,
)

Distances = list[float | None]


@pytest.mark.parametrize(
    ("distances", "first_nonfinite", "status"),
    [
        ([100.0, 40.0, 20.0], None, "ok"),
        ([100.0, 50.0], None, "ok"),
        ([100.0, 40.0, 50.1], None, "diverged"),
        ([100.0, 50.1, 99.0], None, "not_learned"),
        ([100.0], None, "not_learned"),
        ([100.0, 40.0, 20.0], 17, "nonfinite"),
        ([100.0, 40.0, None], None, "nonfinite"),
    ],
)
def test_status(distances: list[float | None], first_nonfinite: int | None, status: str) -> None:
    assert status_of(distances, first_nonfinite) == status


def test_late_regression_is_the_log_of_last_over_best() -> None:
    assert late_regression([100.0, 10.0, 20.0]) == pytest.approx(math.log(2))
    assert late_regression([100.0, 20.0, 10.0]) == 0
    assert late_regression([5.0, 20.0, 10.0]) == 0  # the untrained generator is not a checkpoint
    assert late_regression([100.0]) is None
    assert late_regression([100.0, 10.0, None]) is None


def steps_of(values: Distances) -> list[int]:
    return [500 * e for e in range(len(values))]


def test_the_best_step_is_the_first_of_the_best_and_never_the_untrained() -> None:
    assert best_step([0, 5, 10, 15], [1.0, 30.0, 20.0, 20.0]) == 10
    assert best_step([0, 5, 10], [1.0, None, 20.0]) == 10
    assert best_step([0], [1.0]) is None
    assert best_step([0, 5], [1.0, math.nan]) is None


@pytest.mark.parametrize(
    ("distances", "onset"),
    [
        ([100.0, 10.0, 16.0, 20.0], 1000),
        ([100.0, 10.0, 16.0, 15.0, 20.0], 2000),  # 15 is not above 1.5 times the best
        ([100.0, 10.0, 16.0, 15.0], None),
        ([100.0, 20.0, 10.0], None),
        ([100.0, 40.0, 10.0, 15.1], 1500),  # above before the best is no regression
        ([100.0, 10.0, None, 20.0, 30.0], 1500),
        ([100.0, 10.0, 20.0, None], None),
        ([100.0], None),
        ([], None),
    ],
)
def test_late_regression_onset(distances: Distances, onset: int | None) -> None:
    assert late_regression_onset(steps_of(distances), distances) == onset


def test_the_target_is_the_distance_of_half_a_score() -> None:
    initial, floor = 900.0, 4.0  # the target is their geometric mean, 60
    assert distance_score(60.0, initial=initial, floor=floor) == pytest.approx(TARGET_SCORE) == pytest.approx(0.5)
    assert time_to_target([0, 5, 10, 15], [initial, 61.0, 59.0, 70.0], floor) == 10
    assert time_to_target([0, 5, 10, 15], [initial, None, 59.0, 70.0], floor) == 10
    assert time_to_target([0, 5, 10], [initial, 61.0, 60.5], floor) is None, "right-censored"
    assert time_to_target([0, 5], [59.0, 100.0], floor) is None, "the untrained generator reaches nothing"


@pytest.mark.parametrize(("initial", "floor"), [(None, 4.0), (9.0, None), (9.0, 0.0), (9.0, 9.0), (math.nan, 4.0)])
def test_without_a_scale_there_is_no_target(initial: float | None, floor: float | None) -> None:
    assert time_to_target([0, 5], [initial, 1.0], floor) is None


def test_auc_is_numpys_trapezoid_over_the_evaluations_there_are() -> None:
    steps, distances = [0, 100, 250, 300, 700], [900.0, 80.0, 20.0, 30.0, 5.0]
    expected = np.trapezoid(np.log(distances[1:]), steps[1:]) / 700
    assert auc_log_distance(steps, distances) == pytest.approx(expected, rel=1e-12)
    with_gap: Distances = [900.0, 80.0, None, 30.0, 5.0]
    expected = np.trapezoid(np.log([80.0, 30.0, 5.0]), [100, 300, 700]) / 700
    assert auc_log_distance(steps, with_gap) == pytest.approx(expected, rel=1e-12)
    assert auc_log_distance([0, 100], [900.0, 80.0]) is None


@pytest.mark.parametrize("count", [3, 4, 5, 8, 11])
def test_oscillation_is_the_median_change_over_the_second_half(count: int) -> None:
    trained = np.random.default_rng(count).lognormal(3, 1, count)
    later = [e for e in range(1, count) if e > count / 2]  # evaluations count from 1
    expected = np.median([abs(np.log(trained[e]) - np.log(trained[e - 1])) for e in later])
    assert oscillation([5e3, *trained.tolist()]) == pytest.approx(expected, rel=1e-9)


def test_oscillation_leaves_pairs_with_a_gap_out() -> None:
    assert oscillation([9.0, 1.0, 1.0, 1.0, 2.0, None, 3.0, 3.0 * math.e**2]) == pytest.approx(2)
    assert oscillation([9.0, 1.0, 2.0]) is None, "the second half of two is one evaluation"
    assert oscillation([9.0]) is None
    assert oscillation([]) is None


@pytest.mark.parametrize(
    ("modes", "onset"),
    [
        ([8.0, 8.0, 7.0, 7.0, 8.0], 1000),
        ([8.0, 8.0, 7.0, 8.0, 7.0], None),  # never two in a row
        ([1.0, 10.0, 9.0, 9.0, 9.0], None),  # nine tenths are not fewer than nine tenths
        ([1.0, 4.0, 3.0, 8.0, 7.0, 7.0], 2000),  # the best so far has risen meanwhile
        ([8.0, 2.0, 2.0, 2.0], None),  # the untrained generator does not count
        ([8.0, 8.0, 7.0, None, 7.0], 1000),
        ([None, None, None], None),
        ([8.0], None),
        ([], None),
    ],
)
def test_collapse_onset(modes: Distances, onset: int | None) -> None:
    assert collapse_onset(steps_of(modes), modes) == onset


def evaluations(rows: list[dict[str, float | None]]) -> list[Evaluation]:
    return [Evaluation(step=10 * e, metrics=metrics) for e, metrics in enumerate(rows)]


def test_the_course_reads_the_named_distance_and_the_modes() -> None:
    distances = [900.0, 50.0, 20.0, 40.0, 60.0]
    rows: list[dict[str, float | None]] = [
        {"fd": distance, "kid": 1.0, "modes": modes}
        for distance, modes in zip(distances, [1.0, 10.0, 8.0, 8.0, 10.0], strict=True)
    ]
    found = trajectory_metrics(evaluations(rows), "fd", 4.0)
    assert found.pop("auc_log_distance") == pytest.approx(np.trapezoid(np.log(distances[1:]), [10, 20, 30, 40]) / 40)
    assert found == {
        "best_step": 20,
        "late_regression": pytest.approx(math.log(3)),
        "late_regression_onset": 30,
        "time_to_target": 10,
        "oscillation": pytest.approx(math.log(1.5)),
        "collapse_onset": 20,
    }


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_course_of_which_nothing_is_known(value: float | None) -> None:
    for count in range(5):
        rows: list[dict[str, float | None]] = [{"fd": value} for _ in range(count)]
        assert set(trajectory_metrics(evaluations(rows), "fd", None).values()) <= {None}
