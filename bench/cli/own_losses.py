"""Losses of the user's: what they print, and one that a file in the current folder registers, without `--losses`."""

import ast
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from bench.config.commands import quoted
from bench.files.regular import UnusableFileError, read_regular

_LARGEST = 2**20
"""Bytes of a file that is looked into."""


@contextlib.contextmanager
def prints_aside() -> Iterator[None]:
    """Send to stderr what losses of the user's print meanwhile: stdout has results only, which programs read."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def hint(error: ValueError) -> str:
    """Return what to add to a message about an unknown loss, where a file in the current folder registers it."""
    name = getattr(error, "unknown_name", None)
    context = click.get_current_context(silent=True)
    if not isinstance(name, str) or context is None:
        return ""
    if not any(parameter.name == "loss_files" for parameter in context.command.params):
        return ""
    file = registering(name, Path())
    return "" if file is None else f"; {file} registers it: add --losses {quoted(str(file))}"


def registering(name: str, folder: Path) -> Path | None:
    """Return the first Python file of a folder that registers a name. The files are read, and never run."""
    try:
        files = sorted(folder.glob("*.py"))
    except OSError:  # a folder that may not be listed offers nothing
        return None
    return next((path for path in files if name in _registered(path)), None)


def _registered(path: Path) -> set[str]:
    """Return the names for which a file calls `register`."""
    try:
        tree = ast.parse(read_regular(path, largest=_LARGEST))
    except (UnusableFileError, SyntaxError, ValueError, RecursionError, MemoryError):  # no file that could register
        return set()
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and (getattr(call.func, "attr", None) == "register" or getattr(call.func, "id", None) == "register")
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
