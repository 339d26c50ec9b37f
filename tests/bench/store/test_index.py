"""The index of scalars: never the truth, and never seen but in how few files are opened."""

import math
import os
import shutil
import time
from pathlib import Path

import msgspec
import pytest
from indexed_records import assert_same, edit, store_of, world
from planted_records import make_workload, planted_record

from bench.statistics.ranking import rank
from bench.store import index
from bench.store.baseline import records_digest
from bench.store.journal import RecordError, Store
from bench.store.record import UnreadHistoryError, without_history
from bench.store.table import table


def test_what_an_index_gives_is_what_the_files_say(at_once: Path, tmp_path: Path, opened: list[str]) -> None:
    store = store_of(tmp_path, world())
    whole = store.records()
    first = store.records(histories=False)
    opened.clear()
    second = store.records(histories=False)
    assert opened == []
    assert_same(first, whole)
    assert_same(second, whole)
    assert math.copysign(1.0, next(r for r in second if "a" in r.metrics).metrics["a"]) == -1.0


def test_what_is_computed_from_it_is_the_same(at_once: Path, tmp_path: Path) -> None:
    workload = make_workload()
    records = [
        planted_record(workload, method, seed, distance=40.0 + 7 * seed)
        for method in ("nsgan", "wgan-gp", "mmgan")
        for seed in range(5)
    ]
    store = store_of(tmp_path, records)
    store.records(histories=False)
    whole, light = store.records(), store.records(histories=False)
    assert rank(light, {workload.name: workload}) == rank(whole, {workload.name: workload})
    assert table(light).equals(table(whole))
    assert records_digest(light) == records_digest(whole)
    assert store.latest(histories=False).keys() == store.latest().keys()


def test_records_of_a_method_share_what_they_have_in_common(at_once: Path, tmp_path: Path) -> None:
    store = store_of(tmp_path, world())
    records = [record for record in store.records(histories=False) if record.spec.method.startswith("hinge")]
    assert len(records) == 12
    assert len({id(record.components) for record in records}) == 1
    assert len({id(record.environment) for record in records}) == 1


def test_a_curve_of_such_a_record_is_an_error_and_not_empty(at_once: Path, tmp_path: Path) -> None:
    store = store_of(tmp_path, world(3))
    for record in (store.records(histories=False)[0], without_history(world(1)[0])):
        for touch in (
            lambda record=record: record.history.evaluations,
            lambda record=record: record.history.training,
        ):
            with pytest.raises(UnreadHistoryError, match="read it with histories=True"):
                touch()
        with pytest.raises(AttributeError, match="unset"):
            msgspec.json.encode(record)
        with pytest.raises(AttributeError, match="nothing_like_it"):
            _ = record.history.nothing_like_it
        assert "UnreadHistory(digest=" in repr(record)
        assert record != world(1)[0]


class TestWhatChanges:
    """Files that are added, removed, edited: exactly those are opened."""

    @pytest.fixture
    def store(self, at_once: Path, tmp_path: Path, opened: list[str]) -> Store:
        store = store_of(tmp_path, world(120))
        store.records(histories=False)
        opened.clear()
        return store

    def test_added(self, store: Store, opened: list[str]) -> None:
        more = planted_record(make_workload(), "wgan-gp", 5)
        store.append(more)
        assert_same(store.records(histories=False), store.records())
        assert opened[0] == f"{more.trial_id}.0.json"
        assert len(opened) == 1 + len(store.records())  # all others by `records()`

    def test_removed(self, store: Store, opened: list[str]) -> None:
        gone = store.records()[7]
        store.record_path(gone.trial_id, gone.attempt).unlink()
        opened.clear()
        left = store.records(histories=False)
        assert opened == []
        assert gone.trial_id not in {record.trial_id for record in left}
        assert_same(left, store.records())

    @pytest.mark.parametrize("new", [b'"cafe01234568"', b'"cafe0"'])
    def test_edited(self, store: Store, opened: list[str], new: bytes) -> None:
        record = next(each for each in store.records() if each.spec.seed == 7)
        opened.clear()
        path = store.record_path(record.trial_id, record.attempt)
        edit(path, b'"cafe01234567"', new)
        found = store.records(histories=False)
        assert opened == [path.name]
        (edited,) = (each for each in found if each.trial_id == record.trial_id)
        assert edited.environment.fingerprint == new.decode().strip('"')
        assert_same(found, store.records())

    def test_edited_with_its_size_and_its_time_set_back(self, store: Store, opened: list[str]) -> None:
        record = store.records()[3]
        opened.clear()
        path = store.record_path(record.trial_id, record.attempt)
        before = path.stat()
        edit(path, b"2026-01-02T03:04:00", b"2026-01-02T03:03:59")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        found = store.records(histories=False)
        assert opened == [path.name]
        assert_same(found, store.records())

    def test_replaced_by_another_trials_record(self, store: Store) -> None:
        one, other = (store.record_path(each.trial_id, each.attempt) for each in store.records()[:2])
        shutil.copyfile(one, other)
        with pytest.raises(RecordError, match="give it its own name back"):
            store.records(histories=False)

    def test_broken(self, store: Store) -> None:
        path = next((store.root / "records").iterdir())
        path.write_bytes(path.read_bytes()[:-1])
        for _ in range(2):
            with pytest.raises(RecordError, match="damaged or edited"):
                store.records(histories=False)

    def test_a_pipe_in_the_place_of_a_record(self, store: Store) -> None:
        path = next((store.root / "records").iterdir())
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(RecordError, match="named pipe"):
            store.records(histories=False)

    def test_an_alien_file(self, store: Store) -> None:
        (store.root / "records" / "notes.txt").write_text("x")
        with pytest.raises(RecordError, match="is not a record"):
            store.records(histories=False)

    def test_many_changes_are_indexed_and_a_few_are_read_again(self, store: Store, opened: list[str]) -> None:
        """A campaign adds record after record: the whole index is not written anew for each."""
        store.append(planted_record(make_workload(), "wgan-gp", 0))
        for _ in range(2):
            opened.clear()
            store.records(histories=False)
            assert len(opened) == 1
        for seed in range(1, 20):
            store.append(planted_record(make_workload(), "wgan-gp", seed))
        for expected in (20, 0):
            opened.clear()
            store.records(histories=False)
            assert len(opened) == expected


def test_few_records_need_none(cache: Path, tmp_path: Path) -> None:
    store = store_of(tmp_path, world())
    assert_same(store.records(histories=False), store.records())
    assert not cache.exists()


def test_what_has_just_been_written_is_not_indexed(
    cache: Path, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else an edit within the same tick of a clock would not be seen."""
    monkeypatch.setattr(index, "SMALL", 1)
    store = store_of(tmp_path, world())
    count = len(store.records())
    opened.clear()
    store.records(histories=False)
    store.records(histories=False)
    assert len(opened) == 2 * count
    time.sleep(2.1)
    store.records(histories=False)
    opened.clear()
    store.records(histories=False)
    assert opened == []


def test_a_missing_folder_has_no_records(cache: Path, tmp_path: Path) -> None:
    assert Store(tmp_path / "nowhere").records(histories=False) == []
    assert not cache.exists()
