"""What is done about a lack of memory: the trial is tried again with fewer others, and what is left is said so.

A trial that lacked memory beside others has not failed: half as many may fit. One that lacked it alone has, on this
machine, whatever its loss is worth.
"""

from bench.common.errors import first_line, is_memory_error
from bench.execution.interface import NeedsOwnProcess
from bench.store.record import OUT_OF_MEMORY


class NeedsMemory(NeedsOwnProcess, MemoryError):  # noqa: N818 - what is to be done about it
    """Raised for a trial that found no memory beside others, and may find it beside fewer."""


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
