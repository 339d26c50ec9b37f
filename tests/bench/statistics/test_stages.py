"""What a trial had reached at an earlier evaluation is what a shorter trial would have recorded."""

import msgspec
import pytest
from planted_records import UNTRAINED, make_toy, make_workload, planted_record

from bench.statistics.ranking import rank
from bench.statistics.scores import is_failure, score
from bench.statistics.stages import all_at_step, at_step, steps_of
from bench.store.record import Evaluation, History

WORKLOAD = make_workload()


def with_path(path, status="ok", **changes):
    """A record of 600 steps with these distances at steps 0, 200, 400 and 600. None was not finite."""
    record = planted_record(
        WORKLOAD, distance=path[-1], status=status, protocol_version="1.1",
        metrics={"ema_distance": 70.0, "ema_fd": 70.0, "fd_floor": 2.0, "fd": path[-1]}, **changes,
    )  # fmt: skip
    evaluations = [Evaluation(step=200 * at, metrics={"fd": each, "modes": 5.0}) for at, each in enumerate(path)]
    return msgspec.structs.replace(record, history=History(evaluations=evaluations))


def test_metrics_are_those_of_the_step_and_constants_stay():
    found = at_step(with_path([8000.0, 900.0, 300.0, 100.0]), WORKLOAD, 400)
    assert found.spec.steps == 400
    assert found.metrics["distance"] == found.metrics["fd"] == 300.0
    assert found.metrics["modes"] == 5.0
    assert found.metrics["distance_init"] == UNTRAINED
    assert found.metrics["fd_floor"] == 2.0
    assert "ema_distance" not in found.metrics, "the average is measured at the end alone"
    assert "distance_best" not in found.metrics, "the best of all evaluations is not that of the first two"
    shorter = planted_record(WORKLOAD, distance=300.0, protocol_version="1.1", steps=400)
    assert score(found, WORKLOAD) == score(shorter, WORKLOAD)


def test_the_last_step_is_the_record_itself():
    record = with_path([8000.0, 900.0, 300.0, 100.0])
    assert at_step(record, WORKLOAD, 600) is record


def test_a_step_without_an_evaluation_says_nothing():
    record = with_path([8000.0, 900.0, 300.0, 100.0])
    assert at_step(record, WORKLOAD, 300) is None
    assert at_step(record, WORKLOAD, 800) is None
    assert at_step(with_path([8000.0], status="timeout"), WORKLOAD, 200) is None
    assert at_step(with_path([8000.0, 900.0, 300.0], status="timeout"), WORKLOAD, 200) is None, "it is no result"


@pytest.mark.parametrize(
    ("path", "status", "at_400"),
    [
        ([8000.0, 7900.0, 7800.0, 100.0], "ok", "not_learned"),
        ([8000.0, 900.0, 5000.0, 100.0], "ok", "diverged"),
        ([8000.0, 900.0, 300.0, 6000.0], "diverged", "ok"),
        ([8000.0, 900.0, 300.0], "nonfinite", "ok"),
        ([8000.0, 900.0], "nonfinite", "nonfinite"),
        ([8000.0, 900.0, None], "nonfinite", "nonfinite"),
    ],
)
def test_a_run_fails_at_a_step_by_what_had_happened_until_then(path, status, at_400):
    found = at_step(with_path(path, status), WORKLOAD, 400)
    assert found.status == at_400
    assert is_failure(found) == (at_400 != "ok")
    assert (score(found, WORKLOAD) > 0.0) == (at_400 == "ok")


@pytest.mark.parametrize(
    ("first", "step", "status"),
    [
        *((350, 200, "ok"), (350, 400, "nonfinite"), (350, 300, None), (350, 500, "nonfinite")),
        *(
            (399, 400, "nonfinite"),
            (400, 400, "ok"),
            (0, 200, "nonfinite"),
            (None, 400, "ok"),
            (None, 500, "nonfinite"),
        ),
    ],
)
def test_the_step_that_was_not_finite_decides_and_not_the_evaluation_after_it(first, step, status):
    """Step 350 is the 351st update: a trial of 400 steps makes it, and one of 350 steps does not."""
    record = with_path([8000.0, 900.0, 300.0], "nonfinite")
    record = msgspec.structs.replace(record, stability={**record.stability, "first_nonfinite_step": first})
    found = at_step(record, WORKLOAD, step)
    assert (found.status if found else None) == status


def test_points_are_measured_by_their_own_distance():
    toy = make_toy()
    record = planted_record(toy, distance=0.5, protocol_version="1.1")
    assert at_step(record, toy, 200).metrics["distance"] == record.history.evaluations[1].metrics["sliced_w2"]


def test_every_evaluation_but_the_first_is_a_budget():
    assert steps_of([with_path([8000.0, 900.0, 300.0, 100.0])]) == [200, 400, 600]


def test_the_order_at_a_step_can_be_another_than_at_the_end():
    quick, slow = (
        [with_path(path, method=method, method_name=method, seed=seed) for seed in range(5)]
        for method, path in (("hinge", [8000.0, 100.0, 99.0, 98.0]), ("lsgan", [8000.0, 900.0, 300.0, 10.0]))
    )
    for records, first in (
        (all_at_step([*quick, *slow], {"digits": WORKLOAD}, 200), "hinge"),
        ([*quick, *slow], "lsgan"),
    ):
        board = rank(records, {"digits": WORKLOAD}, resamples=100)[0]
        assert board.rows[0].method == first
