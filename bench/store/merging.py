"""Results folders of several machines united into one: what is kept of each trial, and what contradicts what.

A trial's attempts are taken folder by folder, in the order in which the folders are named:

- an attempt that is there already, whatever its number, is there once;
- while a trial has no result, since all of its attempts were lost (timeout, error), an attempt is its next one;
- so is a result with numbers of a judge, FID among them, that the last result has not, as `run` makes it;
- a lost attempt after a result is left out;
- another result of the same trial is held against the last one, which stays. On equal hardware and software the two
  must have the same numbers: where they differ, that is a conflict.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.files.regular import UnusableFileError, open_regular
from bench.files.writing import create_exclusively
from bench.store.journal import Store, StoreError, differing_fields, is_comparable, read_record, record_files
from bench.store.kernels import KernelStore
from bench.store.record import Record
from bench.store.times import moment


@dataclass(frozen=True, kw_only=True)
class Addition:
    """A record that the united folder lacks, with the attempt that it is there."""

    record: Record
    source: Path
    attempt: int
    """Its number where it comes from."""


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """Two results of one trial, from equal machines, that are not the same."""

    kept: Record
    other: Record
    source: Path
    """Where the other one lies."""
    differing: tuple[str, ...]


@dataclass(kw_only=True)
class Union:
    """What became of the records of several folders."""

    added: int = 0
    present: int = 0
    """Records that were in the united folder already, or in several of the others."""
    repeated: int = 0
    """Second results with the same numbers as the first."""
    elsewhere: int = 0
    """Second results from another kind of machine, which need not have the same numbers."""
    lost: int = 0
    """Timeouts and errors of trials that have a result."""
    kernels: int = 0
    """Kernel records that were added."""
    conflicts: list[Conflict] = field(default_factory=list)


def merge(
    into: Path, folders: Sequence[Path], on_trial: Callable[[int, int], None] = lambda done, total: None
) -> Union:
    """Unite results folders: records, artifacts, logs and kernel records. Nothing that is in `into` is changed.

    Trials are read one by one, so that folders of any size fit into memory. What was interrupted is done by doing it
    again.

    Args:
        into: the folder that the others are united in; it is made if it is not there.
        folders: the others, in the order in which they count.
        on_trial: is told how many of how many trials are done.

    Raises:
        RecordError: a file is no record, or is damaged.
        StoreError: a log cannot be read.
        OSError: an artifact cannot be read, or a file not be written; it names the file.
    """
    here = _files(into)
    there = {folder: _files(folder) for folder in folders}
    trials = sorted({trial for files in there.values() for trial in files})
    union = Union()
    for done, trial in enumerate(trials, 1):
        present = [read_record(path) for path in here.get(trial, ())]
        sources = {folder: [read_record(path) for path in files.get(trial, ())] for folder, files in there.items()}
        for addition in unite(present, sources, union):
            _add(addition, Store(into))
        on_trial(done, len(trials))
    kept = KernelStore(into)
    for folder in folders:
        union.kernels += sum(kept.append(record) for record in KernelStore(folder).records())
    return union


def unite(present: Iterable[Record], sources: Mapping[Path, Sequence[Record]], union: Union) -> list[Addition]:
    """Return the records to add to those of a folder, by the rules of this module, and count the others in `union`.

    Args:
        present: the records of the folder that the others are united in; none of them changes.
        sources: the records of each other folder, in the order in which they count.
        union: the counts so far.
    """
    kept: dict[str, list[_Attempt]] = defaultdict(list)
    for record in _in_order(present):
        kept[record.trial_id].append(_Attempt(record))
    for source, records in sources.items():
        for record in _in_order(records):
            _take(record, source, kept[record.trial_id], union)
    additions = [addition for attempts in kept.values() for addition in _additions(attempts)]
    union.added += len(additions)
    return additions


@dataclass(frozen=True)
class _Attempt:
    record: Record
    source: Path | None = None
    """None where it is in the united folder already."""


def _take(record: Record, source: Path, attempts: list[_Attempt], union: Union) -> None:
    if any(_same(record, attempt.record) for attempt in attempts):
        union.present += 1
        return
    last = attempts[-1] if attempts else None
    if last is not None and last.record.is_lost and last.source is not None and _overlap(last.record, record):
        # The trial was tried in two places at once. Attempts follow each other, and a result is worth more.
        if record.is_lost:
            union.lost += 1
            return
        attempts.pop()
        union.lost += 1
    known = next((attempt.record for attempt in reversed(attempts) if not attempt.record.is_lost), None)
    if known is None:
        attempts.append(_Attempt(record, source))
    elif record.is_lost:
        union.lost += 1
    elif record.is_judged_beyond(known):
        attempts.append(_Attempt(record, source))
    elif not is_comparable(known, record):
        union.elsewhere += 1
    elif differing := differing_fields(known, record):
        union.conflicts.append(Conflict(kept=known, other=record, source=source, differing=tuple(differing)))
    else:
        union.repeated += 1


def _additions(attempts: Sequence[_Attempt]) -> Iterator[Addition]:
    """Number what the folder lacks of one trial after all that it has, of which it need not have every attempt."""
    first = max((attempt.record.attempt + 1 for attempt in attempts if attempt.source is None), default=0)
    lacking = ((attempt.record, attempt.source) for attempt in attempts if attempt.source is not None)
    for number, (record, source) in enumerate(lacking, first):
        numbered = msgspec.structs.replace(record, attempt=number)
        yield Addition(record=numbered, source=source, attempt=record.attempt)


def _in_order(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (record.trial_id, record.attempt))


def _same(one: Record, other: Record) -> bool:
    return one == msgspec.structs.replace(other, attempt=one.attempt)


def _overlap(before: Record, after: Record) -> bool:
    """Say whether an attempt began before another had ended."""
    ended, began = moment(before.finished_at), moment(after.started_at)
    return ended is not None and began is not None and began < ended


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of a folder's records by trial."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in record_files(folder):
        files[path.name.partition(".")[0]].append(path)
    return files


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read()
    except UnusableFileError as error:
        raise StoreError(f"{path} {error}; move it away, or restore the file") from error


def _add(addition: Addition, store: Store) -> None:
    """Write a record, its log and the trial's artifacts; the record comes last, as it says that all is there."""
    record, source = addition.record, Store(addition.source)
    artifacts = source.artifacts_dir(record.trial_id)
    if artifacts.is_dir() and not store.artifacts_dir(record.trial_id).exists():
        store.copy_artifacts(record.trial_id, artifacts)
    log = store.log_path(record.trial_id, record.attempt)
    said = source.log_path(record.trial_id, addition.attempt)
    if os.path.lexists(said):  # not every attempt has said something
        content = _content(said)
        log.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            create_exclusively(log, content)
    path = store.record_path(record.trial_id, record.attempt)
    path.parent.mkdir(parents=True, exist_ok=True)
    same = record.attempt == addition.attempt
    original = source.record_path(record.trial_id, addition.attempt)
    create_exclusively(path, original.read_bytes() if same else msgspec.json.encode(record))
