"""A published folder: the records, the tables made from them, and a manifest that names every file by its bytes.

    NAME/records/TRIAL.ATTEMPT.json             every attempt of every trial
    NAME/leaderboard.{md,csv,json,tex,html}     functions of the records
    NAME/records.parquet                        the last attempts in one file, for programs that only read
    NAME/README.md                              what the question was, where somebody has written it
    NAME/manifest.json                          SHA-256 of each file above, versions, and the command that wrote them

Nothing in it depends on where it lies or on who wrote it, so that anybody can make the same bytes from the records.
"""

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.config.commands import command
from bench.files.places import resolved
from bench.files.regular import UnusableFileError, read_regular
from bench.report.formats import WRITERS
from bench.statistics.board import Leaderboard
from bench.store import published, strict_json
from bench.store.kernels import is_results_folder
from bench.store.record import SCHEMA_VERSION, Record

MANIFEST: Final = "manifest.json"
README: Final = "README.md"
"""What people may write about the records; the manifest names it by its bytes like everything else."""

FOLDER: Final = "results/published"
"""Where published folders lie in the repository; the commands in them name this place."""

TABLES: Final = {
    "leaderboard.md": "md",
    "leaderboard.csv": "csv",
    "leaderboard.json": "json",
    "leaderboard.tex": "latex",
    "leaderboard.html": "html",
}
"""The published files and their formats."""


LARGEST_TABLE: Final = 2**30
"""Bytes of a published file: the page has a library of 5 MB and every curve."""


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a published folder says about itself."""

    name: str
    command: str
    schema_version: int
    protocol_versions: list[str]
    components: dict[str, list[str]]
    """The versions of each component that the records were made with."""
    digests: dict[str, str]
    """The digest of the records behind each table, by its title."""
    files: dict[str, str]
    """SHA-256 of each file, by its path in the folder."""
    images: dict[str, str] = {}
    """What the images of a folder are that trials ran on, and how others get them, by the folder's name."""


def write_table(boards: Sequence[Leaderboard], style: str, results: Path) -> str:
    """Write tables in a format of `formats.WRITERS`, with the command that writes them again below."""
    return WRITERS[style](boards, command("leaderboard", "--format", style, "--results", shown(results)))


def shown(results: Path) -> str:
    """Return a folder as commands in published files name it: never by a path of this machine.

    A folder in `results/published` is named so wherever the repository lies, one below the working folder by the way
    from here, and any other as it was given.
    """
    whole = resolved(results)
    if whole.parent.as_posix().endswith(f"/{FOLDER}"):
        return f"{FOLDER}/{whole.name}"
    here = Path.cwd()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else results.as_posix()


def published_folders(place: Path) -> list[Path]:
    """Return the published folders in a folder, as results/published is one; itself where it is one or has none."""

    def is_one(folder: Path) -> bool:
        return (folder / MANIFEST).exists() or is_results_folder(folder)

    within = sorted(folder for folder in place.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    return within if not is_one(place) and any(map(is_one, within)) else [place]


def is_published_table(path: Path) -> bool:
    """Say whether a file is the Parquet file of a published folder, which has more than an exported table."""
    return path.name == published.FILE and path.exists() and (path.parent / MANIFEST).exists()


def made_files(folder: Path, boards: Sequence[Leaderboard], records: Sequence[Record]) -> dict[str, bytes]:
    """Return all that a published folder has besides what it is made of and the manifest, by file name."""
    return {**_tables(boards, resolved(folder).name), published.FILE: _records_file(folder, records)}


def _tables(boards: Sequence[Leaderboard], name: str) -> dict[str, bytes]:
    """Return the published tables by file name, for a published folder of that name."""
    # The folder is named as if it lay in the repository already: where it is prepared must not change its bytes.
    folder = f"{FOLDER}/{name}"
    return {
        file: WRITERS[style](boards, command("leaderboard", "--format", style, "--results", folder)).encode()
        for file, style in TABLES.items()
    }


def _records_file(folder: Path, records: Sequence[Record]) -> bytes:
    """Return the Parquet file of a folder's records: the bytes that lie there, if that is what they hold.

    Another version of Arrow writes other bytes of the same table, and what was published once stays as it is.
    """
    path = folder / published.FILE
    with contextlib.suppress(UnusableFileError):  # then it is written anew, and `verify` names it
        present = read_regular(path, largest=LARGEST_TABLE, links=False)
        if published.holds(present, records):
            return present
    return published.to_parquet(records)


def described_images(folder: Path) -> dict[str, str]:
    """Return what a folder's manifest says of the images that its trials ran on; nothing where it cannot be read."""
    try:
        said = read_manifest(read_regular(folder / MANIFEST)).images
    except ValueError:  # `verify` names a manifest that is missing or none
        return {}
    return {name: words for name, words in said.items() if words.strip()}


def manifest(
    name: str,
    records: Sequence[Record],
    boards: Sequence[Leaderboard],
    files: Mapping[str, bytes],
    images: Mapping[str, str],
) -> bytes:
    """Return the manifest of a folder that holds the files, by their paths in it.

    Args:
        name: the folder's.
        records: those in it.
        boards: their tables.
        files: by their paths.
        images: what is said of folders of images.
    """
    components: dict[str, set[str]] = {}
    for record in records:
        for component, version in record.components.items():
            components.setdefault(component, set()).add(version)
    made = Manifest(
        name=name,
        command=publish_command(name),
        schema_version=SCHEMA_VERSION,
        protocol_versions=sorted({record.protocol_version for record in records}),
        components={component: sorted(versions) for component, versions in sorted(components.items())},
        digests={board.key.title: board.digest for board in boards},
        files={path: sha256(content) for path, content in sorted(files.items())},
        images=dict(sorted(images.items())),
    )
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def publish_command(name: str) -> str:
    return command("publish", f"{FOLDER}/{name}")


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ValueError: it is none.
    """
    try:
        return strict_json.decode(content, Manifest)
    except strict_json.UNREADABLE as error:
        raise ValueError(f"is not a manifest ({error})") from error


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
