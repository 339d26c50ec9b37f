"""Where the user's own files lie: home, caches, and what `~` stands for."""

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

CACHE_VARIABLE: Final = "GAN_LOSS_BENCH_CACHE"


def default_cache_dir() -> Path:
    """Return where what can be computed again is kept: $GAN_LOSS_BENCH_CACHE, else a folder in the user's cache."""
    given = os.environ.get(CACHE_VARIABLE)
    return expanded(given) if given else user_cache()


def expanded(path: str | Path) -> Path:
    """Return a path with `~` or `~NAME` replaced by the home folder that it stands for.

    Raises:
        ValueError: there is no such user, or no home folder is known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        known = str(path).split("/")[0] != "~"
        why = "there is no user of that name" if known else "no home folder is known, and $HOME is not set"
        raise ValueError(f"{path}: {why}; write the path of the folder in full") from error


def resolved(path: Path) -> Path:
    """Return a path with its links followed, as far as they lead; a circle is left, and fails when used."""
    return Path(os.path.realpath(path))


def as_text(words: object) -> str:
    """Return a path, or words with paths in them, as text: bytes of a name that are no UTF-8 are replaced."""
    return str(words).encode(errors="surrogateescape").decode(errors="replace")


def user_cache() -> Path:
    """Return the program's folder among the user's caches.

    Where no home folder is known, as for a container's user without a name, it is a folder of this user alone among
    the temporary files.

    Raises:
        ValueError: that one is there and belongs to somebody else.
    """
    try:
        return Path.home() / ".cache" / "gan-loss-bench"
    except RuntimeError:
        return _own_temporary()


def _own_temporary() -> Path:
    folder = Path(tempfile.gettempdir()) / f"gan-loss-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ValueError(
            f"no home folder is known, and {folder} belongs to somebody else: set $HOME, or $GAN_LOSS_BENCH_CACHE and "
            "$GAN_LOSS_BENCH_DATA"
        )
    return folder
