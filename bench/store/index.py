"""An index of a results folder: the scalars of its records in one file, so that a table need not open 100,000.

It is never the truth. A row stands for a record as long as the record's file has the size and the times that it had
when it was read; every other file is read itself. So an edited, added or removed record is seen, and an index that is
damaged, of another program or not there costs time and nothing else: it is made again.

It lies in the user's cache under the folder's path, not among the records. A published folder lists every file that is
in it, a folder may be read-only, and in a copy of a folder the times fit no file anyway.

    CACHE/indexes/<digest of the path>-<program>.index    a line, SHA-256 of what follows; then an Arrow stream
"""

import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from bench.config.trial import canonical_json
from bench.files.places import default_cache_dir
from bench.files.regular import UnusableFileError, read_regular
from bench.files.writing import replace_whole
from bench.store.columns import Rows, Stamp, names_of, records_of
from bench.store.record import Record, without_history

if TYPE_CHECKING:
    import pyarrow as pa

SMALL: Final = 200
"""Fewer records are read faster than Arrow is loaded."""

_FORMAT: Final = 1
"""Raised when the file is written otherwise, or when records that were read are now refused."""

_SETTLED_NS: Final = 2 * 10**9
"""A file that changed so recently could change again within one tick of its clock, which is 2 seconds on some disks."""

_STALE_SHARE: Final = 0.02
"""An index is written again when it lacks so many of the records: less is read faster than it is written."""

_FORGOTTEN_SECONDS: Final = 90 * 86400
"""The index of a folder that nobody has read for so long is deleted."""

_LARGEST: Final = 2**32
"""Bytes of an index: a record has about 700."""

_log = logging.getLogger(__name__)


def read_scalars(folder: Path, read: Callable[[Path], Record]) -> list[Record]:
    """Return the records of a folder without their histories, in no order.

    Args:
        folder: of the records themselves.
        read: reads one of its files, whole, and raises where it is no record.
    """
    began = time.time_ns()
    present = _stamps(folder)
    if len(present) < SMALL:
        return [without_history(read(folder / name)) for name in present]
    path = _place(folder)
    kept, gone = _unchanged(_load(path), present)
    known = set(names_of(kept)) if kept is not None else set()
    added, unsettled = Rows(), Rows()
    for name, stamp in present.items():
        if name not in known:
            rows = added if stamp is not None and _settled(stamp, began) else unsettled
            rows.append(read(folder / name), stamp or Stamp(0, 0, 0))
    tables = [table for table in (kept, added.table()) if table is not None]
    if path is not None and gone + len(added) > _STALE_SHARE * len(present):
        _keep(path, tables)
    return [record for table in (*tables, unsettled.table()) for record in records_of(table)]


def index_path(folder: Path) -> Path:
    """Return where the index of a folder of records lies. A program whose records have other fields has another one."""
    program = canonical_json({"format": _FORMAT, "record": msgspec.json.schema(Record)})
    name = f"{_digest(os.fsencode(folder.resolve()))[:16]}-{_digest(program)[:8]}"
    return default_cache_dir() / "indexes" / f"{name}.index"


def _place(folder: Path) -> Path | None:
    """Return where the index lies; None where the user has no place for one, which no reading fails for."""
    try:
        return index_path(folder)
    except (OSError, RuntimeError, ValueError) as error:
        _log.warning("there is no place for an index of records (%s)", error)
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _stamps(folder: Path) -> dict[str, Stamp | None]:
    """Return the stamp of each file by its name; None where there is no file that could be known by one."""
    stamps: dict[str, Stamp | None] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            stamps[entry.name] = None
            with suppress(OSError):  # reading it says what is wrong
                seen = entry.stat()
                if stat.S_ISREG(seen.st_mode):
                    stamps[entry.name] = Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return stamps


def _settled(stamp: Stamp, now: int) -> bool:
    return max(stamp.modified_ns, stamp.changed_ns) < now - _SETTLED_NS


def _unchanged(table: "pa.Table | None", present: Mapping[str, Stamp | None]) -> "tuple[pa.Table | None, int]":
    """Return the rows whose files are as they were, and how many others there are."""
    if table is None:
        return None, 0
    stamps = zip(*(table[name].to_pylist() for name in Stamp._fields), strict=True)
    same = [present.get(name) == stamp for name, stamp in zip(names_of(table), stamps, strict=True)]
    gone = same.count(False)
    return (table.filter(same) if gone else table), gone


def _load(path: Path | None) -> "pa.Table | None":
    """Read an index; None where there is none that is whole."""
    if path is None or not path.exists():
        return None
    import pyarrow as pa

    try:
        heading, _, content = read_regular(path, largest=_LARGEST).partition(b"\n")
    except UnusableFileError as error:
        _log.warning("the index of records %s %s; the records themselves are read", path, error)
        return None
    if heading.decode(errors="replace") != _digest(content):
        _log.warning("the index of records %s is damaged; it is made again", path)
        return None
    with suppress(OSError):  # so that it is not forgotten, which matters little
        os.utime(path)
    try:
        return pa.ipc.open_stream(content).read_all()
    except pa.ArrowException as error:  # whole, and written with a compression that is not there
        _log.warning("the index of records %s cannot be read (%s); it is made again", path, error)
        return None


def _keep(path: Path, tables: "Iterable[pa.Table]") -> None:
    """Write an index. Where that cannot be, the records are read again the next time."""
    import pyarrow as pa

    table = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if pa.Codec.is_available("zstd") else None)
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    content = sink.getvalue().to_pybytes()
    try:
        replace_whole(path, _digest(content).encode() + b"\n" + content)
        _forget_others(path)
    except OSError as error:
        _log.warning("the index of records cannot be kept in %s (%s)", path.parent, error)


def _forget_others(written: Path) -> None:
    """Delete the indexes of folders that nobody reads any more, by the clock of the disk that has just taken one."""
    here = written.stat().st_mtime
    for path in written.parent.glob("*.index"):
        with suppress(FileNotFoundError):  # another process was faster
            if here - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                path.unlink()
