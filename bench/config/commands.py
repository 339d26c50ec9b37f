"""Commands that are printed to be run: quoted for a shell, whatever a folder, a method or a baseline is called."""

import re
import shlex
from pathlib import Path
from typing import Final

_NO_TEXT: Final = re.compile("[\udc80-\udcff]")
"""What Python reads for the bytes of a file's name that are no text."""


def command(*words: str | Path) -> str:
    """Return `python -m bench` with these arguments, ready to be pasted into a shell."""
    return f"python -m bench {' '.join(quoted(str(word)) for word in words)}"


def quoted(word: str) -> str:
    """Return a word as a shell reads it; a file's name that is no text by its bytes, which bash and zsh understand."""
    if not _NO_TEXT.search(word):
        return shlex.quote(word)
    escaped = re.sub(r"[\\']", r"\\\g<0>", word)
    return "$'" + _NO_TEXT.sub(lambda byte: f"\\x{ord(byte[0]) - 0xDC00:02x}", escaped) + "'"
