"""The results folder: append-only records, created exclusively, and the places of everything that belongs to them.

    ROOT/records/<trial_id>.<attempt>.json      one immutable record a finished attempt
    ROOT/artifacts/<trial_id>/                  samples.png, generator.safetensors
    ROOT/logs/<trial_id>.<attempt>.log          what the attempt wrote to stdout and stderr
    ROOT/kernels/<id>.json                      what one loss costs on one machine (see `kernels`)
    ROOT/scratch/<campaign>/                    work in flight
    ROOT/claims/                                which campaign is at which trial (see `claims`)

Several campaigns may write to one folder at once: nothing is ever overwritten, and no lock is taken to write.
"""

import contextlib
import errno
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from bench.common.version import UPGRADE
from bench.config.judges import JUDGES
from bench.files.places import resolved
from bench.files.regular import UnusableFileError, open_regular, read_regular
from bench.files.writing import create_exclusively, named, refusal
from bench.store import index, strict_json
from bench.store.record import INFRASTRUCTURE_STATUSES, OLDEST_SCHEMA, SCHEMA_VERSION, Record, contradiction

Appended = Literal["stored", "same", "incomparable"]
Recorded = TypeVar("Recorded", bound=Struct)

_RECORD_NAME: Final = re.compile(r"(?P<trial_id>[0-9a-f]{16})\.(?P<attempt>0|[1-9][0-9]*)\.json")


class RecordError(ValueError):
    """A file among the records cannot be used. The message names it, and says what to do."""


class StoreError(ValueError):
    """A results folder cannot be written to. The message names it, and says what to do."""


class Store:
    """The journal of one results folder."""

    def __init__(self, root: Path) -> None:
        self.root = resolved(root)
        self._records = self.root / "records"

    def records(self, *, histories: bool = True) -> list[Record]:
        """Read all records, ordered by trial and attempt.

        Args:
            histories: whether curves are read. Without them 100,000 records fit into memory, and most files need not be
                opened (see `bench.store.index`); everything else about the records is the same.

        Raises:
            RecordError: a file there is no record of ours, is damaged, or was written by a newer program. Nothing is
                skipped silently, since a table that lacks its failures says something else.
        """
        if not self._records.is_dir():
            return []
        if histories:
            records = [read_record(path) for path in record_files(self.root)]
        else:
            records = index.read_scalars(self._records, read_record)
        return sorted(records, key=lambda record: (record.trial_id, record.attempt))

    def latest(self, *, histories: bool = True) -> dict[str, Record]:
        """Return the attempt of each trial that counts, by trial id; `histories` as for `records`."""
        return {record.trial_id: record for record in latest_attempts(self.records(histories=histories))}

    def append(self, record: Record) -> Appended | list[str]:
        """Store the record. If this attempt already has one, that stays, and the two are compared.

        Returns:
            "stored"; or "same" where an equal record was there; or the names of the fields that differ although both
            ran in equal environments; or "incomparable" where nothing can be concluded, since the environments differ
            or one of the two was cut short.
        """
        self._records.mkdir(parents=True, exist_ok=True)
        path = self.record_path(record.trial_id, record.attempt)
        # Encoding is part of what is compared: a NaN is stored as null.
        encoded = msgspec.json.encode(record)
        try:
            create_exclusively(path, encoded)
        except FileExistsError:
            return _compare(read_record(path), msgspec.json.decode(encoded, type=Record))
        return "stored"

    def record_path(self, trial_id: str, attempt: int) -> Path:
        return self._records / f"{trial_id}.{attempt}.json"

    def artifacts_dir(self, trial_id: str) -> Path:
        return self.root / "artifacts" / trial_id

    def log_path(self, trial_id: str, attempt: int) -> Path:
        return self.root / "logs" / f"{trial_id}.{attempt}.log"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints: of trials that are on their way, or were cut short."""
        return self.root / "checkpoints"

    @property
    def claims(self) -> Path:
        """The folder of claims: which campaign is at which trial."""
        return self.root / "claims"

    @property
    def written_folders(self) -> tuple[Path, ...]:
        """The folders that a campaign writes to."""
        return self._records, self.root / "artifacts", self.root / "logs", self.root / "scratch", self.claims

    def check_writable(self) -> None:
        """Make the folders that a campaign writes to, and write a little into each.

        Raises:
            StoreError: one cannot be made or written to.
        """
        for folder in self.written_folders:
            if why := refusal(folder):
                raise StoreError(f"nothing can be written into {folder}: {why}; choose another folder of results")

    def keep_artifacts(self, trial_id: str, produced: Path) -> None:
        """Move a folder of artifacts from scratch to its place; artifacts of an earlier attempt make way.

        Raises:
            OSError: it cannot be moved.
        """
        kept = self.artifacts_dir(trial_id)
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            _put(produced, kept)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # The artifacts lie on another file system than the scratch folder.
            self.copy_artifacts(trial_id, produced)

    def copy_artifacts(self, trial_id: str, produced: Path) -> None:
        """Copy a folder of artifacts to its place, as `keep_artifacts` moves one: all of it or nothing is there.

        Raises:
            OSError: it cannot be copied.
        """
        kept = self.artifacts_dir(trial_id)
        copied = kept.with_name(f".{trial_id}.{secrets.token_hex(8)}")
        failures: list[OSError] = []

        def copy(source: str, target: str) -> None:
            try:
                _copy_file(Path(source), Path(target))
            except OSError as error:
                failures.append(error)
                raise

        try:
            shutil.copytree(produced, copied, copy_function=copy)
            _put(copied, kept)
        except shutil.Error as error:  # a list of words, and no longer of errors
            raise failures[0] if failures else error from error
        finally:
            shutil.rmtree(copied, ignore_errors=True)


def _copy_file(source: Path, target: Path) -> None:
    """Copy a regular file: a pipe is not waited for, and a device not read without end."""
    try:
        with open_regular(source) as content, named(target), target.open("wb") as copied:
            shutil.copyfileobj(content, copied)
    except UnusableFileError as error:
        raise OSError(errno.ENXIO, str(error), str(source)) from error
    shutil.copystat(source, target)


def _put(folder: Path, kept: Path) -> None:
    """Rename a folder to its place; what lies there makes way, to a name beside the folder."""
    while True:
        # A rename replaces an empty folder but no full one, and another campaign may put one there in between.
        old = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.old")
        with contextlib.suppress(FileNotFoundError):
            kept.rename(old)
        try:
            folder.rename(kept)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            if folder.parent == kept.parent:  # in scratch, it is removed with all the rest
                shutil.rmtree(old, ignore_errors=True)
            return


def record_files(root: Path) -> list[Path]:
    """Return the paths of a results folder's records, in order; what is being written is left out."""
    folder = root / "records"
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def latest_attempts(records: Iterable[Record]) -> list[Record]:
    """Return the attempt of each trial that counts, in the order of first appearance.

    It is the last one with a result. A finished trial is trained again for the numbers of a judge, and where that is
    lost to a timeout or an error, the result is still one. Of a trial without any it is the last attempt.
    """
    latest: dict[str, Record] = {}
    for record in records:
        known = latest.get(record.trial_id)
        if known is None or _rank(record) > _rank(known):
            latest[record.trial_id] = record
    return list(latest.values())


