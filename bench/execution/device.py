"""Which device to train on, and what it is called. torch is asked only for what is not the CPU."""

from collections.abc import Mapping
from typing import Final

VISIBLE_GPUS: Final = "CUDA_VISIBLE_DEVICES"
"""The environment variable that says which GPUs a process sees, and in which order."""


def visible_gpu(device: str, environment: Mapping[str, str]) -> str | None:
    """Return how `VISIBLE_GPUS` names a device for a process that is to see it alone; None for the CPU.

    Where the variable is set already, `cuda:N` is the N-th GPU that it lists: by index, UUID or MIG UUID.

    Raises:
        ValueError: it lists fewer.
    """
    name, _, index = device.partition(":")
    if name != "cuda":
        return None
    number = int(index or 0)
    listed = [each.strip() for each in environment.get(VISIBLE_GPUS, "").split(",") if each.strip()]
    if not listed:
        return str(number)
    if number >= len(listed):
        raise ValueError(f"{device!r} is not among the GPUs that ${VISIBLE_GPUS} lists: {', '.join(listed)}")
    return listed[number]


def resolve(device: str) -> str:
    """Return the device to train on: `auto` is cuda where torch finds one, else the CPU.

    Raises:
        ValueError: an unknown device, or one that is not there.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    name, separator, index = device.partition(":")
    if name != "cuda" or bool(separator) != index.isdigit():
        raise ValueError(f"--device takes cpu, cuda, cuda:N or auto, not {device!r}")
    if int(index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"there is no device {device!r} here (torch finds {torch.cuda.device_count()} CUDA devices); "
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
