"""Where the losses of the user's come from that a flagged cell is made of: files found again by their content.

A record keeps no path, since a file may move and a record may not change; it keeps the hash of the file. So whatever
Python file has that content is the one, be it named by the user or found below the folder that one works in.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.config.trial import content_version
from bench.files.neighbors import content_with_neighbors
from bench.report.flags import foreign_parts
from bench.statistics.gates.comparison import Rerun

_LARGEST: Final = 2**20
_MOST_FILES: Final = 20_000
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})


@dataclass(frozen=True)
class LossFiles:
    """The files by the versions of the parts that they register, and what to say where one is not to be found."""

    files: Mapping[str, Path]
    warnings: tuple[str, ...]


def loss_files_of(reruns: Iterable[Rerun], named: Sequence[Path], folder: Path) -> LossFiles:
    """Find the files of the losses that do not come with this library.

    Args:
        reruns: the flagged cells.
        named: files that the user names, which are looked at first.
        folder: below which Python files are looked at; those found there are given as they lie from it.

    Returns:
        What was found. A file that was named and edited since is not taken: it would train another loss.
    """
    wanted = {version: name for rerun in reruns for version, name in foreign_parts(rerun).items()}
    files: dict[str, Path] = {}
    for path in (*named, *(_python_files(folder) if wanted else ())):
        if wanted.keys() <= files.keys():
            break
        version = _version(path)
        if version in wanted and version not in files:
            files[version] = path.relative_to(folder) if path.is_absolute() and path.is_relative_to(folder) else path
    lacking = [
        f"No Python file below {folder} has the content ({version}) of the loss {name!r}, which is flagged: name its "
        "file with --losses, unless it is of a package that is installed."
        for version, name in wanted.items()
        if version not in files
    ]
    return LossFiles(files, tuple(lacking))


def _python_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files below a folder, in a fixed order, without hidden and generated folders."""
    seen = 0
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            if name.endswith(".py"):
                yield Path(root) / name
                seen += 1
                if seen == _MOST_FILES:
                    return


def _version(path: Path) -> str:
    """Return the version of what a file holds; that of nothing where it is no file that can be read."""
    try:
        readable = path.is_file() and path.stat().st_size <= _LARGEST
        return content_version(content_with_neighbors(path)) if readable else ""
    except OSError:  # not this one, then: what is not found is said
        return ""
