"""Whole steps with named ranges, for a trace or for an external profiler."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import torch
from torch.profiler import ProfilerActivity, record_function

from bench.costs.paths import Paths
from bench.files.writing import write_output
from bench.methods import label
from bench.store.kernels import KernelSetting
from bench.training.precision import choose_device, configure
from losses import Method
from losses.profiling import Watcher, watching

TRACED_STEPS: Final = 3
WATCHED_STEPS: Final = 20


def watcher(device: torch.device, *, nvtx: bool) -> Watcher:
    """Return the function that opens ranges: torch's own, and on request on CUDA also NVTX's."""
    if not nvtx or device.type != "cuda":
        return record_function

    @contextmanager
    def both(name: str) -> Iterator[None]:
        with torch.cuda.nvtx.range(name), record_function(name):
            yield

    return both


def run_steps(
    methods: Sequence[Method], setting: KernelSetting, device: str, *, nvtx: bool = False, steps: int = WATCHED_STEPS
) -> None:
    """Make steps of each method, both players in turn, with a range around each step and all ranges inside.

    Each method first makes one step without ranges, because a first step takes longer.

    Raises:
        ValueError: a method's packs do not divide the batch.
    """
    configure(setting.precision)
    where = torch.device(device)
    choose_device(where)
    watch = watcher(where, nvtx=nvtx)
    with ExitStack() as later:
        for made in [_warm(Paths(method, setting, where)) for method in methods]:
            name = label(made.method)
            for step in range(1, steps + 1):
                with watching(watch):
                    with watch(f"{name}: D step {step}"):
                        made.d_step(step)
                    with watch(f"{name}: G step {step}"):
                        made.g_step(step)
        if where.type == "cuda":
            later.callback(torch.cuda.synchronize, where)


def _warm(paths: Paths) -> Paths:
    paths.d_step(0)
    paths.g_step(0)
    return paths


def write_trace(
    path: Path, methods: Sequence[Method], setting: KernelSetting, device: str, *, nvtx: bool = False
) -> None:
    """Write a Chrome trace of a few steps of each method, for `chrome://tracing` or ui.perfetto.dev.

    Raises:
        OSError: the file cannot be written.
    """
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device != "cpu" else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        run_steps(methods, setting, device, nvtx=nvtx, steps=TRACED_STEPS)
    write_output(path, lambda partial: profiler.export_chrome_trace(str(partial)))
