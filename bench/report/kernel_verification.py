"""Check a published folder of kernel timings: that its records are whole and its README has the tables they give."""

from pathlib import Path
from typing import Final

from bench.config.commands import command
from bench.files.regular import UnusableFileError, read_regular
from bench.report.findings import FileFinding
from bench.report.kernels import to_markdown
from bench.report.publication import shown
from bench.report.verification import Verified
from bench.store import kernels
from bench.store.journal import RecordError
from bench.store.kernels import KernelRecord, read_kernel_record

README: Final = "README.md"


def holds_kernels_alone(folder: Path) -> bool:
    """Return whether a folder holds kernel timings, and no records of trials."""
    return kernels.holds_kernels(folder) and not (folder / "records").exists()


def verify(folder: Path) -> Verified:
    """Check schema, name and identity of each record, the tables of the README, and that nothing else is there."""
    records: list[KernelRecord] = []
    findings: list[FileFinding] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if (path.is_dir() and path.suffix != ".json") or name == README:
            continue
        if path.parent != folder / "kernels":
            findings.append(FileFinding(name, "does not belong in a folder of kernel timings", "move it out"))
            continue
        if path.is_symlink():
            findings.append(
                FileFinding(name, "is a symbolic link, and its content lies elsewhere", "put the record itself there")
            )
            continue
        try:
            records.append(read_kernel_record(path))
        except RecordError as error:
            findings.append(FileFinding(name, str(error).removeprefix(f"{path} ")))
    if not records and not findings:
        findings.append(FileFinding("kernels", "there are none", "copy the kernels of a results folder there"))
    if not findings:
        findings += _table_findings(folder, records)
    return Verified(len(records), tuple(sorted(findings)))


def _table_findings(folder: Path, records: list[KernelRecord]) -> list[FileFinding]:
    again = command("kernels", "--table", "--format", "md", "--results", shown(folder))
    fix = f"take its tables from: {again}"
    if not (folder / README).exists():
        return [FileFinding(README, "is missing", fix)]
    try:
        written = _rows(read_regular(folder / README, links=False).decode())
    except UnusableFileError as error:
        return [FileFinding(README, str(error), fix)]
    except UnicodeDecodeError:
        return [FileFinding(README, "is no text", fix)]
    if written != _rows(to_markdown(records, again)):
        return [FileFinding(README, "has tables that do not follow from the records", fix)]
    return []


def _rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]
