"""Scratch folders where the file system, or a clock, is not what one is used to."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.store.scratch import remove_stale_temporaries, scratch_folder, temporary_scratch


def is_open_here(status: os.stat_result) -> bool:
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        try:
            if os.path.samestat(descriptor.stat(), status):
                return True
        except OSError:  # the one that has listed them
            continue
    return False


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Have open files renamed instead of removed, as a client of NFS does; call it to remove those closed since."""
    unlink, hidden = os.unlink, list[Path]()

    def rename_if_open(path: str | Path, *, dir_fd: int | None = None) -> None:
        whole = Path(path) if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink() / path
        if not is_open_here(whole.lstat()):
            unlink(whole)
            return
        hidden.append(whole.with_name(f".nfs{len(hidden):08x}"))
        whole.rename(hidden[-1])

    def forget() -> None:
        for path in hidden:
            if path.exists() and not is_open_here(path.stat()):
                unlink(path)

    monkeypatch.setattr(os, "unlink", rename_if_open)
    yield forget
    monkeypatch.undo()


def test_on_nfs_a_campaign_leaves_nothing_and_the_next_one_starts(tmp_path: Path, nfs: Callable[[], None]) -> None:
    for _ in range(2):
        with scratch_folder(tmp_path) as folder:
            (folder / "work").mkdir()
            (folder / "work" / "file").write_text("in flight")
        nfs()
        assert [path.name for path in (tmp_path / "scratch").iterdir()] == [".lock"]


def test_on_nfs_what_a_killed_campaign_has_left_is_swept(tmp_path: Path, nfs: Callable[[], None]) -> None:
    left = tmp_path / "scratch" / "killed"
    left.mkdir(parents=True)
    for name in (".lock", ".nfs00000123", "file"):
        (left / name).touch()
    with scratch_folder(tmp_path, "mine"):
        assert [path.name for path in (tmp_path / "scratch").iterdir() if path.is_dir()] == ["mine"]


def test_what_cannot_be_swept_stays_and_stops_no_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rmdir = os.rmdir

    def refuse(path: str | Path, *, dir_fd: int | None = None) -> None:
        if os.fspath(path).endswith("busy"):
            raise OSError(errno.EBUSY, "Device or resource busy")
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", refuse)
    for name in ("a-busy", "b"):
        (tmp_path / "scratch" / name).mkdir(parents=True)
    with scratch_folder(tmp_path, "mine") as folder:
        assert folder.is_dir()
        assert sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) == ["a-busy", "mine"]


def test_a_scratch_folder_that_cannot_be_examined_stops_no_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch" / "others").mkdir(parents=True)
    opened = os.open

    def refuse(path: str | Path, *arguments: int) -> int:
        if Path(path).parent.name == "others":
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
    monkeypatch.undo()
    assert (tmp_path / "scratch" / "others").is_dir()


@pytest.mark.parametrize("ahead", [-10, 10], ids=["behind", "ahead"])
def test_temporaries_are_as_old_as_their_own_folders_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    years = ahead * 365 * 86400
    old, fresh = tmp_path / ".a.json.tmp", tmp_path / ".b.json.tmp"
    for path, seconds in ((old, 3700.0), (fresh, 3500.0)):
        path.touch()
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)
    here = time.time()
    monkeypatch.setattr(time, "time", lambda: here + years)
    remove_stale_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [fresh], "and nothing that the clock was asked by"


def test_temporaries_that_cannot_be_removed_stop_no_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "records" / ".a.json.tmp"
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    unlink = os.unlink

    def refuse(path: str | Path, *, dir_fd: int | None = None) -> None:
        if os.fspath(path) == os.fspath(left):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
    assert left.exists()


KILLED = """
import os, signal, tempfile
from bench.store.scratch import temporary_scratch
with temporary_scratch("of-a-test-") as folder:
    (folder / "checkpoint").write_text("in flight")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_left_among_the_temporary_files_is_swept_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    (killed,) = tmp_path.glob("of-a-test-*")
    assert (killed / "checkpoint").exists()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "of-a-test-being-made").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".lock").touch()
    (tmp_path / "of-a-test-link").symlink_to(tmp_path / "elsewhere")
    with temporary_scratch("of-a-test-") as living:
        assert not killed.exists()
        with temporary_scratch("of-a-test-") as other:
            assert living.is_dir(), "its process lives"
            (other / "folder").mkdir()
        assert not other.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "of-a-test-being-made", "of-a-test-link"]
    assert (tmp_path / "elsewhere" / ".lock").exists()
