"""Objectives by name, and logits to try them on."""

import torch
from torch import Tensor

import losses


def objective(expression: str) -> losses.Objective:
    return losses.get(f"{expression} + weight_clip").objective


def logits(seed: int, batch: int = 8, outputs: int = 1, scale: float = 2) -> Tensor:
    shape = (batch,) if outputs == 1 else (batch, outputs)
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
