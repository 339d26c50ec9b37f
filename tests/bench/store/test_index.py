"""The index of scalars: never the truth, and never seen but in how few files are opened."""

import hashlib
import logging
import math
import os
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from planted_records import make_workload, planted_record
from synthetic import write

from bench.statistics.ranking import rank
from bench.store import index, journal
from bench.store.baseline import records_digest
from bench.store.journal import RecordError, Store
from bench.store.record import History, Record, UnreadHistoryError, content_digest, without_history
from bench.store.table import table

replace = msgspec.structs.replace
SECOND = 10**9


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Path:
    """Index few records, and such as have just been written."""
    monkeypatch.setattr(index, "SMALL", 1)
    monkeypatch.setattr(index, "_SETTLED_NS", -3600 * SECOND)
    return cache


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the records' files that are opened."""
    names: list[str] = []
    content = journal._content

    def counted(path: Path) -> bytes:
        names.append(path.name)
        return content(path)

    monkeypatch.setattr(journal, "_content", counted)
    return names


def world(seeds: int = 12) -> list[Record]:
    """Records of all kinds: failed, lost, without a machine, of other spellings, with numbers that few have."""
    workload = make_workload()
    records = [
        planted_record(workload, method, seed, distance=50.0 + seed / 3)
        for method in ("nsgan", "hinge + r1(gamma=10)")
        for seed in range(seeds)
    ]
    odd = planted_record(workload, "nsgan", 2**62, attempt=3, protocol_version="1.1")
    extremes = {"a": -0.0, "b": 5e-324, "c": 1.7976931348623157e308, "d": 0.1 + 0.2, "e": None}
    return [
        *records,
        planted_record(workload, "mmgan", 1, distance=None, status="nonfinite"),
        replace(
            planted_record(workload, "mmgan", 2, status="error"),
            message='broken: "ü",\n\t\u2028 and more',
            metrics={},
            stability={},
            cost={},
            history=History(),
            environment=None,
            commit=None,
        ),
        replace(odd, metrics={**dict(reversed(odd.metrics.items())), **extremes}, stability=extremes),
    ]


def store_of(tmp_path: Path, records: list[Record]) -> Store:
    return Store(write(records, tmp_path / "results"))


def scalars(record: Record) -> dict[str, object]:
    """All of a record but its curves, with every float as its bits, since -0.0 == 0.0; and the order of its names."""

    def exact(value: object) -> object:
        if isinstance(value, float):
            return struct.pack("d", value)
        if isinstance(value, dict):
            return [(name, exact(each)) for name, each in value.items()]
        return value

    return {name: exact(getattr(record, name)) for name in record.__struct_fields__ if name != "history"}


def assert_same(found: list[Record], whole: list[Record]) -> None:
    assert [scalars(record) for record in found] == [scalars(record) for record in whole]
    assert [content_digest(record) for record in found] == [content_digest(record) for record in whole]


def edit(path: Path, old: bytes, new: bytes) -> None:
    time.sleep(0.02)  # longer than a tick of the clock of files
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


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


