"""Commands that are printed to be run: quoted for a shell, whatever a folder, a method or a baseline is called."""

import shlex
from pathlib import Path


def command(*words: str | Path) -> str:
    """Return `python -m bench` with these arguments, ready to be pasted into a shell."""
    return f"python -m bench {shlex.join(map(str, words))}"
