"""Results folders united: nothing is counted twice, nothing that ended is lost, and what contradicts is reported."""

import itertools

import msgspec
import pytest
from planted_records import make_workload, planted_record

from bench.report.self_checks import attempt_contradictions
from bench.store.journal import Store
from bench.store.merging import Union, merge, unite

WORKLOAD = make_workload()


def result(seed=0, **changes):
    return planted_record(WORKLOAD, seed=seed, **changes)


def lost(seed=0, attempt=0, start="01", end="02", status="timeout"):
    record = planted_record(WORKLOAD, seed=seed, distance=None, status=status, attempt=attempt)
    return msgspec.structs.replace(
        record, started_at=f"2026-01-01T{start}:00:00+00:00", finished_at=f"2026-01-01T{end}:00:00+00:00"
    )


def folder(root, name, *records):
    store = Store(root / name)
    for record in records:
        assert store.append(record) == "stored"
        store.log_path(record.trial_id, record.attempt).parent.mkdir(parents=True, exist_ok=True)
        store.log_path(record.trial_id, record.attempt).write_text(f"{name} {record.status}")
        if record.status == "ok":
            store.artifacts_dir(record.trial_id).mkdir(parents=True)
            (store.artifacts_dir(record.trial_id) / "samples.png").write_text(name)
    return root / name


def united(root, *folders):
    into = root / "all"
    union = merge(into, folders)
    return Store(into), union


def test_folders_of_other_trials_are_joined_with_all_that_belongs_to_them(tmp_path):
    one, two = folder(tmp_path, "one", result(0), result(1)), folder(tmp_path, "two", result(2))
    store, union = united(tmp_path, one, two)
    assert [record.spec.seed for record in sorted(store.records(), key=lambda each: each.spec.seed)] == [0, 1, 2]
    assert (union.added, union.present, union.conflicts) == (3, 0, [])
    for source, seed in ((one, 0), (one, 1), (two, 2)):
        trial = result(seed).trial_id
        assert store.record_path(trial, 0).read_bytes() == Store(source).record_path(trial, 0).read_bytes()
        assert (store.artifacts_dir(trial) / "samples.png").read_text() == source.name
        assert store.log_path(trial, 0).read_text() == f"{source.name} ok"


def test_done_again_it_adds_nothing_and_changes_nothing(tmp_path):
    folders = folder(tmp_path, "one", result(0), lost(1)), folder(tmp_path, "two", result(0), result(2))
    store, first = united(tmp_path, *folders)
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    _, again = united(tmp_path, *folders)
    assert (first.added, first.present) == (3, 1)
    assert (again.added, again.present) == (0, 4)
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before


def test_a_lost_attempt_comes_before_the_result_under_the_next_number(tmp_path):
    store, union = united(tmp_path, folder(tmp_path, "one", lost()), folder(tmp_path, "two", result()))
    attempts = store.records()
    assert [(record.attempt, record.status) for record in attempts] == [(0, "timeout"), (1, "ok")]
    assert union.added == 2
    assert store.log_path(result().trial_id, 1).read_text() == "two ok"
    assert list(attempt_contradictions(attempts)) == []


def test_a_lost_attempt_after_a_result_is_left_out(tmp_path):
    store, union = united(tmp_path, folder(tmp_path, "one", result()), folder(tmp_path, "two", lost()))
    assert [record.status for record in store.records()] == ["ok"]
    assert (union.added, union.lost) == (1, 1)


def test_of_two_attempts_at_once_the_result_is_kept(tmp_path):
    during = lost(start="00", end="05")
    late = msgspec.structs.replace(during, finished_at="2027-01-01T00:00:00+00:00")
    store, union = united(tmp_path, folder(tmp_path, "one", late), folder(tmp_path, "two", result()))
    assert [(record.attempt, record.status) for record in store.records()] == [(0, "ok")]
    assert (union.added, union.lost) == (1, 1)
    assert list(attempt_contradictions(store.records())) == []


