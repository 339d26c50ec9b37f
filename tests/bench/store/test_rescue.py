"""No finished work is lost to a file system: full disks, artifacts elsewhere, no hard links, folders without locks."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.store import journal
from bench.store.journal import Store, StoreError, read_record
from bench.store.record import Record
from bench.store.rescue import Rescue
from bench.store.scratch import scratch_folder


@pytest.fixture
def one(record: Callable[..., Record], workload: object) -> Record:
    return record(workload, "nsgan", 0)


def test_a_folder_that_cannot_be_written_to_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/results/records: Not a directory; choose another folder"):
        Store(tmp_path / "file" / "results").check_writable()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "artifacts").touch()
    with pytest.raises(StoreError, match=r"results/artifacts: File exists"):
        Store(tmp_path / "results").check_writable()


def test_what_is_checked_is_left_empty(store: Store) -> None:
    store.check_writable()
    assert sorted(path.name for path in store.root.rglob("*")) == ["artifacts", "claims", "logs", "records", "scratch"]


@pytest.mark.parametrize("times", [1, 3])
def test_artifacts_on_another_file_system_are_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    rename = Path.rename

    def across(self: Path, target: Path) -> Path:
        if ("artifacts" in self.parts) != ("artifacts" in Path(target).parts):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", across)
    for number in range(times):
        produced = tmp_path / "scratch" / str(number)
        produced.mkdir(parents=True)
        (produced / "samples.png").write_text(str(number))
        store.keep_artifacts("0" * 16, produced)
    assert [path.name for path in (store.root / "artifacts").iterdir()] == ["0" * 16]
    assert (store.artifacts_dir("0" * 16) / "samples.png").read_text() == str(times - 1)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_records_need_no_hard_links(store: Store, one: Record, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    assert store.append(one) == "stored"
    assert store.append(one) == "same"
    assert [path.name for path in (store.root / "records").iterdir()] == [f"{one.trial_id}.0.json"]


def test_a_rescued_record_is_whole_and_the_complaint_says_where(store: Store, one: Record) -> None:
    rescue = Rescue(store)
    rescue.complain()
    folder = rescue.take(one, "No space left on device")
    assert read_record(folder / f"{one.trial_id}.0.json").trial_id == one.trial_id
    with pytest.raises(
        StoreError, match=rf"1 of the records cannot be written .*No space.*; they are kept in {folder}"
    ):
        rescue.complain()


def test_where_nothing_can_be_kept_it_is_said_at_once(
    store: Store, one: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bench.store.rescue.create_exclusively", full)
    with pytest.raises(StoreError, match="run the same command again"):
        Rescue(store).take(one, "full")


def test_a_file_system_without_locks_loses_the_sweeping_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    living = tmp_path / "scratch" / "living"
    living.mkdir(parents=True)
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
    assert living.is_dir(), "nobody can say that its campaign is dead"


def test_a_planted_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"), scratch_folder(tmp_path):
        pass
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_link_among_the_scratch_folders_is_not_swept(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "link").symlink_to(tmp_path / "precious")
    with scratch_folder(tmp_path):
        pass
    assert (tmp_path / "precious" / "file").exists()


def test_the_journal_uses_the_one_way_to_create_a_file() -> None:
    assert not hasattr(journal, "os"), "files are written in bench.files alone"
