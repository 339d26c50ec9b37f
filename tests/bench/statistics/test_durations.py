"""How long trials take: from the speeds of this machine's records, without reading a curve."""

import msgspec
import pytest
from planted_records import make_workload, planted_record

from bench.config.trial import Trial, evaluation_count
from bench.statistics.durations import estimate_duration
from bench.store.record import without_history


def timed(method="nsgan", seed=0, *, train=60.0, evaluating=8.0, steps=600, completed=None, **changes):
    """Return a record with times, which ran from 03:04:00 to 03:05:30."""
    record = planted_record(
        make_workload(steps=steps), method, seed, finished_at="2026-01-02T03:05:30+00:00", **changes
    )
    return msgspec.structs.replace(
        record,
        cost={"train_seconds": train, "evaluation_seconds": evaluating},
        stability={"completed_steps": float(steps if completed is None else completed)},
    )


def planned(record, **changes):
    return Trial(spec=msgspec.structs.replace(record.spec, **changes), components=record.components)


@pytest.mark.parametrize(("steps", "completed", "count"), [(600, 600, 4), (500, 500, 4), (500, 401, 3), (600, 50, 1)])
def test_evaluations_are_at_the_start_at_every_interval_and_at_the_end(steps, completed, count):
    spec = planted_record(make_workload(steps=steps)).spec
    assert spec.evaluate_every == 200
    assert evaluation_count(spec, completed) == count


def test_time_is_steps_evaluations_and_the_rest():
    record = timed()
    trial = planned(record, seed=7, steps=1500)  # 9 evaluations; the record has 4
    found = estimate_duration([trial], [record], record.environment, 1)
    assert found.seconds == pytest.approx(1500 * 60 / 600 + 9 * 8 / 4 + (90 - 60 - 8), rel=1e-12)
    assert (found.own, found.others, found.unknown) == (1, 0, ())


def test_a_trial_that_stopped_early_has_fewer_evaluations():
    record = timed(completed=250, status="nonfinite")  # evaluated at 0 and at 200
    found = estimate_duration([planned(record, seed=7)], [record], record.environment, 1)
    assert found.seconds == pytest.approx(600 * 60 / 250 + 4 * 8 / 2 + 22, rel=1e-12)


def test_records_without_their_curves_say_the_same():
    records = [timed(seed=seed, train=50.0 + seed) for seed in range(3)]
    trials = [planned(records[0], seed=seed) for seed in (7, 8)]
    machine = records[0].environment
    whole = estimate_duration(trials, records, machine, 2)
    assert estimate_duration(trials, map(without_history, records), machine, 2) == whole