def _rank(record: Record) -> tuple[bool, int]:
    return not record.is_lost, record.attempt


def read_record(path: Path) -> Record:
    """Read one record.

    Raises:
        RecordError: it is damaged, has an unknown key or one twice, lies under another record's name, is of a newer
            schema or of none, or its trial id or protocol version is not the one of its spec.
    """
    _name_of(path)
    return parse_record(path, _content(path))


def parse_record(path: Path, content: bytes) -> Record:
    """Decode one record from its bytes. `path` is where they come from; its name must fit the record.

    Raises:
        RecordError: as for `read_record`.
    """
    name = _name_of(path)
    record = _parse(path, content, Record, SCHEMA_VERSION, again="have its trial run again")
    if record.trial_id != name["trial_id"] or record.attempt != int(name["attempt"]):
        raise RecordError(f"{path} holds the record of {record.trial_id}.{record.attempt}; give it its own name back")
    wrong = contradiction(record)
    if wrong:
        raise RecordError(f"{path} {wrong}; restore it as it was recorded, or delete it to have its trial run again")
    return record


def read_struct(path: Path, kind: type[Recorded], known: int, *, again: str) -> Recorded:
    """Read one file of a kind of record that has a `schema_version`.

    Args:
        path: the file.
        kind: the struct that it holds.
        known: the newest schema that this program reads.
        again: what deleting the file leads to, after "delete it to".

    Raises:
        RecordError: it cannot be read, is damaged, has an unknown key or one twice, or is of a newer schema or of none.
    """
    return _parse(path, _content(path), kind, known, again=again)


def _content(path: Path) -> bytes:
    try:
        return read_regular(path)
    except UnusableFileError as error:
        raise RecordError(f"{path} {error}; move it out of the records folder, or restore the file") from error


def _parse(path: Path, content: bytes, kind: type[Recorded], known: int, *, again: str) -> Recorded:
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
        if version > known:
            raise RecordError(
                f"{path} was written by a newer program (schema {version}; this one reads up to {known}); {UPGRADE}"
            )
        if version < OLDEST_SCHEMA:
            raise RecordError(
                f"{path} says that it has schema {version}, and the first one was {OLDEST_SCHEMA}: it was edited; "
                f"restore it, or delete it to {again}"
            )
        return strict_json.decode(content, kind)
    except strict_json.UNREADABLE as error:
        raise RecordError(f"{path} is damaged or edited ({error}); restore it, or delete it to {again}") from error


def _name_of(path: Path) -> re.Match[str]:
    name = _RECORD_NAME.fullmatch(path.name)
    if name is None:
        raise RecordError(f"{path} is not a record (<trial id>.<attempt>.json); move it out of the records folder")
    return name


class _Version(Struct):
    """The one key that every schema has."""

    schema_version: int


def _compare(first: Record, second: Record) -> Appended | list[str]:
    return (differing_fields(first, second) or "same") if is_comparable(first, second) else "incomparable"


def is_comparable(first: Record, second: Record) -> bool:
    """Say whether two runs of one trial must have the same numbers: both ended, in equal environments."""
    if first.environment is None or second.environment is None:
        return False
    if {first.status, second.status} & INFRASTRUCTURE_STATUSES:
        return False
    return first.environment.fingerprint == second.environment.fingerprint


def differing_fields(first: Record, second: Record) -> list[str]:
    """Return the names of what two runs of one trial have measured differently.

    What a judge has measured in one run alone, or with other weights, is left out.
    """
    differing = [name for name in ("status", "history") if getattr(first, name) != getattr(second, name)]
    judged = ((name, first.judges.get(name), second.judges.get(name)) for name in JUDGES)
    apart = {metric for name, one, other in judged if one != other for metric in JUDGES[name].metrics}
    for name in ("metrics", "stability"):
        one, other = getattr(first, name), getattr(second, name)
        differing += [f"{name}.{key}" for key in sorted({*one, *other} - apart) if one.get(key) != other.get(key)]
    return differing
