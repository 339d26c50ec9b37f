"""What is done about a lack of memory: the trial is tried again with fewer others, and what is left is said so.

A trial that lacked memory beside others has not failed: half as many may fit. One that lacked it alone has, on this
machine, whatever its loss is worth.
"""

from typing import Final

from bench.common.errors import first_line
from bench.execution.interface import NeedsOwnProcess
from bench.store.record import OUT_OF_MEMORY

_WORDS: Final = ("out of memory", "can't allocate memory", "not enough memory", "STATUS_ALLOC_FAILED")
"""What torch's allocators for the GPU and for the host say, and CUDA's libraries."""


class NeedsMemory(NeedsOwnProcess):
    """Raised for a trial that found no memory beside others, and may find it beside fewer."""


def is_memory_error(error: BaseException) -> bool:
    """Say whether an error, or what it was raised from, is a lack of memory, of the host or of a GPU.

    torch's own class is known by its name, so that nothing here imports torch.
    """
    if isinstance(error, MemoryError | NeedsMemory):
        return True
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS):
        return True
    return error.__cause__ is not None and is_memory_error(error.__cause__)


def account(error: BaseException) -> str:
    """Return what a record says of a lack of memory, in one line; `bench.store.record.is_out_of_memory` knows it."""
    said = first_line(error)
    return said if said.startswith(OUT_OF_MEMORY) else f"{OUT_OF_MEMORY}: {said}"


def beside_others(error: Exception, company: int) -> Exception:
    """Return what becomes of a trial that raised this beside so many other trials of its process."""
    if not company or not is_memory_error(error):
        return error
    others = "1 other trial" if company == 1 else f"{company} other trials"
    return NeedsMemory(f"{OUT_OF_MEMORY} beside {others} of its process: {first_line(error)}")
