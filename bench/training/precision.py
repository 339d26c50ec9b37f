"""What a process computes with: its device, and its precision, which is part of the trial and switched on only here."""

from contextlib import AbstractContextManager

import torch

from bench.common.gpus import has_precision
from bench.config.trial import Precision


def choose_device(device: torch.device) -> None:
    """Make a CUDA device this thread's current one.

    An event is recorded on the current device's stream unless it is told another: on `cuda:1` times would be near 0,
    and what is copied to the host would be read before it is there.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def check_precision(device: torch.device, precision: Precision) -> None:
    """Refuse a precision that a device does not compute in.

    Raises:
        ValueError: an old card would emulate bf16, slowly, and compute in float32 where tf32 was asked for.
    """
    if device.type != "cuda" or precision == "fp32":
        return
    capability = torch.cuda.get_device_capability(device)
    if not has_precision(capability, precision):
        name, version = torch.cuda.get_device_name(device), ".".join(map(str, capability))
        raise ValueError(
            f"{name} has no {precision}, which came with compute capability 8.0 (it has {version}): use fp32"
        )


def configure(precision: Precision) -> None:
    """Set this process's matrix products and convolutions to the precision, and ask for deterministic kernels."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of the networks' forward passes; losses and input gradients leave it for float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