class TestTheFile:
    """An index that cannot be used costs itself."""

    @pytest.fixture
    def store(self, at_once: Path, tmp_path: Path) -> Store:
        store = store_of(tmp_path, world())
        store.records(histories=False)
        return store

    @pytest.fixture
    def path(self, store: Store) -> Path:
        return index.index_path(store.root / "records")

    def test_it_lies_in_the_cache_and_nothing_is_written_beside_the_records(
        self, store: Store, path: Path, at_once: Path
    ) -> None:
        assert [found for found in at_once.rglob("*") if found.is_file()] == [path]
        assert sorted(store.root.iterdir()) == [store.root / "records"]
        assert len([*(store.root / "records").iterdir()]) == len(store.records())

    @pytest.mark.parametrize(
        "damage",
        [
            lambda content: b"",
            lambda content: content[: len(content) // 2],
            lambda content: content + b"\n",
            lambda content: content.replace(b"\n", b"", 1),
            lambda content: b"\xff" * 64 + content[64:],
            # One bit of a number, which no parser would notice.
            lambda content: content[:-500] + bytes([content[-500] ^ 1]) + content[-499:],
        ],
    )
    def test_damage(
        self,
        store: Store,
        path: Path,
        opened: list[str],
        caplog: pytest.LogCaptureFixture,
        damage: Callable[[bytes], bytes],
    ) -> None:
        path.write_bytes(damage(path.read_bytes()))
        whole = store.records()
        for warnings in (1, 0):  # it is made again
            caplog.clear()
            opened.clear()
            assert_same(store.records(histories=False), whole)
            assert len(opened) == warnings * len(whole)
            assert [each.levelno for each in caplog.records] == [logging.WARNING] * warnings

    def test_a_folder_in_its_place(self, store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        path.unlink()
        path.mkdir()
        assert_same(store.records(histories=False), store.records())
        assert "it is a folder" in caplog.text
        assert "cannot be kept" in caplog.text

    def test_a_cache_that_cannot_be_written(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "file"))
        assert_same(store.records(histories=False), store.records())
        assert "cannot be kept" in caplog.text

    def test_a_user_without_a_home(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def nowhere() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("GAN_LOSS_BENCH_CACHE")
        monkeypatch.setattr(Path, "home", nowhere)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert_same(store.records(histories=False), store.records())
        assert list(tmp_path.glob("gan-loss-bench-*/indexes/*.index")), "it lies among the user's temporary files"

    def test_a_cache_that_belongs_to_somebody_else(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", "~nobody-of-that-name/cache")
        assert_same(store.records(histories=False), store.records())
        assert "no place for an index" in caplog.text

    def test_one_that_arrow_cannot_read(self, store: Store, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        path.write_bytes(hashlib.sha256(b"no stream").hexdigest().encode() + b"\nno stream")
        assert_same(store.records(histories=False), store.records())
        assert "cannot be read" in caplog.text
        caplog.clear()
        store.records(histories=False)
        assert caplog.text == ""

    def test_another_program_has_its_own(
        self, store: Store, path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index, "_FORMAT", index._FORMAT + 1)
        store.records(histories=False)
        assert len(opened) == len(store.records())
        assert path.exists()
        assert index.index_path(store.root / "records") != path

    def test_the_index_of_another_folder_is_not_used(self, store: Store, tmp_path: Path, opened: list[str]) -> None:
        shutil.copytree(store.root, tmp_path / "copy")
        assert_same(Store(tmp_path / "copy").records(histories=False), store.records())
        assert len(opened) == 2 * len(store.records())

    def test_a_folder_put_in_the_place_of_another(self, store: Store, tmp_path: Path) -> None:
        """The path is the same, the files are not, though of equal sizes and times."""
        copy = tmp_path / "copy"
        shutil.copytree(store.root, copy)
        for path in (copy / "records").iterdir():
            before = path.stat()
            path.write_bytes(path.read_bytes().replace(b"cafe01234567", b"beef01234567"))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        shutil.rmtree(store.root)
        copy.rename(store.root)
        found = store.records(histories=False)
        assert {each.environment.fingerprint for each in found if each.environment} == {"beef01234567"}

    def test_several_readers_at_once(self, store: Store, path: Path) -> None:
        whole = store.records()
        for _ in range(3):
            path.unlink()
            with ThreadPoolExecutor(4) as readers:
                for found in readers.map(lambda _: store.records(histories=False), range(8)):
                    assert_same(found, whole)
        assert [each.name for each in path.parent.iterdir()] == [path.name], "no half-written file is left behind"

    def test_one_that_nobody_reads_any_more_is_deleted(self, store: Store, path: Path) -> None:
        old, young = path.with_name("a.index"), path.with_name("b.index")
        for other, days in ((old, 91), (young, 89)):
            other.write_bytes(b"")
            os.utime(other, (time.time() - days * 86400,) * 2)
        path.unlink()
        store.records(histories=False)
        assert not old.exists()
        assert young.exists()
        assert path.exists()


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
