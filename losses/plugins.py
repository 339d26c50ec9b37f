"""Losses from elsewhere: a Python file is imported for what it registers, and an error names the file and the line."""

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from itertools import chain, count
from pathlib import Path
from types import ModuleType
from typing import Final

FILES_VARIABLE: Final = "GAN_LOSS_BENCH_LOSSES"
"""Names Python files, separated like the folders of PATH, that are imported at the first look-up of a loss."""

_SUFFIX: Final = ".py"
_PREFIX: Final = "losses_from_"
"""Begins the names of the modules that are made of files here."""
_neighbors: dict[str, Path] = {}
"""The folders of the modules that those files have imported from beside them, by name."""


def named_files() -> list[Path]:
    """Return the files that the environment names."""
    return [Path(name) for name in os.environ.get(FILES_VARIABLE, "").split(os.pathsep) if name]


def name_file(path: Path) -> None:
    """Add a file to those that the environment names, for this process and its children.

    Raises:
        ValueError: its path has the character that separates the names there: a child would look for other files.
    """
    name, names = str(path.resolve()), [str(path) for path in named_files()]
    if os.pathsep in name:
        raise ValueError(
            f"{name} has {os.pathsep!r} in its path, which separates the files in ${FILES_VARIABLE}: the processes "
            "that train could not find it; move it"
        )
    if name not in names:
        os.environ[FILES_VARIABLE] = os.pathsep.join([*names, name])


def load_file(path: Path) -> None:
    """Import a Python file by its path, once; it may import its neighbors, as it could if it were run.

    What it prints goes to stderr: it is imported at the first look-up of a loss, where nobody expects it on stdout. Of
    a file that ends in an error no module is kept, and `registry.import_file` keeps none of its parts either, so that
    it can be mended and imported again.

    Raises:
        ValueError: there is no such file, or it cannot be imported; the message has the line.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    given, path = path, path.resolve()
    for name in dict.fromkeys((given, path)):  # children are told where a link leads
        if name.suffix != _SUFFIX:
            raise ValueError(f"{name} is no Python file: its name does not end in {_SUFFIX}")
    if _is_imported(path):
        return
    specification = importlib.util.spec_from_file_location(_free_name(path.stem), path)
    assert specification is not None, "a file that ends in .py has a loader"
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    neighbors: dict[str, ModuleType] = {}
    try:
        with _with_neighbors(path, neighbors), redirect_stdout(sys.stderr):
            specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        for module_name, made in {specification.name: module, **neighbors}.items():
            if sys.modules.get(module_name) is made:
                del sys.modules[module_name]
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


def _free_name(stem: str) -> str:
    """Return a name for the module of a file: files of two folders may be called alike, and each keeps its own."""
    names = (f"{_PREFIX}{stem}{number}" for number in chain([""], map("_{}".format, count(2))))
    return next(name for name in names if name not in sys.modules)


@contextmanager
def _with_neighbors(path: Path, came: dict[str, ModuleType]) -> Iterator[None]:
    """Have a file find its neighbors. One that is imported already is not run again: it would register twice.

    Args:
        path: the file.
        came: takes the modules that were imported from beside it, by name, also where it ends in an error.

    Raises:
        ImportError: it has imported a neighbor that is called as one of another folder's.
    """
    folder, before = path.parent, dict(sys.modules)
    strangers = {name: module for name, module in before.items() if _is_beside_another(name, folder)}
    for name in strangers:
        del sys.modules[name]
    lent = {stem: module for stem, module in _imported_from(folder).items() if stem not in sys.modules}
    sys.path.insert(0, str(folder))
    sys.modules.update(lent)
    try:
        yield
        clash = next((name for name in strangers if name in sys.modules and "." not in name), None)
        if clash is not None:
            raise ImportError(
                f"{clash!r} is also beside a file of losses in {_neighbors[clash]}, and Python keeps one module of a "
                "name: rename one of them"
            )
        _neighbors.update(dict.fromkeys(_new_beside(folder, {**before, **lent}), folder))
    finally:
        new = _new_beside(folder, {**before, **lent})
        came.update({name: sys.modules[name] for name in sys.modules if name.partition(".")[0] in new})
        sys.path.remove(str(folder))
        for stem, module in lent.items():  # another folder may have a file of that name
            if sys.modules.get(stem) is module:
                del sys.modules[stem]
        sys.modules.update(strangers)


def _new_beside(folder: Path, before: Mapping[str, ModuleType]) -> set[str]:
    """Return the names of the modules and packages in a folder that were imported since."""
    new = {name for name, module in list(sys.modules.items()) if before.get(name) is not module}
    return {name for name in new if _is_beside(name, folder)}


def _imported_from(folder: Path) -> dict[str, ModuleType]:
    """Return the modules of the files here that lie in a folder, by the names that their neighbors have for them."""
    return {
        file.stem: module
        for name, module in list(sys.modules.items())
        if name.startswith(_PREFIX) and (file := file_of(name)) is not None and file.parent == folder
    }


def _is_beside(name: str, folder: Path) -> bool:
    """Whether a module is a file of the folder, or a package in it."""
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    places = [Path(file).resolve()] if isinstance(file, str) else map(Path, getattr(module, "__path__", []))
    return any(place in (folder / f"{name}{_SUFFIX}", folder / name, folder / name / "__init__.py") for place in places)


def _is_beside_another(name: str, folder: Path) -> bool:
    """Whether a module is one that a file of another folder has imported from beside it."""
    return _neighbors.get(name.partition(".")[0], folder) != folder


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
