"""Losses from elsewhere: a Python file is imported for what it registers, and an error names the file and the line."""

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FILES_VARIABLE: Final = "GAN_LOSS_BENCH_LOSSES"
"""Names Python files, separated like the folders of PATH, that are imported at the first look-up of a loss."""

_SUFFIX: Final = ".py"


def named_files() -> list[Path]:
    """Return the files that the environment names."""
    return [Path(name) for name in os.environ.get(FILES_VARIABLE, "").split(os.pathsep) if name]


def name_file(path: Path) -> None:
    """Add a file to those that the environment names, for this process and its children."""
    names = [str(path) for path in named_files()]
    if str(path.resolve()) not in names:
        os.environ[FILES_VARIABLE] = os.pathsep.join([*names, str(path.resolve())])


def import_file(path: Path) -> None:
    """Import a Python file by its path, once; it may import its neighbors, as it could if it were run.

    Raises:
        ValueError: there is no such file, or it cannot be imported; the message has the line.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if path.suffix != _SUFFIX:
        raise ValueError(f"{path} is no Python file: its name does not end in {_SUFFIX}")
    path = path.resolve()
    if _is_imported(path):
        return
    specification = importlib.util.spec_from_file_location(f"losses_from_{path.stem}", path)
    assert specification is not None, "a file that ends in .py has a loader"
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    try:
        with _with_neighbors(path):
            specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[specification.name]
        raise ValueError(
            f"{path.name}{line_of(path, error)}: {type(error).__name__}: {first_line(error)}{_remedy(error)}"
        ) from error


def file_of(module: str) -> Path | None:
    """Return the file of an imported module, or None where it has none, as a program typed into Python's stdin."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and Path(file).is_file() else None


def _is_imported(path: Path) -> bool:
    """Whether a module was made of that file. Only names of the same file are resolved: modules are many."""
    this = path.stat()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        try:
            if isinstance(file, str) and os.path.samestat(Path(file).stat(), this) and file_of(name) == path:
                return True
        except OSError:
            continue  # made from no file, as what lies in an archive
    return False


@contextmanager
def _with_neighbors(path: Path) -> Iterator[None]:
    sys.path.insert(0, str(path.parent))
    try:
        yield
    finally:
        sys.path.remove(str(path.parent))


def line_of(path: Path, error: BaseException) -> str:
    """Return ", line 12" for where the file went wrong, as near to the mistake as the file itself goes."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines else ""


def _remedy(error: BaseException) -> str:
    """Return what to write instead, for mistakes of which Python's own words say only what is wrong."""
    text = str(error)
    if isinstance(error, TypeError) and "non-frozen dataclass" in text:
        return ": write @dataclass(frozen=True)"
    if isinstance(error, ImportError) and "attempted relative import" in text:
        return ": the file is no part of a package, so import its neighbor by name, without the dot"
    return ""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text.strip().splitlines() or [""])[0]
