"""Check a published folder: that its records are whole and its tables are what the records give, file by file.

Records are checked one by one (`self_checks`, `marks`), against each other (`joint_checks`), and against what was
published before. What cannot be seen from here is whether the trainings took place: for that, `bench.rerun` trains
some again.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from bench.config.protocol import PROTOCOL_VERSION
from bench.config.workload import Workload
from bench.files.places import resolved
from bench.files.regular import UnusableFileError, read_regular
from bench.report import formatting, methods
from bench.report.findings import FileFinding
from bench.report.joint_checks import joint_contradictions
from bench.report.publication import (
    LARGEST_TABLE,
    MANIFEST,
    README,
    TABLES,
    manifest,
    publish_command,
    read_manifest,
    record_files,
    records_file,
    sha256,
    tables,
)
from bench.report.self_checks import attempt_contradictions, self_contradictions
from bench.report.version_checks import RESTORE, UPGRADE, WorkloadOf, newer, version_findings
from bench.statistics.board import Leaderboard
from bench.statistics.comparable_groups import ComparableGroup, MethodKey, comparable_groups
from bench.statistics.damage import damage, file_of
from bench.statistics.ranking import rank
from bench.statistics.scores import is_result
from bench.store import published
from bench.store.journal import RecordError, parse_record
from bench.store.record import Record
from bench.store.revision import RevisionError, read_blob

_FEW: Final = 1000
"""So many missing seeds or attempts are named."""

_AS_RECORDED: Final = "restore it as it was recorded, or delete it and run its trial again"
_OWN_FILES: Final = (*TABLES, published.FILE, MANIFEST, README)
_SAMPLES: Final = re.compile(r"artifacts/(?P<trial_id>[0-9a-f]{16})/samples\.png")
_MACHINE_PATH: Final = re.compile(r"(?<![\w/:.])(?:/[\w.@+-]+){2,}|(?<!\w)[A-Za-z]:\\|~/")
"""An absolute path, of Unix or Windows, that a message might carry; the path of a web address is none."""


@dataclass(frozen=True)
class Verified:
    """What a folder holds, and all that was found about it."""

    records: int
    findings: tuple[FileFinding, ...]
    read: tuple[Record, ...] = ()
    """The records of trials that could be read."""

    @property
    def fine(self) -> bool:
        return not any(finding.wrong for finding in self.findings)


@dataclass(frozen=True)
class Contents:
    """The records of a folder as they were read."""

    records: tuple[Record, ...]
    files: Mapping[str, bytes]
    """The bytes of the records, of sample grids and of the README, by their paths in the folder."""
    findings: tuple[FileFinding, ...]

    @property
    def fine(self) -> bool:
        return not any(finding.wrong for finding in self.findings)


def verify(folder: Path, workload_of: WorkloadOf, since: str | None = None) -> Verified:
    """Check everything about a published folder that follows from its files.

    Records: schema, name, identity, protocol, component versions, machine paths, and that nothing in one contradicts
    another thing in it. Together: seeds 0 to n-1, the same for every method, attempts without gaps or choice,
    beginnings that are those of their seeds, no history twice. Tables: byte for byte what the records give. Manifest:
    every file and its SHA-256. And nothing else may lie there but a README.md and sample grids.

    Args:
        folder: the published folder.
        workload_of: looks a workload up.
        since: a revision of the repository that the folder lies in: what its manifest listed there must be here still.
            Where none is given, the last commit, if the folder lies in a repository.

    Raises:
        RevisionError: `since` is given, and names no revision.
    """
    contents = read_contents(folder, workload_of)
    found = [*contents.findings, *alien_files(folder, contents), *_published_since(folder, contents, since)]
    boards: list[Leaderboard] = []
    if all(finding.file == "records" or not finding.wrong for finding in contents.findings) and contents.records:
        boards = ranked(contents, workload_of)
    made: dict[str, bytes] = {}
    if boards:
        made = {**tables(boards, resolved(folder).name), published.FILE: records_file(folder, contents.records)}
    found += _table_findings(folder, made)
    found += _manifest_findings(folder, contents, boards, made)
    if not made:
        found.append(FileFinding("leaderboard.*", "not compared, as its records are off", wrong=False))
    return Verified(len(contents.records), tuple(sorted(set(found))), contents.records)


def read_contents(folder: Path, workload_of: WorkloadOf) -> Contents:
    """Read the records of a folder, and check them alone and together."""
    files: dict[str, bytes] = {}
    records: list[Record] = []
    found: list[FileFinding] = []
    for path in record_files(folder):
        name = f"records/{path.name}"
        try:
            files[name] = read_regular(path, links=False)
            record = parse_record(path, files[name])
        except UnusableFileError as error:
            found.append(FileFinding(name, str(error), "put the record itself there"))
        except RecordError as error:
            found.append(FileFinding(name, str(error).removeprefix(f"{path} ")))
        else:
            records.append(record)
            found += [*_record_findings(name, record), *_workload_findings(name, record, workload_of)]
    for path in [*_sample_files(folder), *_readme(folder)]:
        name = path.relative_to(folder).as_posix()
        try:
            files[name] = read_regular(path, links=False)
        except UnusableFileError as error:
            found.append(FileFinding(name, str(error), "put the file itself there, or none"))
    if not records and not found:
        found.append(FileFinding("records", "there are none", "copy the records of a results folder there"))
    readable = not any(finding.wrong for finding in found)
    found += _attempt_findings(records)
    found += [FileFinding(file_of(record), what, _AS_RECORDED) for record, what in joint_contradictions(records)]
    if readable:
        for group in comparable_groups(records, _workloads(records, workload_of)):
            found += _group_findings(group)
    found += version_findings(records, workload_of)
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
    grids = (trial / "samples.png" for trial in sorted((folder / "artifacts").glob("*")))
    return [path for path in grids if path.exists() or path.is_symlink()]


def _readme(folder: Path) -> list[Path]:
    path = folder / README
    return [path] if path.exists() or path.is_symlink() else []


def _record_findings(name: str, record: Record) -> Iterable[FileFinding]:
    if newer(record.protocol_version, PROTOCOL_VERSION):
        yield FileFinding(
            name,
            f"follows protocol {record.protocol_version}, this program {PROTOCOL_VERSION}",
            UPGRADE,
        )
    if record.components.get("data", record.spec.data_hash) != record.spec.data_hash:
        yield FileFinding(name, "names two contents of its data", RESTORE)
    if ":" in record.spec.workload:
        yield FileFinding(
            name,
            f"ran on {record.spec.workload!r}, images that nobody else has",
            "publish workloads that others can run",
        )
    if _MACHINE_PATH.search(record.message):
        yield FileFinding(
            name, f"its message names a path of one machine: {record.message!r}", "run the trial again, or leave it out"
        )
    yield from _name_findings(name, record)


def _name_findings(name: str, record: Record) -> Iterable[FileFinding]:
    known = {entry.name: entry.expression for entry in methods.methods()}
    expected = known.get(record.spec.method_name, record.spec.method)
    if expected != record.spec.method and record.components.get("losses") == methods.library_version():
        yield FileFinding(
            name,
            f"calls itself {record.spec.method_name}, which is {expected!r}, and trained {record.spec.method!r}",
            "restore the name that it was recorded under",
        )


def _workload_findings(name: str, record: Record, workload_of: WorkloadOf) -> Iterable[FileFinding]:
    try:
        workload = workload_of(record.spec.workload)
    except ValueError as error:
        yield FileFinding(name, str(error), UPGRADE)
        return
    found = damage(record, workload)
    if found:
        yield FileFinding(name, found.removeprefix(f"{file_of(record)}: "))
    for what in self_contradictions(record, workload):
        yield FileFinding(name, what, _AS_RECORDED)


def _attempt_findings(records: Sequence[Record]) -> Iterable[FileFinding]:
    attempts: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda record: record.attempt):
        attempts[record.trial_id].append(record)
    for trial, made in attempts.items():
        for missing in _missing({record.attempt for record in made}, made[-1].attempt):
            yield FileFinding(
                f"records/{trial}.{missing}.json",
                "is missing, and a later attempt is there",
                "restore it: all are kept",
            )
        for record, what in attempt_contradictions(made):
            yield FileFinding(file_of(record), what, "restore what was recorded, and delete what was run again")


def _missing(numbers: Container[int], count: int) -> list[int]:
    """Return which of 0 to count - 1 are missing: a few of them, since a file can name a number without end."""
    return list(islice((number for number in range(count) if number not in numbers), _FEW))


def _group_findings(group: ComparableGroup) -> Iterable[FileFinding]:
    """Every method has the seeds 0 to n-1 of every workload. Lost runs are there too, and are no result."""
    names = {method: record.spec.method_name for (method, _, _), record in group.cells.items()}
    for workload in group.workloads:
        of_workload = [(method, seed) for method, name, seed in group.cells if name == workload]
        needed = 1 + max(seed for _, seed in of_workload)
        seeds: dict[MethodKey, set[int]] = defaultdict(set)
        for owner, seed in of_workload:
            seeds[owner].add(seed)
        for method in group.methods:
            missing = _missing(seeds[method], needed)
            if missing:
                lacking = _seed_text(missing, needed - len(seeds[method]))
                who = f"{names[method]}, not well defined there," if method.variant else names[method]
                yield FileFinding(
                    "records",
                    f"{who} on {workload} lacks {lacking} of {needed:,} ({group.key.title})",
                    "restore what was deleted, or run what is missing: seeds are 0 to n-1 for every method",
                )
    lost = sum(not is_result(record) for record in group.cells.values())
    if lost:
        yield FileFinding(
            "records",
            f"{formatting.plural(lost, 'trial')} ended in a timeout or an error and count as missing",
            wrong=False,
        )
    if group.superseded:
        yield FileFinding(
            "records",
            f"{formatting.plural(group.superseded, 'record')} of older data or component versions stand in no table",
            wrong=False,
        )


def _seed_text(missing: Sequence[int], number: int) -> str:
    more = number - len(missing)
    return formatting.seed_text(tuple(missing)) + (f" and {more:,} more" if more else "")


def alien_files(folder: Path, contents: Contents) -> Iterable[FileFinding]:
    """Name what lies in a folder and belongs into no published one."""
    trials = {record.trial_id for record in contents.records}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        known = name in _OWN_FILES or (name in contents.files and name.startswith("records/"))
        if known or (path.is_dir() and not path.is_symlink()):
            continue
        samples = _SAMPLES.fullmatch(name)
        if samples is None or samples["trial_id"] not in trials:
            yield FileFinding(
                name, "does not belong into a published folder", "move it out, or publish the records alone with --from"
            )


def _table_findings(folder: Path, made: Mapping[str, bytes]) -> Iterable[FileFinding]:
    """Compare the tables, those of older protocols too: their scoring version computes them as they were published."""
    again = f"once the records are right, write it again: {publish_command(resolved(folder).name)}"
    for name, content in made.items():
        path = folder / name
        if not path.exists() and not path.is_symlink():
            yield FileFinding(name, "is missing", again)
            continue
        try:
            present = read_regular(path, largest=LARGEST_TABLE, links=False)
        except UnusableFileError as error:
            yield FileFinding(name, str(error), again)
            continue
        if present != content:
            where = "" if name == published.FILE else f", from line {_first_difference(present, content)} on"
            yield FileFinding(name, f"is not what the records give{where}", again)


def _first_difference(found: bytes, expected: bytes) -> int:
    one, other = found.splitlines(), expected.splitlines()
    equal = (number for number, (a, b) in enumerate(zip(one, other, strict=False), 1) if a != b)
    return next(equal, min(len(one), len(other)) + 1)


def _manifest_findings(
    folder: Path, contents: Contents, boards: Sequence[Leaderboard], made: Mapping[str, bytes]
) -> Iterable[FileFinding]:
    name = resolved(folder).name
    again = f"if all records are as they were recorded, write it again: {publish_command(name)}"
    path = folder / MANIFEST
    if not path.exists() and not path.is_symlink():
        yield FileFinding(MANIFEST, "is missing", again)
        return
    try:
        content = read_regular(path, links=False)
        listed = read_manifest(content)
    except ValueError as error:
        yield FileFinding(MANIFEST, str(error), again)
        return
    if listed.name != name:
        yield FileFinding(
            MANIFEST,
            f"is of {listed.name!r}, and the folder is called {name!r}",
            f"call it {listed.name}, or publish anew",
        )
        return
    present = {
        **contents.files,
        **{table: b"" for table in made if (folder / table).is_file()},
    }
    # Of tables that can be computed it has been said already whether they are right.
    differing = [finding for finding in _listed_findings(listed.files, present) if finding.file not in made]
    yield from differing
    expected = manifest(name, contents.records, boards, {**contents.files, **made})
    if made and not differing and content != expected:
        yield FileFinding(MANIFEST, "is not what the folder gives", again)


def published_before(folder: Path, contents: Contents) -> list[FileFinding]:
    """Name the records that the folder's manifest lists and that are gone or changed: what was published stays."""
    path = folder / MANIFEST
    try:
        listed = read_manifest(read_regular(path)).files
    except ValueError:  # a manifest that is not there or cannot be read binds nobody; `verify` names it
        return []
    recorded = {name: sum_ for name, sum_ in listed.items() if name.startswith("records/")}
    present = {name: content for name, content in contents.files.items() if name in recorded}
    return list(_listed_findings(recorded, present))


