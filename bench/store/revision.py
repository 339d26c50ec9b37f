"""Records and baselines as they were in a revision of the git repository one stands in: `git:REV` or `git:REV:PATH`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from bench.files.places import resolved
from bench.store.baseline import Baseline, decode_baseline
from bench.store.journal import parse_record
from bench.store.record import Record

PREFIX: Final = "git:"
PUBLISHED: Final = "results/published"
"""What is read where no path is given."""

_LINK: Final = "120000"
"""What git calls the mode of a symbolic link."""

_GIT_SECONDS: Final = 120.0


class RevisionError(ValueError):
    """Nothing can be read from this revision. The message says why, and what to do."""


class AbsentError(RevisionError):
    """The revision is there, and has no such path: a first run has no baseline yet."""


def split(text: str) -> tuple[str, str]:
    """Divide `git:REV[:PATH]` into revision and path.

    Raises:
        RevisionError: there is no revision in it, or one that git would take for an option.
    """
    revision, _, path = text.removeprefix(PREFIX).partition(":")
    if not revision or revision.startswith("-"):
        raise RevisionError(f"{text!r} names no revision; write git:REV or git:REV:PATH, for example git:main")
    return revision, path.strip("/") or PUBLISHED


def read_revision(text: str, folder: Path) -> list[Record] | Baseline:
    """Read `git:REV[:PATH]` from the repository that `folder` lies in.

    PATH is a baseline file, or a folder with records anywhere below it, and begins at the repository's root.

    Returns:
        The baseline of a file; the records of a folder, of which there may be none.

    Raises:
        RevisionError: git is not there, this is no repository, or there is no such revision.
        AbsentError: the revision has no such path.
        ValueError: what lies there is damaged.
    """
    revision, path = split(text)
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    commit = _resolved(root, revision)
    try:
        kind = _git(root, "cat-file", "-t", f"{commit}:{path}").decode().strip()
    except RevisionError as error:
        raise AbsentError(f"revision {revision} has no {path}; name another path: {PREFIX}{revision}:PATH") from error
    if kind == "blob":
        return decode_baseline(_git(root, "cat-file", "blob", f"{commit}:{path}"), text)
    records = [
        parse_record(Path(f"{PREFIX}{revision}:{file}"), content)
        for file, content in _blobs(root, commit, path)
        if file.parent.name == "records" and not file.name.startswith(".")
    ]
    return sorted(records, key=lambda record: (record.trial_id, record.attempt))


def read_blob(folder: Path, revision: str, path: Path) -> bytes | None:
    """Return a file as it was in a revision of the repository that it lies in; None where it was not there.

    Raises:
        RevisionError: git is not there, this is no repository, or there is no such revision.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    commit = _resolved(root, revision)
    try:
        file = resolved(path).relative_to(resolved(root)).as_posix()
        return _git(root, "cat-file", "blob", f"{commit}:{file}")
    except (RevisionError, ValueError):
        return None


def _blobs(root: Path, commit: str, path: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the files below a path, with their content.

    They are read from the tree. `git archive` leaves out what the attributes of a repository call `export-ignore`, and
    may rewrite what it writes.
    """
    listed = _git(root, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit, "--", path)
    names, objects = [], []
    for entry in listed.decode(errors="surrogateescape").split("\0")[:-1]:
        about, _, name = entry.partition("\t")
        mode, kind, identity = about.split()
        # A link is no file of its own, and a submodule has its files elsewhere.
        if kind == "blob" and mode != _LINK:
            names.append(PurePosixPath(name))
            objects.append(identity)
    written = _git(root, "cat-file", "--batch", lines="".join(f"{identity}\n" for identity in objects).encode())
    offset = 0
    for below in names:
        # Each is announced by a line: its object, its kind and its size.
        end = written.index(b"\n", offset)
        size = int(written[offset:end].split()[2])
        yield below, written[end + 1 : end + 1 + size]
        offset = end + 1 + size + 1


def _resolved(root: Path, revision: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    except RevisionError as error:
        raise RevisionError(
            f"git knows no revision {revision!r} here; a shallow clone lacks most: git fetch --unshallow, or "
            "fetch-depth: 0 in the checkout step"
        ) from error


def _git(folder: Path, *arguments: str, lines: bytes = b"") -> bytes:
    git = shutil.which("git")
    if git is None:
        raise RevisionError("git is not installed; give a results folder or a baseline file instead of git:REV")
    try:
        done = subprocess.run(  # noqa: S603 - the program is git, and no argument can be taken for an option
            [git, "-C", str(folder), *arguments], input=lines, capture_output=True, timeout=_GIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RevisionError(f"git {arguments[0]} took more than {_GIT_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise RevisionError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip() or 'no reason'}")
    return done.stdout
