"""Files that a process may have open at once: each worker takes some, for its pipes and for whoever listens to them."""

import resource
from pathlib import Path
from typing import Final

_OF_A_WORKER: Final = 6
"""Three pipes, a handle on the process, one to listen with, and its log."""

_SPARE: Final = 100
"""For records, caches, and a worker that is just being started."""

_OPEN_HERE: Final = Path("/proc/self/fd")
_OPEN_ELSEWHERE: Final = 64
"""What is taken to be open where the system does not say it."""


def workers_with_room(wanted: int) -> int:
    """Return how many of so many workers may run at once, at least one; the limit (`ulimit -n`) is raised as needed."""
    taken = _open_files() + _SPARE
    needed = taken + wanted * _OF_A_WORKER
    limit = _raised_to(needed)
    return wanted if limit >= needed else max(1, (limit - taken) // _OF_A_WORKER)


def _raised_to(needed: int) -> int:
    """Raise the soft limit as far as it is needed and the hard one lets it; return what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return needed
    if soft >= needed:
        return soft
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a system with a limit of its own below that
        return soft
    return wanted


def _open_files() -> int:
    return len(list(_OPEN_HERE.iterdir())) if _OPEN_HERE.is_dir() else _OPEN_ELSEWHERE
