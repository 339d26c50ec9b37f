"""What an error says, in one line, and whether it is a lack of memory."""

from typing import Final

_MEMORY_WORDS: Final = ("out of memory", "can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
"""What torch's allocators for the GPU and for the host say, and CUDA's libraries."""


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def is_memory_error(error: BaseException) -> bool:
    """Say whether an error, or what it was raised from, is a lack of memory, of the host or of a GPU.

    torch's own class is known by its name, so that nothing here imports torch.
    """
    if isinstance(error, MemoryError):
        return True
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY_WORDS):
        return True
    return error.__cause__ is not None and is_memory_error(error.__cause__)
