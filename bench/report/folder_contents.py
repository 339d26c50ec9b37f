"""Read the records of a published folder, and check them one by one (`self_checks`) and together (`joint_checks`)."""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from bench.common.version import UPGRADE
from bench.config.commands import command
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.workload import Workload, folder_name, public_name
from bench.files.regular import UnusableFileError, read_regular
from bench.report import formatting, methods
from bench.report.findings import FileFinding, all_fine
from bench.report.joint_checks import joint_contradictions
from bench.report.publication import README
from bench.report.self_checks import attempt_contradictions, self_contradictions
from bench.report.version_checks import RESTORE, WorkloadOf, newer, version_findings
from bench.statistics.board import Leaderboard
from bench.statistics.comparable_groups import ComparableGroup, MethodKey, comparable_groups
from bench.statistics.current import renamed
from bench.statistics.damage import damage, file_of
from bench.statistics.iterations import not_timed
from bench.statistics.ranking import rank
from bench.statistics.scores import is_result
from bench.store.journal import RecordError, parse_record, record_files
from bench.store.kernels import KernelRecord, kernel_files, read_kernel_record
from bench.store.record import Record

_FEW: Final = 1000
"""So many missing seeds or attempts are named."""

_AS_RECORDED: Final = "restore it as it was recorded, or delete it and run its trial again"
_DESCRIBE: Final = ("publish", "FOLDER", "--describe-images")
MACHINE_PATH: Final = re.compile(r"(?<![\w/:.])(?:/[\w.@+-]+){2,}|(?<!\w)[A-Za-z]:\\|~/")
"""An absolute path, of Unix or Windows, that a message might carry; the path of a web address is none."""


@dataclass(frozen=True)
class Contents:
    """The records of a folder as they were read."""

    records: tuple[Record, ...]
    files: Mapping[str, bytes]
    """The bytes of the records of both kinds, of sample grids and of the README, by their paths in the folder."""
    findings: tuple[FileFinding, ...]
    kernels: tuple[KernelRecord, ...] = ()
    """What the methods cost, where that was timed."""

    @property
    def fine(self) -> bool:
        return all_fine(self.findings)

    @property
    def image_folders(self) -> set[str]:
        """The names of the folders of images that trials ran on."""
        names = (folder_name(record.spec.workload) for record in self.records)
        return {name for name in names if name is not None}


def read_contents(
    folder: Path,
    workload_of: WorkloadOf,
    only: Container[str] | None = None,
    *,
    images: Container[str] = (),
    to_copy: bool = False,
) -> Contents:
    """Read the records of a folder, and check them alone and together.

    Args:
        folder: a results folder.
        workload_of: looks a workload up.
        only: the ids of the trials that are read; all, if there is no such choice.
        images: the names of the folders of images of which it is said what they are.
        to_copy: whether the records are to be copied into a published folder: those that name a folder of images name
            it without its place then, and so do their bytes in `files`.
    """
    files: dict[str, bytes] = {}
    findings: list[FileFinding] = []
    records = _read_records(folder, files, findings, only)
    if to_copy:
        records = [_without_place(record, files) for record in records]
    findings += _image_findings(records, images)
    for record in records:
        name = file_of(record)
        findings += [*_record_findings(name, record), *_workload_findings(name, record, workload_of)]
    for path in [*_sample_files(folder), *_readme(folder)]:
        name = path.relative_to(folder).as_posix()
        try:
            files[name] = read_regular(path, links=False)
        except UnusableFileError as error:
            findings.append(FileFinding(name, str(error), "put the file itself there, or remove the link"))
    if not records and not findings:
        findings.append(FileFinding("records", "there are none", "copy the records of a results folder there"))
    readable = not any(finding.wrong for finding in findings)
    findings += _attempt_findings(records)
    findings += [FileFinding(file_of(record), what, _AS_RECORDED) for record, what in joint_contradictions(records)]
    if readable:
        for group in comparable_groups(records, _workloads(records, workload_of)):
            findings += _group_findings(group)
    findings += version_findings(records, workload_of)
    kernels = _read_kernels(folder, files, findings)
    return Contents(tuple(records), files, tuple(findings), tuple(kernels))


