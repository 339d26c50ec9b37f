"""Work in flight: a folder for every campaign, on the file system of the results so that a rename can move it there."""

import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from bench.files.writing import partial_file

_STALE_SECONDS: Final = 3600.0
"""A temporary record lives for milliseconds; one this old was left by a killed process."""

_LOCK: Final = ".lock"

_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})


@contextlib.contextmanager
def scratch_folder(
    root: Path, name: str | None = None, *, is_dead: Callable[[str], bool] = lambda name: True
) -> Iterator[Path]:
    """Give a campaign a folder under `root/scratch` and remove it afterwards.

    What killed campaigns left is removed first. A living campaign holds a lock on its folder, which the operating
    system releases with the process, however it ends.

    Args:
        root: the results folder.
        name: of the campaign; a new one where none is given.
        is_dead: is asked of each campaign whose folder is not locked. On shares whose locks hold on one machine only,
            that of another machine is not.
    """
    parent = root / "scratch"
    parent.mkdir(parents=True, exist_ok=True)
    # The parent's lock keeps another campaign from sweeping a folder between its making and its locking.
    with _lock_file(parent) as sweeping:
        if _lock(sweeping):
            _sweep(parent, is_dead)
        folder = parent / (name or secrets.token_hex(6))
        folder.mkdir()
        lock = _lock_file(folder)
        _lock(lock)
    for written in ("records", "checkpoints"):
        remove_stale_temporaries(root / written)
    try:
        with lock:
            yield folder
    finally:
        _remove(folder)


@contextlib.contextmanager
def temporary_scratch(prefix: str) -> Iterator[Path]:
    """Give a process a folder among the temporary files and remove it afterwards, and first what killed ones have left.

    Those are known by their locks, as the folders of campaigns are. A folder that is somebody else's, or has no lock,
    stays.

    Args:
        prefix: of the names of all such folders.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if _is_own(left) and (left / _LOCK).is_file() and _is_left(left, lambda name: True):
                _remove(left)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with _lock_file(folder, ".locking") as lock:
            if _lock(lock):  # it has its name once it is held, so that nobody finds it free in between
                (folder / ".locking").rename(folder / _LOCK)
            yield folder


def remove_stale_temporaries(folder: Path) -> None:
    """Remove the temporary files of writers that were killed between creating and naming a record or a checkpoint.

    They are as old as the folder's own clock says, by which a file that is made beside them is new: it may be another
    machine's. What cannot be removed stays, and costs nobody more than its room.
    """
    with contextlib.suppress(OSError):
        left = list(folder.glob(".*.tmp"))
        if not left:
            return
        with partial_file(folder / "now", ending=".tmp") as new:
            here = new.stat().st_mtime
        for path in left:
            with contextlib.suppress(OSError):  # another campaign is tidying too
                if here - path.lstat().st_mtime > _STALE_SECONDS:
                    path.unlink()


def _sweep(parent: Path, is_dead: Callable[[str], bool]) -> None:
    """Remove what dead campaigns have left, one at a time, under the parent's lock; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        for folder in list(parent.iterdir()):
            # Locked: its campaign lives. Not there: its campaign has just removed it. Anything else: it stays.
            with contextlib.suppress(OSError):
                if not folder.is_symlink() and folder.is_dir() and _is_left(folder, is_dead):
                    _remove(folder)


def _is_own(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _is_left(folder: Path, is_dead: Callable[[str], bool]) -> bool:
    with _lock_file(folder) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return is_dead(folder.name)


def _remove(folder: Path) -> None:
    """Remove the folder of a campaign that has ended.

    Its lock is closed before: NFS keeps a file that is open under another name, and its folder with it. Nobody takes
    the lock meanwhile but a campaign that sweeps, for a folder belongs to one campaign alone.
    """
    shutil.rmtree(folder, ignore_errors=True)


def _lock_file(folder: Path, name: str = _LOCK) -> IO[bytes]:
    """Open a folder's lock; nothing is written to it, and a link or a pipe in its place is not followed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.fdopen(os.open(folder / name, flags, 0o666), "rb")


def _lock(file: IO[bytes]) -> bool:
    """Wait for a lock; False where the file system has none, so that nobody can tell the dead from the living."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
