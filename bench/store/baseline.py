"""Baselines: a named set of trials with the values that a comparison needs, in one file that lives in git.

A baseline is JSON lines: a header with name, digest and counts, then one line per trial, sorted, with sorted keys. A
line is a record without its curves, so a baseline stands alone: the results folder may go. Equal records give equal
bytes, and a new baseline shows in `git diff` trial by trial.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.common.version import UPGRADE
from bench.config.commands import command
from bench.config.trial import canonical_json
from bench.files.regular import UnusableFileError, read_regular
from bench.store import strict_json
from bench.store.record import OLDEST_SCHEMA, SCHEMA_VERSION, History, Record, contradiction

FOLDER: Final = Path("baselines")
SUFFIX: Final = ".jsonl"

METRICS: Final = (
    *("distance", "distance_init", "distance_floor", "modes", "kl_uniform"),
    *("high_quality", "high_quality_ceiling", "unreadable", "unreadable_floor", "coverage", "coverage_ceiling"),
)
"""What distances and scores are made of; `bench.statistics.damage` lists what a score reads."""

_LARGEST: Final = 2**30
"""Bytes of a baseline: a trial has about a thousand."""

_COST: Final = ("images_per_second",)


class BaselineError(ValueError):
    """A file is no usable baseline. The message names it, and says what to do."""


class ChangedBaselineError(BaselineError):
    """A baseline is no longer as it was written: edited, merged or cut. It can be frozen again from its records."""


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a baseline file."""

    baseline: str
    """Its name."""
    schema_version: int
    trials: int
    digest: str
    """SHA-256 over the lines that follow."""


@dataclass(frozen=True)
class Baseline:
    """A baseline and its trials, which are records without curves."""

    header: Header
    records: tuple[Record, ...]


def encode_baseline(name: str, records: Iterable[Record]) -> bytes:
    """Return the bytes of a baseline file."""
    body = _body(records)
    header = Header(
        baseline=name,
        schema_version=SCHEMA_VERSION,
        trials=body.count(b"\n"),
        digest=hashlib.sha256(body).hexdigest(),
    )
    return canonical_json(header) + b"\n" + body


def decode_baseline(content: bytes, where: str) -> Baseline:
    """Read the bytes of a baseline file; `where` names it in messages.

    Raises:
        ChangedBaselineError: it was changed by hand or by a merge.
        BaselineError: it is none, or is of a newer program.
    """
    first, _, body = _as_written(content).partition(b"\n")
    try:
        header = strict_json.decode(first, Header)
    except strict_json.UNREADABLE as error:
        raise BaselineError(
            f"{where} is not a baseline ({error}); make one with: python -m bench baseline freeze NAME"
        ) from error
    if header.schema_version > SCHEMA_VERSION:
        raise BaselineError(
            f"{where} was written by a newer program (schema {header.schema_version}; this one reads up to "
            f"{SCHEMA_VERSION}); {UPGRADE}"
        )
    if header.schema_version < OLDEST_SCHEMA:
        raise BaselineError(
            f"{where} says that it has schema {header.schema_version}, and the first one was {OLDEST_SCHEMA}: it was "
            "edited; restore it from git"
        )
    again = command("baseline", "freeze", header.baseline, *_elsewhere(header.baseline, where), "--replace")
    if hashlib.sha256(body).hexdigest() != header.digest:
        raise ChangedBaselineError(
            f"{where} does not fit its digest: it was edited, merged or cut; restore it from git, or freeze it again "
            f"with: {again}"
        )
    lines = body.split(b"\n")[:-1] if body.endswith(b"\n") else body.split(b"\n") if body else []
    if len(lines) != header.trials:
        raise ChangedBaselineError(
            f"{where} says that it has {header.trials:,} trials, and has {len(lines):,}: its first line was edited; "
            f"restore it from git, or freeze it again with: {again}"
        )
    return Baseline(header, tuple(_record(line, number, where) for number, line in enumerate(lines, 2)))


def usual_path(name: str) -> Path:
    """Return where a baseline of this name is written, and looked up."""
    return FOLDER / f"{name}{SUFFIX}"


def _elsewhere(name: str, where: str) -> tuple[str, ...]:
    """Say where to freeze a file again that does not lie where its name is: the one that lies there may be whole."""
    path = Path(where)
    return ("--output", where) if path.is_file() and path != usual_path(name) else ()


def _as_written(content: bytes) -> bytes:
    """Undo what editors and git on Windows do to a text: a byte order mark before it, and CR LF where lines end.

    A carriage return within a line is written as an escape in JSON, so that none is lost here.
    """
    return content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")


def _record(line: bytes, number: int, where: str) -> Record:
    """Read a line of a baseline, which is held to what a record is held to in a results folder."""
    try:
        record = strict_json.decode(line, Record)
    except strict_json.UNREADABLE as error:
        raise ChangedBaselineError(
            f"{where}, line {number}, holds a trial that this program cannot read ({error})"
        ) from error
    known = OLDEST_SCHEMA <= record.schema_version <= SCHEMA_VERSION
    wrong = contradiction(record) if known else f"says that it has schema {record.schema_version}, which there is not"
    if wrong:
        raise ChangedBaselineError(
            f"{where}, line {number}, {wrong}; restore the file from git, or freeze it again from its records"
        )
    return record


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises:
        BaselineError: it cannot be read, or as for `decode_baseline`.
    """
    try:
        content = read_regular(path, largest=_LARGEST)
    except UnusableFileError as error:
        raise BaselineError(f"{path} {error}; give the file of a baseline") from error
    return decode_baseline(content, str(path))


def records_digest(records: Iterable[Record]) -> str:
    """Return the digest that a baseline of these records has, in whatever order they come."""
    return hashlib.sha256(_body(records)).hexdigest()


def _body(records: Iterable[Record]) -> bytes:
    return b"".join(canonical_json(_slim(record)) + b"\n" for record in sorted(records, key=_order))


def _slim(record: Record) -> Record:
    return msgspec.structs.replace(
        record,
        metrics={name: record.metrics[name] for name in METRICS if name in record.metrics},
        cost={name: record.cost[name] for name in _COST if name in record.cost},
        history=History(),
        stability={},
        message="",
    )


def _order(record: Record) -> tuple[object, ...]:
    spec = record.spec
    return (
        spec.workload,
        spec.track,
        spec.network.d_norm,
        spec.steps,
        spec.method,
        spec.seed,
        record.trial_id,
        record.attempt,
    )
