"""The user's cache of what takes long to compute: where it is, and how a file gets into it whole."""

import os
import tempfile
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "GAN_LOSS_BENCH_CACHE"


def default_cache_dir() -> Path:
    """Return where what can be computed again is kept: $GAN_LOSS_BENCH_CACHE, else a folder in the user's cache."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".cache" / "gan-loss-bench"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, so that nobody ever sees half of it; its folder is made.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.stem}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
