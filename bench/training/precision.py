"""Precision is part of the trial: this is where it is switched on, and the only place."""

from contextlib import AbstractContextManager

import torch

from bench.config.trial import Precision


def configure(precision: Precision) -> None:
    """Set this process's matrix products and convolutions to the precision, and ask for deterministic kernels."""
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of the networks' forward passes; losses and input gradients leave it for float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
