import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from bench.config.workload import Workload
from bench.store.journal import RecordError, Store, latest_attempts, read_record
from bench.store.record import Evaluation, History, Record
from bench.store.scratch import remove_stale_temporaries, scratch_folder

MakeRecord = Callable[..., Record]
replace = msgspec.structs.replace


@pytest.fixture
def one(record: MakeRecord, workload: Workload) -> Record:
    return record(workload)


ROOT = Path(__file__).parents[3]

RACER = """
import sys
from pathlib import Path
import msgspec
from bench.store.journal import Store
from bench.store.record import Record
store, record = Store(Path(sys.argv[1])), msgspec.json.decode(sys.stdin.buffer.readline(), type=Record)
print("ready", flush=True)
sys.stdin.buffer.readline()
print(store.append(record))
"""


def test_an_empty_folder_has_no_records(store: Store) -> None:
    assert store.records() == []
    assert store.latest() == {}


def test_append_and_read_back(store: Store, one: Record) -> None:
    assert store.append(one) == "stored"
    assert store.records() == [one]
    assert read_record(store.record_path(one.trial_id, 0)) == one
    assert [path.name for path in (store.root / "records").iterdir()] == [f"{one.trial_id}.0.json"]


def test_records_are_ordered_by_attempt_as_a_number(store: Store, one: Record) -> None:
    for attempt in (10, 9, 2):
        store.append(replace(one, attempt=attempt))
    assert [record.attempt for record in store.records()] == [2, 9, 10]
    assert store.latest()[one.trial_id].attempt == 10
    assert latest_attempts(reversed(store.records()))[0].attempt == 10


@pytest.mark.parametrize(
    ("statuses", "counting"),
    [
        (["ok", "error"], 0),
        (["not_learned", "timeout", "error"], 0),
        (["error", "ok", "timeout"], 1),
        (["ok", "error", "ok"], 2),
        (["ok", "ok"], 1),
        (["error", "timeout"], 1),
    ],
)
def test_the_last_attempt_with_a_result_counts_and_without_any_the_last(
    store: Store, one: Record, statuses: list[str], counting: int
) -> None:
    for attempt, status in enumerate(statuses):
        store.append(replace(one, attempt=attempt, status=status))
    assert store.latest()[one.trial_id].attempt == counting
    assert [record.attempt for record in latest_attempts(reversed(store.records()))] == [counting]


def test_first_record_stays_and_an_equal_one_is_the_same(store: Store, one: Record) -> None:
    store.append(one)
    before = store.record_path(one.trial_id, 0).read_bytes()
    later = replace(one, started_at="2027-01-01T00:00:00+00:00", cost={"train_seconds": 99.0}, commit="another")
    assert store.append(later) == "same"
    assert store.record_path(one.trial_id, 0).read_bytes() == before


def test_a_differing_twin_is_told_by_its_fields(store: Store, one: Record) -> None:
    store.append(one)
    twin = replace(
        one,
        status="diverged",
        metrics={**one.metrics, "modes": 3.0, "extra": 1.0},
        stability={**one.stability, "signal_last": None},
        history=History(evaluations=[Evaluation(step=1, metrics={})]),
    )
    assert store.append(twin) == ["status", "history", "metrics.extra", "metrics.modes", "stability.signal_last"]


def test_having_fid_is_no_disagreement_and_another_fid_is(store: Store, one: Record) -> None:
    assert one.environment is not None

    def with_fid(fid: float, weights: str) -> Record:
        versions = {**one.environment.versions, "inception-v3-compat": weights}
        return replace(
            one,
            metrics={**one.metrics, "fid": fid, "fid_samples": 10.0},
            environment=replace(one.environment, versions=versions),
        )

    store.append(one)
    assert store.append(with_fid(3.0, "a" * 12)) == "same"
    store.append(replace(with_fid(3.0, "a" * 12), attempt=1))
    assert store.append(replace(with_fid(3.0, "a" * 12), attempt=1)) == "same"
    assert store.append(replace(with_fid(4.0, "b" * 12), attempt=1)) == "same", "other weights say nothing"
    assert store.append(replace(with_fid(4.0, "a" * 12), attempt=1)) == ["metrics.fid"]


def test_what_a_judge_has_measured_is_compared_where_both_have_it_with_the_same_weights(
    store: Store, one: Record
) -> None:
    assert one.environment is not None

    def judged(weights: str, **metrics: float) -> Record:
        versions = {**one.environment.versions, "vgg16": weights}
        return replace(
            one,
            attempt=1,
            metrics={**one.metrics, **metrics},
            environment=replace(one.environment, versions=versions),
        )

    store.append(judged("a" * 12, vgg16_fd=3.0, vgg16_recall=0.5))
    assert store.append(replace(one, attempt=1)) == "same"
    assert store.append(judged("b" * 12, vgg16_fd=4.0, vgg16_recall=0.6)) == "same", "other weights say nothing"
    assert store.append(judged("a" * 12, vgg16_fd=3.0, vgg16_recall=0.6)) == ["metrics.vgg16_recall"]
    assert store.append(judged("b" * 12, vgg16_fd=3.0, clip_fd=1.0)) == ["metrics.clip_fd"], "CLIP has not looked"


