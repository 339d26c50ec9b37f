"""The file of an index: cut, foreign, damaged, forged or out of place."""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from indexed_records import assert_same, store_of, world

from bench.store import index
from bench.store.journal import Store


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

    @pytest.mark.parametrize("years", [-10, 10])
    def test_a_clock_that_is_off_deletes_none_and_keeps_none(
        self, store: Store, path: Path, monkeypatch: pytest.MonkeyPatch, years: int
    ) -> None:
        old, young = path.with_name("a.index"), path.with_name("b.index")
        here = time.time()
        for other, days in ((old, 91), (young, 89)):
            other.write_bytes(b"")
            os.utime(other, (here - days * 86400,) * 2)
        path.unlink()
        monkeypatch.setattr(time, "time", lambda: here + years * 365 * 86400)
        store.records(histories=False)
        assert sorted(path.parent.glob("*.index")) == sorted([young, path])
