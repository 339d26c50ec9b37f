"""The machine that is measured: its fingerprint, the state of its GPU, and its highest rates."""

import hashlib
import importlib
from collections.abc import Callable
from typing import Any, Final

import torch

from bench.config.trial import Precision, canonical_json
from bench.costs.blocks import Call
from bench.execution.device import accelerator_name
from bench.store.environment import environment
from bench.store.kernels import Accelerator, Machine, Rates
from bench.training.clock import elapsed, now

_REPETITIONS: Final = 5
_WARM_UP: Final = 2


def describe(device: torch.device, threads: int, precision: Precision) -> Machine:
    """Describe this machine and measure its rates, which takes a second or two."""
    surroundings = environment(str(device), threads, accelerator_name(str(device)))
    accelerator = read_accelerator(device) if device.type == "cuda" else None
    fingerprint = surroundings.fingerprint
    if accelerator is not None:
        lasting = [accelerator.driver, accelerator.sm_clock_maximum, accelerator.memory_clock_maximum]
        fingerprint = hashlib.sha256(canonical_json([fingerprint, *lasting])).hexdigest()[:12]
    return Machine(
        fingerprint=fingerprint,
        environment=surroundings,
        accelerator=accelerator,
        rates=measure_rates(device, precision),
    )


def read_accelerator(device: torch.device) -> Accelerator | None:
    """Ask nvidia-ml-py about a GPU; None if the package (the extra `gpu`) or the driver is missing, or does not say.

    It is found by its UUID: NVML counts all GPUs of the machine in another order than CUDA those that a process sees.
    """
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:  # the package is there, the driver is not
        return None
    try:
        handle = _handle(nvml, device)
        milliwatts = _asked(nvml, nvml.nvmlDeviceGetPowerManagementLimit, handle)
        return Accelerator(
            name=_text(nvml.nvmlDeviceGetName(handle)),
            driver=_text(nvml.nvmlSystemGetDriverVersion()),
            sm_clock=_asked(nvml, nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM),
            sm_clock_maximum=_asked(nvml, nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM),
            memory_clock=_asked(nvml, nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM),
            memory_clock_maximum=_asked(nvml, nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_MEM),
            power_limit=None if milliwatts is None else milliwatts / 1000,
        )
    except nvml.NVMLError:  # no such GPU, or none that this process may ask about
        return None
    finally:
        nvml.nvmlShutdown()


def _handle(nvml: Any, device: torch.device) -> object:  # noqa: ANN401 - a module
    """Return NVML's own name for a GPU, or for a part of one (MIG)."""
    uuid = str(torch.cuda.get_device_properties(device).uuid)
    if uuid.startswith(("GPU-", "MIG-")):
        return nvml.nvmlDeviceGetHandleByUUID(uuid)
    try:
        return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        return nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")


def _asked(nvml: Any, question: Callable[..., int], *arguments: object) -> int | None:  # noqa: ANN401 - a module
    """Return an answer, or None if this GPU does not give it."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _text(answer: str | bytes) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer


def measure_rates(device: torch.device, precision: Precision) -> Rates:
    """Measure the fastest of a few large matrix products in this precision, and of a few large copies.

    Of random numbers: products of ones change so few bits that a GPU draws little power, and keeps a clock that it
    would not keep.
    """
    cuda = device.type == "cuda"
    size, words = (8192, 2**28) if cuda else (1024, 2**24)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right, product = (torch.randn(size, size, dtype=kind, device=device) for _ in range(3))
    source, target = (torch.rand(words, dtype=torch.float32, device=device) for _ in range(2))
    multiply = _best(Call(lambda _: torch.mm(left, right, out=product)), cuda=cuda)
    copy = _best(Call(lambda _: target.copy_(source)), cuda=cuda)
    return Rates(flops_per_second=2 * size**3 / multiply, bytes_per_second=2 * 4 * words / copy)


def _best(call: Call, *, cuda: bool) -> float:
    """Return the seconds of the fastest repetition."""
    seconds = []
    for index in range(_WARM_UP + _REPETITIONS):
        started = now(cuda=cuda)
        call.run(index)
        seconds.append(elapsed(started, now(cuda=cuda)))
    return min(seconds[_WARM_UP:])
