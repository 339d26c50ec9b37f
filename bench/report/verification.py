"""Check a published folder: that its records are whole and its tables are what the records give, file by file.

What cannot be seen from here is whether the trainings took place: for that, train some of them again into another
folder and compare the records.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import PART, is_from_elsewhere, part_names, part_versions
from bench.config.workload import Workload
from bench.report import methods, wording
from bench.report.publication import (
    MANIFEST,
    TABLES,
    manifest,
    publish_command,
    read_manifest,
    record_files,
    sha256,
    tables,
)
from bench.statistics.board import Leaderboard
from bench.statistics.cohorts import Cohort, cohorts
from bench.statistics.damage import damage, file_of
from bench.statistics.ranking import rank
from bench.statistics.scores import is_result
from bench.store.journal import RecordError, read_record
from bench.store.record import Record
from bench.training.version import components

WorkloadOf = Callable[[str], Workload]
"""Looks a workload up by name, or raises a `ValueError` that says which there are."""

_WITHOUT_REVISIONS: Final = "1.0"
"""The protocol whose records do not name the revisions of their parts."""

_UPGRADE: Final = "run: pip install --upgrade gan-loss-bench"
_RESTORE: Final = "restore the file as it was recorded"
_OWN_FILES: Final = (*TABLES, MANIFEST, "README.md")
_SAMPLES: Final = re.compile(r"artifacts/(?P<trial_id>[0-9a-f]{16})/samples\.png")
_MACHINE_PATH: Final = re.compile(r"(?<![\w/:.])(?:/[\w.@+-]+){2,}|(?<!\w)[A-Za-z]:\\|~/")
"""An absolute path, of Unix or Windows, that a message might carry; the path of a web address is none."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing about one file. What is not `wrong` is worth knowing and no reason to refuse the folder."""

    file: str
    what: str
    mend: str = ""
    wrong: bool = True


@dataclass(frozen=True)
class Verified:
    """What a folder holds, and all that was found about it."""

    records: int
    findings: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        return not any(finding.wrong for finding in self.findings)


@dataclass(frozen=True)
class Contents:
    """The records of a folder as they were read."""

    records: tuple[Record, ...]
    files: Mapping[str, bytes]
    """The bytes of the records and sample grids, by their paths in the folder."""
    findings: tuple[Finding, ...]

    @property
    def fine(self) -> bool:
        return not any(finding.wrong for finding in self.findings)


def verify(folder: Path, workload_of: WorkloadOf) -> Verified:
    """Check everything about a published folder that follows from its files.

    Records: schema, name, identity, protocol, component versions, machine paths. Together: seeds 0 to n-1, the same
    for every method, attempts without gaps. Tables: byte for byte what the records give. Manifest: every file and its
    SHA-256. And nothing else may lie there but a README.md and sample grids.
    """
    contents = read_contents(folder, workload_of)
    found = [*contents.findings, *alien_files(folder, contents)]
    boards: list[Leaderboard] = []
    if all(finding.file == "records" or not finding.wrong for finding in contents.findings) and contents.records:
        boards = ranked(contents, workload_of)
    made = tables(boards, folder.resolve().name) if boards else {}
    found += _table_findings(folder, made)
    found += _manifest_findings(folder, contents, boards, made)
    if not made:
        found.append(Finding("leaderboard.*", "not compared, as its records are off", wrong=False))
    return Verified(len(contents.records), tuple(sorted(set(found))))


def read_contents(folder: Path, workload_of: WorkloadOf) -> Contents:
    """Read the records of a folder, and check them alone and together."""
    files, records, found = {}, [], []
    for path in record_files(folder):
        name = f"records/{path.name}"
        files[name] = path.read_bytes()
        try:
            record = read_record(path)
        except RecordError as error:
            found.append(Finding(name, str(error).removeprefix(f"{path} ")))
        else:
            records.append(record)
            found += [*_record_findings(name, record), *_workload_findings(name, record, workload_of)]
    files |= {path.relative_to(folder).as_posix(): path.read_bytes() for path in _sample_files(folder)}
    if not records and not found:
        found.append(Finding("records", "there are none", "copy the records of a results folder there"))
    readable = not any(finding.wrong for finding in found)
    found += _attempt_findings(records)
    if readable:
        for cohort in cohorts(records, _workloads(records, workload_of)):
            found += _cohort_findings(cohort)
    found += _version_findings(records, workload_of)
    return Contents(tuple(records), files, tuple(found))


def ranked(contents: Contents, workload_of: WorkloadOf) -> list[Leaderboard]:
    """Rank the records of a folder.

    Raises:
        ValueError: a record is damaged, which `read_contents` has found already.
    """
    return rank(contents.records, _workloads(contents.records, workload_of))


def _workloads(records: Iterable[Record], workload_of: WorkloadOf) -> dict[str, Workload]:
    return {name: workload_of(name) for name in sorted({record.spec.workload for record in records})}