def test_nan_is_stored_as_nothing_and_equals_itself(store: Store, one: Record) -> None:
    strange = replace(one, metrics={**one.metrics, "modes": float("nan")})
    assert store.append(strange) == "stored"
    assert store.append(strange) == "same"
    assert store.records()[0].metrics["modes"] is None


def test_other_environments_and_cut_short_attempts_prove_nothing(store: Store, one: Record) -> None:
    store.append(one)
    different = replace(one, metrics={"distance": 0.5})
    assert one.environment is not None
    elsewhere = replace(different, environment=replace(one.environment, fingerprint="0" * 12))
    assert store.append(elsewhere) == "incomparable"
    assert store.append(replace(different, environment=None)) == "incomparable"
    assert store.append(replace(different, status="timeout")) == "incomparable"
    assert store.records() == [one]


def test_many_threads_create_one_record(store: Store, one: Record) -> None:
    racers = [replace(one, metrics={"distance": float(number)}) for number in range(40)]
    with ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(store.append, racers))
    assert outcomes.count("stored") == 1
    (kept,) = store.records()
    assert kept == racers[outcomes.index("stored")]
    assert len(list((store.root / "records").iterdir())) == 1, "no temporary is left"


@pytest.mark.slow
def test_many_processes_create_one_record(store: Store, one: Record) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(store.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(6)
    ]
    for number, racer in enumerate(racers):
        assert racer.stdin is not None
        racer.stdin.write(msgspec.json.encode(replace(one, metrics={"distance": float(number)})) + b"\n")
        racer.stdin.flush()
    for racer in racers:  # all are ready; now they go
        assert racer.stdout is not None
        assert racer.stdout.readline() == b"ready\n"
    outcomes = [racer.communicate(b"go\n", timeout=30)[0].strip() for racer in racers]
    assert outcomes.count(b"stored") == 1
    assert outcomes.count(b"['metrics.distance']") == len(racers) - 1
    assert store.records()[0].metrics["distance"] == outcomes.index(b"stored")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema_version": 1}'])
def test_damaged_record_is_named(store: Store, one: Record, content: bytes) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 1)
    path.write_bytes(content)
    with pytest.raises(RecordError, match=rf"{path.name} is damaged or edited") as caught:
        store.records()
    assert isinstance(caught.value, ValueError)


def test_truncated_record_is_named(store: Store, one: Record) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RecordError, match=path.name):
        store.records()


@pytest.mark.parametrize("place", [(), ("spec",), ("spec", "network"), ("history",), ("environment",)])
def test_unknown_key_is_an_error(store: Store, one: Record, place: tuple[str, ...]) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    whole = json.loads(path.read_bytes())
    inner = whole
    for key in place:
        inner = inner[key]
    inner["color"] = "red"
    path.write_text(json.dumps(whole))
    with pytest.raises(RecordError, match=f"{path.name} is damaged or edited .*color"):
        store.records()


@pytest.mark.parametrize("with_new_key", [False, True])
def test_newer_schema_is_refused_with_the_command_that_mends_it(
    store: Store,
    one: Record,
    with_new_key: bool,
) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    whole = json.loads(path.read_bytes()) | {"schema_version": 2} | ({"color": "red"} if with_new_key else {})
    path.write_text(json.dumps(whole))
    with pytest.raises(RecordError, match=r"newer program \(schema 2.*pip install --upgrade git\+https://"):
        store.records()


@pytest.mark.parametrize("version", [0, -1])
def test_a_schema_that_never_was_is_refused(store: Store, one: Record, version: int) -> None:
    store.append(replace(one, schema_version=version))
    with pytest.raises(
        RecordError, match=rf"{one.trial_id}\.0\.json says that it has schema {version}, .*; restore it"
    ) as caught:
        store.records()
    assert "delete it to have its trial run again" in str(caught.value)


@pytest.mark.parametrize(
    ("before", "key"),
    [
        ("{", "schema_version"),
        ('"spec":{', "protocol_version"),
        ('"network":{', "name"),
        ('"components":{', "losses"),
        ('"metrics":{', "distance"),
        ('"evaluations":[{', "step"),
        ('"environment":{', "fingerprint"),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_a_key_that_is_there_twice_is_refused_wherever_it_is(
    store: Store, one: Record, before: str, key: str, spaced: bool
) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    text = path.read_text()
    beginning = text.index(f'{before}"{key}":') + len(f'{before}"{key}":')
    _, end = json.JSONDecoder().raw_decode(text, beginning)
    # The same value again, under the same key spelled by an escape: no reader takes another, and it is refused.
    edited = f'{text[:end]},"\\u{ord(key[0]):04x}{key[1:]}":{text[beginning:end]}{text[end:]}'
    assert json.loads(edited) == json.loads(text)
    path.write_text(edited.replace(",", ", ") if spaced else edited)
    with pytest.raises(RecordError, match=rf"{path.name} is damaged or edited \(the key '{key}' is there twice\)"):
        store.records()


def test_a_record_may_be_laid_out_in_another_way(store: Store, one: Record) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_bytes()).items())), indent=1))
    assert store.records() == [one]


