"""Writing files: whole or not at all, by names that nobody can foresee, with the permissions that the umask says.

What is asked for by the user goes through `write_output`, which follows links and writes straight into what is no
regular file (`/dev/stdout`, a pipe). What the program keeps for itself goes through `replace_whole`, which puts a new
file in the place of whatever lies there, and `create_exclusively`, which touches nothing that is there.
"""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})
"""What a file system says that has no hard links: exFAT, and many that lie on another machine."""

_NOT_BESIDE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV})
"""Why a file cannot be put in the place of another, although that one may be open to be written."""

_OF_DISKS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE})
"""What a disk says of a file that is open already: it is full, or gone."""

_CLAIM_SECONDS: Final = 5.0
"""A claim is held for the time of a rename; one this old was left by a killed process."""

_LONGEST_ENDING: Final = 12


def write_output(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written that the user has asked for, making its folder; a reader sees the old file or the new one.

    Links are followed. What is no regular file is written straight into: a device or a pipe is not replaced. So is a
    file that this very process prints into, and one in a folder where nothing can be put beside it.

    Args:
        path: of the file.
        write: writes the content to the path that it is given, which has the ending of `path`.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    there = _status(path)
    if there is not None and (not stat.S_ISREG(there.st_mode) or _is_printed_into(there)):
        write(path)
        return
    target = path.resolve()
    try:
        with partial_file(target, mode=None if there is None else stat.S_IMODE(there.st_mode)) as partial:
            write(partial)
            partial.replace(target)
    except OSError as error:
        if there is None or error.errno not in _NOT_BESIDE:
            raise
        write(target)


def replace_whole(path: Path, content: bytes) -> None:
    """Write a file of the program's own, making its folder: nobody ever sees half of it.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial_file(path) as partial:
        partial.write_bytes(content)
        partial.replace(path)


def create_exclusively(path: Path, content: bytes) -> None:
    """Create a file that is either whole or not there, also after a loss of power.

    Raises:
        FileExistsError: it was there before; it has not been touched.
        OSError: it cannot be written.
    """
    with partial_file(path, ending=".tmp") as partial:
        with partial.open("r+b") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(partial, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_exclusively(partial, path)
        _sync_folder(path.parent)


def refusal(folder: Path) -> str:
    """Return why nothing can be written into a folder, which is made if it is not there; nothing if something can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial_file(folder / "probe", ending=".tmp") as partial:
            partial.write_bytes(b"\n" * 512)  # an empty file needs no room
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return reason(error)
    return ""


def reason(error: OSError | ValueError) -> str:
    """Return what the system says of a file, without its path."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Have a disk's error name the file: on what is open already, the system names none.

    Those of a network, from which a file may come, are OSErrors too, and stay as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _OF_DISKS and error.filename is None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def partial_file(path: Path, *, mode: int | None = None, ending: str | None = None) -> Iterator[Path]:
    """Give an empty file beside another, and remove it afterwards unless it has gone to its place.

    Its name is not the other's made longer, which might be too long, and is made anew where it is taken: whoever plants
    a link cannot foresee it, and it would not be followed. The permissions are `mode`, or what the umask leaves.
    """
    kept = path.suffix if len(path.suffix) <= _LONGEST_ENDING else ""
    partial = path.with_name(f".{secrets.token_hex(12)}{f'.partial{kept}' if ending is None else ending}")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(partial, flags, 0o666))
    try:
        if mode is not None:
            with contextlib.suppress(PermissionError):  # some file systems have no permissions to set
                partial.chmod(mode)
        with named(path):
            yield partial
    finally:
        partial.unlink(missing_ok=True)


def _rename_exclusively(partial: Path, path: Path) -> None:
    """Rename a file where no other is, on a file system without hard links: one writer at a time holds a claim."""
    claim = path.with_name(f".{path.name}.claim")
    deadline = time.monotonic() + _CLAIM_SECONDS
    while True:
        try:
            os.close(os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                claim.unlink(missing_ok=True)
            time.sleep(0.01)
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        partial.rename(path)
    finally:
        claim.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the name of a file written to the disk too, where the file system knows of such a thing."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _status(path: Path) -> os.stat_result | None:
    """Return what lies there, behind links; None where nothing does."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_printed_into(there: os.stat_result) -> bool:
    """Whether this process prints into that file, as `--output /dev/stdout > FILE` has it."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # it is closed
            if os.path.samestat(os.fstat(descriptor), there):
                return True
    return False