def _sample_files(folder: Path) -> list[Path]:
    return sorted((folder / "artifacts").glob("*/samples.png"))


def _record_findings(name: str, record: Record) -> Iterable[Finding]:
    if _newer(record.protocol_version, PROTOCOL_VERSION):
        yield Finding(
            name,
            f"follows protocol {record.protocol_version}, this program {PROTOCOL_VERSION}",
            _UPGRADE,
        )
    if record.components.get("data", record.spec.data_hash) != record.spec.data_hash:
        yield Finding(name, "names two contents of its data", _RESTORE)
    if ":" in record.spec.workload:
        yield Finding(
            name,
            f"ran on {record.spec.workload!r}, images that nobody else has",
            "publish workloads that others can run",
        )
    if _MACHINE_PATH.search(record.message):
        yield Finding(
            name, f"its message names a path of one machine: {record.message!r}", "run the trial again, or leave it out"
        )
    yield from _name_findings(name, record)


def _name_findings(name: str, record: Record) -> Iterable[Finding]:
    known = {entry.name: entry.expression for entry in methods.methods()}
    expected = known.get(record.spec.method_name, record.spec.method)
    if expected != record.spec.method and record.components.get("losses") == methods.library_version():
        yield Finding(
            name,
            f"calls itself {record.spec.method_name}, which is {expected!r}, and trained {record.spec.method!r}",
            "restore the name that it was recorded under",
        )


def _workload_findings(name: str, record: Record, workload_of: WorkloadOf) -> Iterable[Finding]:
    try:
        workload = workload_of(record.spec.workload)
    except ValueError as error:
        yield Finding(name, str(error), _UPGRADE)
        return
    found = damage(record, workload)
    if found:
        yield Finding(name, found.removeprefix(f"{file_of(record)}: "))


def _attempt_findings(records: Sequence[Record]) -> Iterable[Finding]:
    attempts: dict[str, set[int]] = defaultdict(set)
    for record in records:
        attempts[record.trial_id].add(record.attempt)
    for trial, numbers in attempts.items():
        for missing in sorted(set(range(max(numbers))) - numbers):
            yield Finding(
                f"records/{trial}.{missing}.json",
                "is missing, and a later attempt is there",
                "restore it: all are kept",
            )


def _cohort_findings(cohort: Cohort) -> Iterable[Finding]:
    """Every method has the seeds 0 to n-1 of every workload. Lost runs are there too, and are no result."""
    names = {entrant: record.spec.method_name for (entrant, _, _), record in cohort.cells.items()}
    for workload in cohort.workloads:
        of_workload = [(entrant, seed) for entrant, name, seed in cohort.cells if name == workload]
        needed = set(range(1 + max(seed for _, seed in of_workload)))
        for entrant in cohort.entrants:
            missing = tuple(sorted(needed - {seed for owner, seed in of_workload if owner == entrant}))
            if missing:
                who = f"{names[entrant]}, not well defined there," if entrant.variant else names[entrant]
                yield Finding(
                    "records",
                    f"{who} on {workload} lacks {wording.seed_words(missing)} of {len(needed)} ({cohort.key.title})",
                    "restore what was deleted, or run what is missing: seeds are 0 to n-1 for every method",
                )
    lost = sum(not is_result(record) for record in cohort.cells.values())
    if lost:
        yield Finding(
            "records",
            f"{wording.plural(lost, 'trial')} ended in a timeout or an error and count as missing",
            wrong=False,
        )
    if cohort.superseded:
        yield Finding(
            "records",
            f"{wording.plural(cohort.superseded, 'record')} of older data or component versions stand in no table",
            wrong=False,
        )


def _version_findings(records: Sequence[Record], workload_of: WorkloadOf) -> Iterable[Finding]:
    """Say which versions made the records, where they are not this program's."""
    counted: Counter[tuple[str, str, str]] = Counter()
    unknown: set[str] = set()
    for record in records:
        try:
            current = components(workload_of(record.spec.workload), methods.library_version())
        except ValueError:  # said about its file already
            continue
        for name, version in current.items():
            # Data that no workload pins is known by its content alone: there is no version to be of.
            if version and record.components.get(name) != version:
                counted[name, record.components.get(name, ""), version] += 1
        for name, version in _parts_needed(record).items():
            if record.components.get(name) != version:
                counted[name, record.components.get(name, ""), version] += 1
        unknown |= {name for name in record.components if name not in current and not name.startswith(PART)}
    for name in sorted(unknown):
        yield Finding("records", f"have a component that this program does not know: {name}", _UPGRADE)
    for (name, found, version), number in sorted(counted.items()):
        yield _version_finding(wording.plural(number, "record"), name, found, version)