def _published_since(folder: Path, contents: Contents, since: str | None) -> Iterable[FileFinding]:
    """Name the records that the manifest of a revision lists, and that are gone or changed since."""
    revision = since or "HEAD"
    try:
        content = read_blob(folder, revision, folder / MANIFEST)
        listed = read_manifest(content).files if content is not None else {}
    except RevisionError:
        if since is not None:
            raise
        return  # a folder in no repository has no past
    except ValueError:  # nor has one whose manifest was none
        return
    for name, digest in sorted(listed.items()):
        if not name.startswith("records/"):
            continue
        if name not in contents.files:
            yield FileFinding(
                name, f"was published in revision {revision} and is gone", "restore it: what is published stays"
            )
        elif sha256(contents.files[name]) != digest:
            yield FileFinding(
                name, f"has other bytes than in revision {revision}", "restore it: what is published stays"
            )


def _listed_findings(listed: Mapping[str, str], present: Mapping[str, bytes]) -> Iterable[FileFinding]:
    for name in sorted({*listed, *present}):
        if name not in present:
            yield FileFinding(name, f"is listed in {MANIFEST} and missing", "restore it")
        elif name not in listed:
            yield FileFinding(name, f"is not listed in {MANIFEST}", f"publish again: new files belong into {MANIFEST}")
        elif sha256(present[name]) != listed[name]:
            yield FileFinding(name, f"has other bytes than {MANIFEST} says", "restore the file as it was published")
