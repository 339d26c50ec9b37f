"""Check a published folder file by file: its records are complete, and its tables follow from them.

Records are checked one by one (`self_checks`, `marks`), against each other (`joint_checks`), and against what was
published before. What cannot be seen from here is whether the trainings took place: for that, `bench.rerun` trains
some again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.files.places import resolved
from bench.files.regular import UnusableFileError, read_regular
from bench.report.findings import FileFinding, all_fine
from bench.report.folder_contents import Contents, ranked, read_contents
from bench.report.publication import (
    LARGEST_TABLE,
    MANIFEST,
    README,
    TABLES,
    described_images,
    made_files,
    manifest,
    publish_command,
    read_manifest,
    sha256,
)
from bench.report.version_checks import WorkloadOf
from bench.statistics.board import Leaderboard
from bench.store import published
from bench.store.record import Record
from bench.store.revision import RevisionError, read_blob

_OWN_FILES: Final = (*TABLES, published.FILE, MANIFEST, README)
RECORDS: Final = ("records/", "kernels/")
"""Where the records of a published folder lie: of trials, and of what their methods cost."""
_SAMPLES: Final = re.compile(r"artifacts/(?P<trial_id>[0-9a-f]{16})/samples\.png")


@dataclass(frozen=True)
class Verified:
    """The content of a folder, and everything the checks found."""

    records: int
    findings: tuple[FileFinding, ...]
    read: tuple[Record, ...] = ()
    """The records of trials that could be read."""

    @property
    def fine(self) -> bool:
        return all_fine(self.findings)


def verify(folder: Path, workload_of: WorkloadOf, since: str | None = None) -> Verified:
    """Check everything about a published folder that follows from its files.

    Records: schema, name, identity, protocol, component versions, machine paths, and that nothing in one contradicts
    another thing in it. Together: seeds 0 to n-1, the same for every method, attempts without gaps or choice,
    beginnings that are those of their seeds, no history twice. Tables: byte for byte what the records give. Manifest:
    every file and its SHA-256. And nothing else may lie there but a README.md, sample grids and
    kernel records.

    Args:
        folder: the published folder.
        workload_of: looks a workload up.
        since: a revision of the repository that the folder lies in: what its manifest listed there must be here still.
            Where none is given, the last commit, if the folder lies in a repository.

    Raises:
        RevisionError: `since` is given, and names no revision.
    """
    contents = read_contents(folder, workload_of, images=described_images(folder))
    findings = [*contents.findings, *alien_files(folder, contents), *_published_since(folder, contents, since)]
    boards: list[Leaderboard] = []
    if all(finding.file == "records" or not finding.wrong for finding in contents.findings) and contents.records:
        boards = ranked(contents, workload_of)
    made = made_files(folder, boards, contents.records) if boards else {}
    findings += _table_findings(folder, made)
    findings += _manifest_findings(folder, contents, boards, made)
    if not made:
        findings.append(FileFinding("leaderboard.*", "not compared, because records are wrong", wrong=False))
    return Verified(len(contents.records), tuple(sorted(set(findings))), contents.records)


def alien_files(folder: Path, contents: Contents) -> Iterable[FileFinding]:
    """Name the files in a folder that do not belong in a published one."""
    trials = {record.trial_id for record in contents.records}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        known = name in _OWN_FILES or (name in contents.files and name.startswith(RECORDS))
        if known or (path.is_dir() and not path.is_symlink()):
            continue
        samples = _SAMPLES.fullmatch(name)
        if samples is None or samples["trial_id"] not in trials:
            yield FileFinding(
                name, "does not belong in a published folder", "move it out, or publish the records alone with --from"
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
            yield FileFinding(name, f"does not follow from the records{where}", again)


def _first_difference(content: bytes, expected: bytes) -> int:
    one, other = content.splitlines(), expected.splitlines()
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
            f"call it {listed.name}, or publish again",
        )
        return
    present = {
        **contents.files,
        **{table: b"" for table in made if (folder / table).is_file()},
    }
    # Of tables that can be computed it has been said already whether they are right.
    differing = [finding for finding in _listed_findings(listed.files, present) if finding.file not in made]
    yield from differing
    expected = manifest(name, contents.records, boards, {**contents.files, **made}, listed.images)
    if made and not differing and content != expected:
        yield FileFinding(MANIFEST, "does not match the folder", again)


def published_before(folder: Path, contents: Contents) -> list[FileFinding]:
    """Name the records that were published before and are gone or changed: what was published stays."""
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
            yield FileFinding(name, f"is not listed in {MANIFEST}", f"publish again: new files belong in {MANIFEST}")
        elif sha256(present[name]) != listed[name]:
            yield FileFinding(name, f"has other bytes than {MANIFEST} says", "restore the file as it was published")
