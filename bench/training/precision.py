"""What a process computes with: its device, and its precision, which is part of the trial and switched on only here."""

from contextlib import AbstractContextManager

import torch

from bench.config.trial import Precision


def choose_device(device: torch.device) -> None:
    """Make a CUDA device this thread's current one.

    An event is recorded on the current device's stream unless it is told another: on `cuda:1` times would be near 0,
    and what is copied to the host would be read before it is there.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def configure(precision: Precision) -> None:
    """Set this process's matrix products and convolutions to the precision, and ask for deterministic kernels."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of the networks' forward passes; losses and input gradients leave it for float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