def test_no_result_is_ever_lost_to_a_lost_attempt_that_is_there_already(tmp_path):
    late = msgspec.structs.replace(lost(), finished_at="2027-01-01T00:00:00+00:00")
    folder(tmp_path, "all", late)
    store, union = united(tmp_path, folder(tmp_path, "two", result()))
    assert [record.status for record in store.records()] == ["timeout", "ok"]
    assert union.added == 1


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({}, "repeated"),
        ({"fingerprint": "beef01234567"}, "elsewhere"),
        ({"fingerprint": "beef01234567", "distance": 90.0}, "elsewhere"),
        ({"distance": 90.0}, "conflicts"),
        ({"distance": None, "status": "nonfinite"}, "conflicts"),
    ],
)
def test_a_second_result_is_held_against_the_first_which_stays(tmp_path, changes, counted):
    first = folder(tmp_path, "one", result())
    other = planted_record(WORKLOAD, **{"finished_at": "2026-01-02T03:09:00+00:00", **changes})
    store, union = united(tmp_path, first, folder(tmp_path, "two", other))
    found = {name: getattr(union, name) for name in ("repeated", "elsewhere", "conflicts", "lost", "present")}
    assert {name: bool(value) for name, value in found.items()} == {name: name == counted for name in found}
    assert store.records() == [result()]
    if counted == "conflicts":
        assert union.conflicts[0].source.name == "two"
        assert union.conflicts[0].differing


@pytest.mark.parametrize("judge", ["inception-v3-compat", "clip-vit-b-32", "vgg16"])
def test_a_result_is_taken_again_once_a_judge_has_looked(judge):
    judged = msgspec.structs.replace(
        result(),
        attempt=1,
        environment=msgspec.structs.replace(
            result().environment, versions={**result().environment.versions, judge: "6726825d"}
        ),
    )
    union = Union()
    additions = unite([], {"one": [result(), judged]}, union)
    assert [each.record.attempt for each in additions] == [0, 1]
    assert unite([result(), judged], {"two": [result()]}, union) == []
    assert [each.record.attempt for each in unite([result()], {"two": [result(), judged]}, union)] == [1]


@pytest.mark.parametrize(("there", "number"), [([1], 2), ([2], 3), ([0, 3], 4), ([], 0)])
def test_an_attempt_is_numbered_after_all_that_are_there(tmp_path, there, number):
    folder(tmp_path, "all", *(lost(attempt=attempt) for attempt in there))
    store, union = united(tmp_path, folder(tmp_path, "two", result()))
    assert [(record.attempt, record.status) for record in store.records()] == [
        *((attempt, "timeout") for attempt in there),
        (number, "ok"),
    ]
    assert store.latest()[result().trial_id].status == "ok"
    assert union.added == 1


def test_a_second_result_is_held_against_the_first_also_where_an_attempt_was_lost_after_it():
    def with_judge(record):
        environment = record.environment
        versions = {**environment.versions, "vgg16": "6726825d"}
        return msgspec.structs.replace(record, environment=msgspec.structs.replace(environment, versions=versions))

    here, union = [result(), lost(attempt=1)], Union()
    assert unite(here, {"two": [result(distance=90.0)]}, union) == []
    assert unite(here, {"two": [lost(start="07", end="08")]}, union) == []
    assert (len(union.conflicts), union.lost) == (1, 1)
    assert [addition.record.attempt for addition in unite(here, {"two": [with_judge(result())]}, union)] == [2]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_in_whatever_order_folders_come_every_trial_with_a_result_has_one(tmp_path, order):
    folders = [
        folder(tmp_path, "a", lost(0), result(1)),
        folder(tmp_path, "b", lost(0, start="03", end="04", status="error"), lost(1)),
        folder(tmp_path, "c", result(0), lost(2)),
        folder(tmp_path, "d", result(0), lost(2, start="05", end="06")),
    ]
    store, union = united(tmp_path, *(folders[place] for place in order))
    latest = store.latest()
    assert {latest[result(seed).trial_id].status for seed in (0, 1)} == {"ok"}
    assert latest[result(2).trial_id].status == "timeout"
    assert union.conflicts == []
    for seed in range(3):
        attempts = [record for record in store.records() if record.spec.seed == seed]
        assert [record.attempt for record in attempts] == list(range(len(attempts)))
        assert list(attempt_contradictions(attempts)) == []
