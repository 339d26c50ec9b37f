"""A file or folder called `losses` that hides the library of losses on Python's path.

`python -m bench` looks for modules in the current folder first, where people keep a `losses.py` of their own. It would
be imported, run and used in place of the library. A folder called `bench` cannot be told like this: none of this code
runs then.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import click

import bench

_LIBRARY = "losses"


class _Guard(MetaPathFinder):
    """Refuses the wrong module before a line of it is run; verbs that need no losses never ask for it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == _LIBRARY:
            found = PathFinder.find_spec(_LIBRARY)
            if found is not None and found.origin is not None and is_foreign(Path(found.origin)):
                raise click.UsageError(message(Path(found.origin)))
        return None


def is_foreign(origin: Path) -> bool:
    """Whether a module is not the library, which always lies beside this package."""
    here = Path(bench.__file__).resolve().parent
    return origin.resolve().parent != here.parent / _LIBRARY


def message(origin: Path) -> str:
    """Say what hides the library, and what to do."""
    path = origin.parent if origin.name == "__init__.py" else origin
    return (
        f"{path} stands in the way of the library of losses, which has the same name: `python -m bench` looks for "
        "modules in the current folder first. Write `gan-loss-bench` in place of `python -m bench`, or go to another "
        "folder, or give yours another name"
    )


def refuse_shadows() -> None:
    """From now on, import nothing but the library as `losses`."""
    if not any(isinstance(finder, _Guard) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Guard())
