"""A user's Python file and what it imports from beside it: what decides its numbers, and what another machine needs."""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.common.errors import first_line
from bench.files.regular import read_regular

_OURS: Final = frozenset({"bench", "losses"})
"""What a file beside a checkout of this program imports is the program, and has versions of its own."""


def with_neighbors(path: Path, *, strict: bool = True) -> list[Path]:
    """Return a Python file and, after it, the files beside it that it imports, and those that they import.

    A folder beside it that is a package counts as a whole, with `__init__.py` or without. Where the file itself is in a
    package, relative imports count, too.

    Raises:
        OSError: one of them cannot be read.
        ValueError: one of them is no Python; unless `strict` is False, when it is not looked into.
    """
    files, position = [path], 0
    while position < len(files):
        for module in sorted(_imported(files[position], path.parent, strict=strict)):
            files += [file for file in _files_of(module, path.parent) if file not in files]
        position += 1
    return files


def content_with_neighbors(path: Path) -> bytes:
    """Return bytes that are equal where a file and all that it imports from beside it are: its own, if it is alone.

    Raises:
        OSError: one of them cannot be read.
    """
    _, *others = with_neighbors(path, strict=False)
    digests = [f"{other.relative_to(path.parent).as_posix()} {_digest(other)}" for other in sorted(others)]
    return b"\n".join([path.read_bytes(), *(line.encode() for line in digests)])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _files_of(module: str, folder: Path) -> Iterator[Path]:
    """Yield the files that a module in the folder consists of; none where the name means another module."""
    if module in _OURS:
        return
    alone, package = folder / f"{module}.py", folder / module / "__init__.py"
    for candidate, files in ((package, _package(folder / module)), (alone, [alone])):
        if candidate.is_file():
            loaded = getattr(sys.modules.get(module), "__file__", None)
            if not isinstance(loaded, str) or Path(loaded).resolve() == candidate.resolve():
                yield from files
            return
    if _is_open_package(module, folder):
        yield from _package(folder / module)


def _is_open_package(module: str, folder: Path) -> bool:
    """Whether a folder without `__init__.py` is imported as a package: no other module of that name is found then."""
    place = folder / module
    if not place.is_dir():
        return False
    loaded = sys.modules.get(module)
    if loaded is not None:
        return place.resolve() in (Path(location).resolve() for location in getattr(loaded, "__path__", []))
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # nobody else has it, or what has the name is half a module
        return True
    return found is None or found.origin is None


def _package(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if path.is_file())


def _imported(path: Path, folder: Path, *, strict: bool) -> set[str]:
    """Return the first names of what a file imports, as seen from the folder."""
    try:
        tree = ast.parse(read_regular(path))
    except (SyntaxError, RecursionError, ValueError) as error:  # the last one: null bytes, or no regular file
        if not strict:
            return set()
        raise ValueError(f"{path} is no Python: {first_line(error)}") from error
    within = folder.name if (folder / "__init__.py").is_file() else ""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {_first(name.name, within) for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            modules.add(_first(node.module, within))
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and within and path.parent == folder:
            modules |= {_first(node.module, "")} if node.module else {name.name for name in node.names}
    return modules - {""}


def _first(name: str, package: str) -> str:
    """Return the first part of a dotted name, counted from within the package where it begins with it."""
    first, _, rest = name.partition(".")
    return rest.partition(".")[0] if package and first == package else first
