"""Reading a file that somebody else has put there: a pipe is not waited for, a device and a huge file are not read."""

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import Final

from bench.files.writing import reason

LARGEST: Final = 64 * 2**20
"""Bytes of a file that is read whole. A record of a million steps has a tenth of it."""

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnusableFileError(ValueError):
    """What lies there is no file to read. The message has no path, and goes on where one ends."""


def open_regular(path: Path, *, links: bool = True) -> BufferedReader:
    """Open a regular file to be read; what it is, is asked of the opened file, so that no swap comes in between.

    Args:
        path: the file.
        links: whether a symbolic link is followed.

    Raises:
        UnusableFileError: it is no regular file, a link that may not be followed, or cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes into it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        if not links and path.is_symlink():
            raise UnusableFileError("is a symbolic link, and its content lies elsewhere")
        if path.is_dir():  # which some systems refuse to open, with another reason
            raise UnusableFileError(f"cannot be read: it is {_KINDS[stat.S_IFDIR]}, not a file")
        file = os.fdopen(os.open(path, flags), "rb")
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if isinstance(error, UnusableFileError):
            raise
        raise UnusableFileError(f"cannot be read: {reason(error)}") from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise UnusableFileError(
            f"cannot be read: it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'something else')}, not a file"
        )
    return file


def read_regular(path: Path, *, largest: int = LARGEST, links: bool = True) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        largest: how many bytes it may have.
        links: whether a symbolic link is followed.

    Raises:
        UnusableFileError: as for `open_regular`; or it is too large, or cannot be read.
    """
    with open_regular(path, links=links) as file:
        try:
            # One more than allowed, so that a file that grows meanwhile is noticed too.
            content = file.read(largest + 1)
        except OSError as error:
            raise UnusableFileError(f"cannot be read: {reason(error)}") from error
    if len(content) > largest:
        raise UnusableFileError(
            f"cannot be read: it has more than {largest / 2**20:g} MiB, and no file of its kind has"
        )
    return content
