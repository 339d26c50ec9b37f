"""One call under torch.profiler: how many kernels it launched, which took longest, and how much memory it used."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.profiler import ProfilerActivity

from bench.costs import traffic
from bench.store.kernels import Kernel, Profile

if TYPE_CHECKING:
    from torch.autograd.profiler_util import FunctionEvent

TOP: Final = 5
"""How many kernels a record names."""
_MEMORY: Final = "[memory]"


def profile(
    call: Callable[[], object],
    device: torch.device,
    seconds: float,
    *,
    counted: Callable[[], object] | None = None,
) -> Profile:
    """Run a call under the profiler, and return what it launched.

    Args:
        call: has been run before; every run does the same work.
        device: where it works.
        seconds: its time without the profiler.
        counted: launches the same operators one by one, of which operations and bytes are counted; the call itself
            unless it replays a graph.

    On CUDA a kernel is anything that the device ran, including memory copies. On the CPU it is an operator that no
    other operator called. Its time and the wall-clock time are taken under the profiler, which slows small ones down.
    """
    flops, bytes_moved = traffic.count(counted or call)
    cuda = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    if cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
    with torch.profiler.profile(activities=activities, profile_memory=not cuda, acc_events=True) as profiler:
        started = time.perf_counter()
        call()
        wall = time.perf_counter() - started
        if cuda:
            torch.cuda.synchronize(device)
    ran = device_kernels(profiler.events()) if cuda else outermost_operators(profiler.events())
    return Profile(
        kernels=len(ran),
        kernel_seconds=math.fsum(seconds for _, seconds in ran),
        wall_seconds=seconds if cuda else wall,
        top=top_kernels(ran),
        peak_extra_bytes=torch.cuda.max_memory_allocated(device) - held if cuda else _peak(profiler),
        flops=flops,
        bytes=bytes_moved,
    )


def outermost_operators(events: "Sequence[FunctionEvent]") -> list[tuple[str, float]]:
    """Return the name and the seconds of each operator that was not called by another operator."""
    return [
        (event.name, event.cpu_time_total / 1e6)
        for event in events
        if event.name.startswith("aten::") and not _inside_operator(event)
    ]


def _inside_operator(event: "FunctionEvent") -> bool:
    parent = event.cpu_parent
    while parent is not None:
        if parent.name.startswith("aten::"):
            return True
        parent = parent.cpu_parent
    return False


def device_kernels(events: "Sequence[FunctionEvent]") -> list[tuple[str, float]]:
    """Return the name and the seconds of each kernel that the device ran, without the ranges that mark them."""
    return [
        (event.name, event.self_device_time_total / 1e6)
        for event in events
        if event.device_type.name == "CUDA" and not event.is_user_annotation
    ]


def top_kernels(ran: Sequence[tuple[str, float]]) -> list[Kernel]:
    """Return the names that took longest, with how often they ran and for how long in all."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in ran:
        times[name].append(seconds)
    kernels = [Kernel(name, len(runs), math.fsum(runs)) for name, runs in times.items()]
    return sorted(kernels, key=lambda kernel: (-kernel.seconds, kernel.name))[:TOP]


def _peak(profiler: torch.profiler.profile) -> int:
    """Return the most bytes held above those at the start, from the events of the CPU allocator."""
    ran: Any = profiler.profiler
    events = ran.kineto_results.events()
    notes = sorted((note.start_ns(), note.nbytes()) for note in events if note.name() == _MEMORY)
    held = peak = 0
    for _, change in notes:
        held += change
        peak = max(peak, held)
    return peak