@pytest.mark.parametrize(
    "edited",
    [
        lambda one: {"spec": replace(one.spec, seed=7)},
        lambda one: {"spec": replace(one.spec, method="hinge")},
        lambda one: {"spec": replace(one.spec, optimizer=replace(one.spec.optimizer, betas=(0.0, 0.9)))},
        lambda one: {"components": {"losses": "2"}},
        lambda one: {"components": {**one.components, "loss:bce_ns": "2"}},
    ],
)
def test_a_record_whose_trial_id_is_not_that_of_its_spec_is_refused(
    store: Store, one: Record, edited: Callable[[Record], dict[str, object]]
) -> None:
    wrong = replace(one, **edited(one))
    store.append(wrong)
    with pytest.raises(RecordError) as caught:
        store.records()
    assert str(caught.value).startswith(
        f"{store.record_path(one.trial_id, 0)} calls its trial {one.trial_id}, and its spec and components are those "
        f"of {wrong.trial.id}: one of them was edited; restore it as it was recorded, or delete it to have its trial"
    )


def test_a_record_of_two_protocols_is_refused(store: Store, one: Record) -> None:
    store.append(replace(one, protocol_version="9.9"))
    with pytest.raises(
        RecordError, match=rf"names two protocol versions, 9\.9 and {one.spec.protocol_version}; restore"
    ):
        store.records()


def test_another_name_of_the_method_or_folder_is_the_same_trial(store: Store, one: Record) -> None:
    store.append(replace(one, spec=replace(one.spec, method_name="renamed")))
    assert store.records()[0].spec.method_name == "renamed"


@pytest.mark.parametrize("name", ["notes.txt", "abc.0.json", "0123456789abcdef.json", "0123456789abcdef.01.json"])
def test_files_that_are_no_records_are_named(store: Store, one: Record, name: str) -> None:
    store.append(one)
    (store.root / "records" / name).write_text("{}")
    with pytest.raises(RecordError, match=f"{name} is not a record"):
        store.records()


def test_record_under_another_name_is_refused(store: Store, one: Record) -> None:
    store.append(one)
    path = store.record_path(one.trial_id, 0)
    path.rename(store.record_path(one.trial_id, 7))
    with pytest.raises(RecordError, match=rf"7.json holds the record of {one.trial_id}.0"):
        store.records()


def test_two_thousand_records_are_read_quickly(store: Store, record: MakeRecord, workload: Workload) -> None:
    folder = store.root / "records"
    folder.mkdir(parents=True)
    for seed in range(2000):
        each = record(workload, seed=seed)
        (folder / f"{each.trial_id}.0.json").write_bytes(msgspec.json.encode(each))
    started = time.process_time()  # not the clock on the wall: a busy machine is no failure
    assert len(store.records()) == 2000
    assert time.process_time() - started < 0.8


def test_artifacts_replace_those_of_an_earlier_attempt(store: Store, tmp_path: Path) -> None:
    for attempt in range(3):
        produced = tmp_path / "scratch" / str(attempt) / "artifacts"
        produced.mkdir(parents=True)
        (produced / f"{attempt}.png").write_text("picture")
        store.keep_artifacts("trial", produced)
    assert [path.name for path in store.artifacts_dir("trial").iterdir()] == ["2.png"]


def test_racing_artifacts_leave_one_whole_folder(store: Store, tmp_path: Path) -> None:
    def produce(number: int) -> None:
        produced = tmp_path / "scratch" / str(number) / "artifacts"
        produced.mkdir(parents=True)
        for name in ("a", "b"):
            (produced / name).write_text(str(number))
        store.keep_artifacts("trial", produced)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(produce, range(40)))
    kept = store.artifacts_dir("trial")
    assert sorted(path.name for path in kept.iterdir()) == ["a", "b"]
    assert (kept / "a").read_text() == (kept / "b").read_text()


def test_missing_artifacts_are_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.keep_artifacts("trial", tmp_path / "none")


def test_scratch_of_the_dead_is_swept_and_of_the_living_kept(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "killed" / "work"
    left.mkdir(parents=True)
    with scratch_folder(tmp_path) as first:
        (first / "file").write_text("work in flight")
        assert not left.parent.exists()
        with scratch_folder(tmp_path) as second:
            assert first != second
            assert (first / "file").exists()
        assert not second.exists()
    assert not first.exists()


def test_stale_temporaries_are_removed_and_fresh_ones_kept(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".a.json.1.tmp", tmp_path / ".a.json.2.tmp"
    for path in (old, fresh):
        path.write_text("{")
    os.utime(old, (time.time() - 7200,) * 2)
    remove_stale_temporaries(tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)
