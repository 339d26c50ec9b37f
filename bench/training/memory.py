"""Keeping freed memory: what one step frees, the next step asks for again."""

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""The numbers by which `mallopt` of the GNU C library knows its settings; see mallopt(3)."""

_LARGEST: Final = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees; return whether the C library has settings for that.

    By default the GNU C library gives large blocks back to the kernel, which has to clear every page of the next one: a
    step with an input gradient met several thousand page faults of this kind. No number depends on it.
    """
    if not sys.platform.startswith("linux"):
        return False
    settings = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries for Linux have none
    if settings is None:
        return False
    return all(settings(which, _LARGEST) == 1 for which in (_TRIM_THRESHOLD, _MMAP_THRESHOLD))
