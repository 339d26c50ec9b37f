"""Which device to train on, and what it is called. torch is asked only for what is not the CPU."""

import os
from collections.abc import Mapping
from typing import Final

VISIBLE_GPUS: Final = "CUDA_VISIBLE_DEVICES"
"""The environment variable that says which GPUs a process sees, and in which order."""


def visible_gpu(device: str, environment: Mapping[str, str]) -> str | None:
    """Return how `VISIBLE_GPUS` names a device for a process that is to see it alone; None for the CPU.

    Where the variable is set already, `cuda:N` is the N-th GPU that it lists: by index, UUID or MIG UUID. Where it is
    set to nothing, it hides every GPU, and so it does for the process.

    Raises:
        ValueError: it lists fewer.
    """
    name, _, index = device.partition(":")
    if name != "cuda":
        return None
    number = int(index or 0)
    listed = _listed(environment)
    if listed is None:
        return str(number)
    if not listed:
        return ""
    if number >= len(listed):
        raise ValueError(f"{device!r} is not among the GPUs that ${VISIBLE_GPUS} lists: {', '.join(listed)}")
    return listed[number]


def gpu_count(environment: Mapping[str, str]) -> int:
    """Return how many GPUs there are to use.

    CUDA shows a process one slice of a divided card (MIG) at most, however many are listed. Here each process gets one
    GPU, so that all that are listed can be used.
    """
    listed = _listed(environment) or []
    if listed and all(name.startswith("MIG-") for name in listed):
        return len(listed)
    import torch

    return torch.cuda.device_count()


def _listed(environment: Mapping[str, str]) -> list[str] | None:
    """Return the GPUs that `VISIBLE_GPUS` lists; None where it is not set."""
    given = environment.get(VISIBLE_GPUS)
    return None if given is None else [name.strip() for name in given.split(",") if name.strip()]


def check_spelling(device: str) -> None:
    """Refuse what is a device on no machine.

    Raises:
        ValueError: it is none.
    """
    name, separator, index = device.partition(":")
    if device not in ("auto", "cpu") and (name != "cuda" or bool(separator) != index.isdecimal()):
        raise ValueError(f"--device takes cpu, cuda, cuda:N or auto, not {device!r}")


def resolve(device: str) -> str:
    """Return the device to train on: `auto` is cuda where torch finds one, else the CPU.

    Raises:
        ValueError: an unknown device, or one that is not there.
    """
    check_spelling(device)
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    count = gpu_count(os.environ)
    if int(device.partition(":")[2] or 0) >= count:
        raise ValueError(
            f"there is no device {device!r} here (torch finds {count} CUDA devices); "
            "use --device cpu, or see: python -m bench doctor"
        )
    return device


def accelerator_name(device: str) -> str | None:
    """Return the model of a CUDA device, or `None` for the CPU and for a device that is not there."""
    if device == "cpu":
        return None
    import torch

    # An attempt on a device that is missing is about to fail; its record still says where it was to run.
    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None