def _read_records(
    folder: Path, files: dict[str, bytes], findings: list[FileFinding], only: Container[str] | None
) -> list[Record]:
    """Read the records of a folder; add their bytes to the files, and what is wrong to the findings."""
    records = []
    for path in record_files(folder):
        if only is not None and path.name.partition(".")[0] not in only:
            continue
        name = f"records/{path.name}"
        try:
            files[name] = read_regular(path, links=False)
            records.append(parse_record(path, files[name]))
        except UnusableFileError as error:
            findings.append(FileFinding(name, str(error), "put the record itself there"))
        except RecordError as error:
            findings.append(FileFinding(name, str(error).removeprefix(f"{path} ")))
    return records


def _read_kernels(folder: Path, files: dict[str, bytes], findings: list[FileFinding]) -> list[KernelRecord]:
    """Read the kernel records of a folder, likewise."""
    kernels = []
    for path in kernel_files(folder):
        name = f"kernels/{path.name}"
        try:
            files[name] = read_regular(path, links=False)
            kernels.append(read_kernel_record(path))
        except UnusableFileError as error:
            findings.append(FileFinding(name, str(error), "put the record itself there"))
        except RecordError as error:
            findings.append(FileFinding(name, str(error).removeprefix(f"{path} ")))
    return kernels


def ranked(contents: Contents, workload_of: WorkloadOf) -> list[Leaderboard]:
    """Rank the records of a folder.

    Raises:
        ValueError: a record is damaged, which `read_contents` has found already.
    """
    return rank(contents.records, _workloads(contents.records, workload_of), kernels=contents.kernels)


def cost_findings(
    boards: Iterable[Leaderboard], kernels: Sequence[KernelRecord], workload_of: WorkloadOf
) -> list[FileFinding]:
    """Name the methods whose kernel records would be needed for a table to show costs by these."""
    findings = []
    for board in boards:
        names = {row.expression: row.method for row in board.rows}
        missing = [
            names[expression] for expression in not_timed(board.key, names, map(workload_of, board.timed), kernels)
        ]
        if missing:
            what = f"lacks {', '.join(missing)}, so the costs are the times of trials ({board.key.title})"
            fix = f"time what is missing: {command('kernels', *missing)}"
            findings.append(FileFinding("kernels", what, fix, wrong=False))
    return findings


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
    if record.spec.workload != public_name(record.spec.workload):
        yield FileFinding(
            name,
            f"names a path of one machine: {record.spec.workload!r}",
            "copy the records with `publish --from`, which leaves all but the last part of it out",
        )
    if MACHINE_PATH.search(record.message):
        yield FileFinding(
            name, f"its message names a path of one machine: {record.message!r}", "run the trial again, or leave it out"
        )
    yield from _name_findings(name, record)


def _without_place(record: Record, files: dict[str, bytes]) -> Record:
    """Return a record under its public name, and put its bytes among the files."""
    public = renamed(record, public_name(record.spec.workload))
    if public is not record:
        files[file_of(record)] = msgspec.json.encode(public)
    return public


def _image_findings(records: Iterable[Record], images: Container[str]) -> Iterable[FileFinding]:
    """Say which folders of images nobody has described, and which name stands for two."""
    contents: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        name = folder_name(record.spec.workload)
        if name is not None:  # one folder has another content at each size
            contents[name, public_name(record.spec.workload)].add(record.spec.data_hash)
    for name in sorted({name for name, _ in contents}):
        if name not in images:
            yield FileFinding(
                "records",
                f"ran on the images of a folder {name!r}, and nobody else knows what they are",
                f"say it, and how others get them: {command(*_DESCRIBE, f'{name}=WHAT THEY ARE')}",
            )
    for (name, _), hashes in sorted(contents.items()):
        if len(hashes) > 1:
            yield FileFinding(
                "records",
                f"ran on {len(hashes)} contents of a folder {name!r}",
                "publish each of them in a folder of its own, or call one folder of images otherwise",
            )


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
    problem = damage(record, workload)
    if problem:
        yield FileFinding(name, problem.removeprefix(f"{file_of(record)}: "))
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
                "restore it: every attempt is kept",
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
            f"{formatting.plural(group.superseded, 'record')} of other data or component versions stand in no table",
            wrong=False,
        )


def _seed_text(missing: Sequence[int], number: int) -> str:
    more = number - len(missing)
    return formatting.seed_text(tuple(missing)) + (f" and {more:,} more" if more else "")