def _parts_needed(record: Record) -> dict[str, str]:
    """Return the components of the parts that a record's method is made of, with the revisions that they have today.

    One that came in a file is left out: its version is that of the file, whatever the library calls by its name today.
    """
    if record.protocol_version == _WITHOUT_REVISIONS:
        return {}
    shipped = {entry.name: entry.revision for entry in methods.parts()}
    named = part_versions(record.components)
    return {
        f"{PART}{name}": shipped.get(name, "")
        for name in part_names(record.spec.method)
        if not is_from_elsewhere(named.get(name, ""))
    }


def _version_finding(who: str, component: str, found: str, current: str) -> Finding:
    if not found:
        return Finding("records", f"{who} without a version of {component}", _RESTORE)
    if _newer(found, current):
        return Finding("records", f"{who} of {component} {found}, newer than this program's {current}", _UPGRADE)
    order = "older than" if _newer(current, found) else "other than"
    return Finding("records", f"{who} of {component} {found}, {order} this program's {current}", wrong=False)


def _newer(first: str, second: str) -> bool:
    """Say whether a version of dotted numbers is above another; hashes have no order."""
    try:
        one, other = ([int(part) for part in version.split(".")] for version in (first, second))
    except ValueError:
        return False
    return one > other


def alien_files(folder: Path, contents: Contents) -> Iterable[Finding]:
    """Name what lies in a folder and belongs into no published one."""
    trials = {record.trial_id for record in contents.records}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in _OWN_FILES or (name in contents.files and name.startswith("records/")):
            continue
        samples = _SAMPLES.fullmatch(name)
        if samples is None or samples["trial_id"] not in trials:
            yield Finding(
                name, "does not belong into a published folder", "move it out, or publish the records alone with --from"
            )


def _table_findings(folder: Path, made: Mapping[str, bytes]) -> Iterable[Finding]:
    """Compare the tables, those of older protocols too: their scoring version computes them as they were published."""
    again = f"once the records are right, write it again: {publish_command(folder.resolve().name)}"
    for name, content in made.items():
        path = folder / name
        if not path.is_file():
            yield Finding(name, "is missing", again)
        elif path.read_bytes() != content:
            line = _first_difference(path.read_bytes(), content)
            yield Finding(name, f"is not what the records give, from line {line} on", again)


def _first_difference(found: bytes, expected: bytes) -> int:
    one, other = found.splitlines(), expected.splitlines()
    equal = (number for number, (a, b) in enumerate(zip(one, other, strict=False), 1) if a != b)
    return next(equal, min(len(one), len(other)) + 1)


def _manifest_findings(
    folder: Path, contents: Contents, boards: Sequence[Leaderboard], made: Mapping[str, bytes]
) -> Iterable[Finding]:
    name = folder.resolve().name
    again = f"if all records are as they were recorded, write it again: {publish_command(name)}"
    path = folder / MANIFEST
    if not path.is_file():
        yield Finding(MANIFEST, "is missing", again)
        return
    try:
        listed = read_manifest(path.read_bytes())
    except ValueError as error:
        yield Finding(MANIFEST, str(error), again)
        return
    if listed.name != name:
        yield Finding(
            MANIFEST,
            f"is of {listed.name!r}, and the folder is called {name!r}",
            f"call it {listed.name}, or publish anew",
        )
        return
    present = {
        **contents.files,
        **{table: (folder / table).read_bytes() for table in made if (folder / table).is_file()},
    }
    # Of tables that can be computed it has been said already whether they are right.
    differing = [finding for finding in _listed_findings(listed.files, present) if finding.file not in made]
    yield from differing
    expected = manifest(name, contents.records, boards, {**contents.files, **made})
    if made and not differing and path.read_bytes() != expected:
        yield Finding(MANIFEST, "is not what the folder gives", again)


def published_before(folder: Path, contents: Contents) -> list[Finding]:
    """Name the records that the folder's manifest lists and that are gone or changed: what was published stays."""
    path = folder / MANIFEST
    try:
        listed = read_manifest(path.read_bytes()).files if path.is_file() else {}
    except ValueError:  # a manifest that cannot be read binds nobody; `verify` names it
        return []
    recorded = {name: sum_ for name, sum_ in listed.items() if name.startswith("records/")}
    present = {name: content for name, content in contents.files.items() if name in recorded}
    return list(_listed_findings(recorded, present))


def _listed_findings(listed: Mapping[str, str], present: Mapping[str, bytes]) -> Iterable[Finding]:
    for name in sorted({*listed, *present}):
        if name not in present:
            yield Finding(name, f"is listed in {MANIFEST} and missing", "restore it")
        elif name not in listed:
            yield Finding(name, f"is not listed in {MANIFEST}", f"publish again: new files belong into {MANIFEST}")
        elif sha256(present[name]) != listed[name]:
            yield Finding(name, f"has other bytes than {MANIFEST} says", "restore the file as it was published")
