"""Decoded data sets, kept on disk: `.npy` files that every process maps into memory, and a manifest that pins them.

    FOLDER/<name>/train.npy ...     the arrays
    FOLDER/<name>/manifest.json     their content hash and the size of each file

A rename makes a whole set appear at once. What is read is checked against the manifest, by size and hash. A damaged set
is renamed, never deleted, and decoded again. One process decodes a set while others wait for it.
"""

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from bench.data.family import ARRAY_NAMES, Arrays
from bench.files.regular import open_regular, read_regular

_MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_PATIENCE_SECONDS: Final = 3.0
"""After this long a message says which process is being waited for."""

_log = logging.getLogger(__name__)


class _BrokenError(Exception):
    """A set in the cache is not what was written. The message says what is wrong."""


def kept_sets(data_dir: Path) -> Path:
    """Return the folder of decoded sets, next to the downloads."""
    return data_dir / "decoded"


def is_kept(folder: Path, name: str) -> bool:
    """Whether a set of this name is in the folder of decoded sets. It is checked only when it is read."""
    return (folder / name).is_dir()


def decoded(
    folder: Path, name: str, build: Callable[[], Arrays], flaw: Callable[[Arrays], str] | None = None
) -> Arrays:
    """Return a data set from the cache, or decode it and write it there.

    Args:
        folder: of decoded sets.
        name: of this one. It must contain everything that the decoded arrays depend on.
        build: decodes the set; called by one process at a time.
        flaw: says what is wrong with a set that is kept and undamaged; empty if nothing is.

    The arrays are mapped copy-on-write: processes share pages, and nothing that is written to an array reaches the
    disk. A cache that cannot be written costs time, but ends no run.
    """
    target = folder / name
    try:
        kept = _read(target, flaw)
    except _BrokenError:
        kept = None  # decided again below, where nobody else can be at work on it
    if kept is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = wait_for(folder / f".{name}.lock", f"decoding {name}")
    except OSError as error:
        _log.warning("decoded images cannot be kept in %s (%s)", folder, error)
        return build()
    with lock:
        return _read_or_build(target, build, flaw)


def handed_over(folder: Path, content_hash: str) -> Arrays | None:
    """Return a set that `hand_over` has kept; None if there is none, or it is damaged."""
    try:
        return _read(folder / _handed_name(content_hash))
    except _BrokenError as error:
        _log.warning("data that was handed over is damaged (%s) and not used", error)
        return None


def hand_over(folder: Path, arrays: Arrays) -> None:
    """Keep decoded arrays that come from another machine, under their content hash.

    Raises:
        OSError: they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = _handed_name(arrays.content_hash)
    with wait_for(folder / f".{name}.lock", "receiving data"):
        if handed_over(folder, arrays.content_hash) is None:
            shutil.rmtree(folder / name, ignore_errors=True)  # what is damaged came from elsewhere, and comes again
            _write(folder / name, arrays)


def _handed_name(content_hash: str) -> str:
    return f"handed-over-{content_hash[:32]}"


def wait_for(path: Path, work: str) -> FileLock:
    """Take a lock that one process at a time can hold. After a while, say what is being waited for.

    Args:
        path: of the lock's file, which stays.
        work: what the process that holds it is doing, such as "decoding celeba64".

    Raises:
        OSError: the file cannot be created.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except NotImplementedError as error:  # by a file system that has no locks
        raise OSError(str(error)) from error
    except Timeout:
        _log.warning("another process is %s; waiting for it", work)
        lock.acquire()
    return lock


def _read_or_build(target: Path, build: Callable[[], Arrays], flaw: Callable[[Arrays], str] | None) -> Arrays:
    try:
        kept = _read(target, flaw)
    except _BrokenError as error:
        aside = target.with_name(f"{target.name}.broken-{secrets.token_hex(4)}")
        target.rename(aside)
        _log.warning("%s is damaged (%s); it is renamed to %s and decoded again", target, error, aside.name)
        kept = None
    if kept is not None:
        return kept
    arrays = build()
    try:
        _write(target, arrays)
        return _read(target) or arrays
    except (OSError, _BrokenError) as error:
        _log.warning("decoded images cannot be kept in %s (%s)", target.parent, error)
        return arrays


def _read(target: Path, flaw: Callable[[Arrays], str] | None = None) -> Arrays | None:
    """Map a decoded set into memory; None if there is none.

    Raises:
        _BrokenError: part of it is missing, cut short or changed, or it has a flaw.
    """
    import numpy as np

    if not target.exists():
        return None
    try:
        manifest = json.loads(read_regular(target / _MANIFEST))
        if manifest["format"] != _FORMAT:
            raise _BrokenError(f"it has format {manifest['format']}, expected {_FORMAT}")
        for file in (f"{name}.npy" for name in ARRAY_NAMES):
            with open_regular(target / file) as opened:  # a pipe would be waited for
                actual, size = os.fstat(opened.fileno()).st_size, manifest["sizes"][file]
            if actual != size:
                raise _BrokenError(f"{file} has {actual:,} bytes, expected {size:,}")
        mapped = {name: np.asarray(np.load(target / f"{name}.npy", mmap_mode="c")) for name in ARRAY_NAMES}
        arrays = Arrays(**mapped)
        if arrays.content_hash != manifest["content_hash"]:
            raise _BrokenError(f"its content hash is {arrays.content_hash[:16]}, not the one written beside it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _BrokenError(f"{type(error).__name__}: {error}") from error
    if flaw is not None and (reason := flaw(arrays)):
        raise _BrokenError(f"it {reason}")
    return arrays


def _write(target: Path, arrays: Arrays) -> None:
    """Write a set into a temporary folder next to the target, then rename the folder."""
    import numpy as np

    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        partial.mkdir()
        for name in ARRAY_NAMES:
            np.save(partial / f"{name}.npy", getattr(arrays, name))
        sizes = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
        manifest = {"format": _FORMAT, "content_hash": arrays.content_hash, "sizes": sizes}
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
