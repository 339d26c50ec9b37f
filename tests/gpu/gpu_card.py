"""Stage 0: what the card is, and what this build of torch can do on it."""

import os
import platform
from collections.abc import Iterator

import torch
from gpu_results import Found
from gpu_setup import Check, Setup

from bench.common.gpus import is_built_for
from bench.costs.machine import describe
from bench.store.environment import commit
from bench.training.precision import configure


def card(setup: Setup) -> Iterator[Check]:
    yield "versions", _versions
    yield "device", lambda: _device(setup)
    if setup.cuda:
        yield "memory", lambda: _memory(setup)
        yield "environment", _environment
    for precision in setup.precisions:
        yield f"highest rates, {precision}", lambda precision=precision: _rates(setup, precision)


def _versions() -> Found:
    values = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    values |= {"python": platform.python_version(), "commit": commit()}
    return Found("note", ", ".join(f"{name} {value}" for name, value in values.items()), values)


def _device(setup: Setup) -> Found:
    if not setup.cuda:
        return Found("note", f"no GPU: tapes stand for graphs, on {torch.get_num_threads()} threads of the CPU")
    properties = torch.cuda.get_device_properties(setup.device)
    mine, built = f"sm_{properties.major}{properties.minor}", torch.cuda.get_arch_list()
    values = {"name": properties.name, "capability": mine, "built_for": built, "gpus": torch.cuda.device_count()}
    if not is_built_for((properties.major, properties.minor), built):
        return Found("failed", f"{properties.name} is {mine}, and this torch was built for {', '.join(built)}", values)
    product = torch.ones(64, 64, device=setup.device) @ torch.ones(64, 64, device=setup.device)
    state = "ok" if product.unique().tolist() == [64.0] else "failed"
    return Found(state, f"{properties.name}, {mine}, {properties.multi_processor_count} multiprocessors", values)


def _memory(setup: Setup) -> Found:
    free, total = torch.cuda.mem_get_info(setup.device)
    return Found("note", f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free", {"free": free, "total": total})


def _environment() -> Found:
    names = [name for name in os.environ if name.startswith(("CUDA_", "NVIDIA_", "PYTORCH_", "TORCH_"))]
    values = {name: os.environ[name] for name in sorted(names)}
    return Found("note", " ".join(f"{name}={value}" for name, value in values.items()) or "nothing is set", values)


def _rates(setup: Setup, precision: str) -> Found:
    configure(precision)
    made = describe(setup.device, torch.get_num_threads(), precision)
    values: dict[str, object] = {
        "flops_per_second": made.rates.flops_per_second,
        "bytes_per_second": made.rates.bytes_per_second,
        "fingerprint": made.fingerprint,
    }
    said = f"{made.rates.flops_per_second / 1e12:.3g} TFLOP/s, {made.rates.bytes_per_second / 1e9:.3g} GB/s"
    if made.accelerator is not None:
        values["power_limit"] = made.accelerator.power_limit
        said += f", {made.accelerator.sm_clock} of {made.accelerator.sm_clock_maximum} MHz"
    return Found("note", said, values)
