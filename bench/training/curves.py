"""The curves of a whole run: what its monitors said, block by block."""

from typing import Any

import torch
from torch import Tensor

from bench.training.monitors import MONITORS, Block


class TrainingCurves:
    """What the monitors of a whole run say: the mean of each block for the record, and every step for its summary."""

    def __init__(self) -> None:
        self.means: dict[str, list[float | None]] = {"step": [], **{name: [] for name in MONITORS}}
        self.first_nonfinite_step: int | None = None
        self._blocks: list[Tensor] = []

    def add(self, block: Block | None) -> None:
        """Take in a block; None where the monitors had none yet."""
        if block is None:
            return
        self.means["step"].append(block.last_step)
        for name, mean in block.means().items():
            self.means[name].append(mean)
        self._blocks.append(block.values)
        self.first_nonfinite_step = block.first_nonfinite_step

    def snapshot(self) -> dict[str, Any]:
        """Return all that was taken in."""
        return {"means": self.means, "values": self.values, "first_nonfinite": self.first_nonfinite_step}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `snapshot` returned."""
        self.means, self._blocks = state["means"], [state["values"]]
        self.first_nonfinite_step = state["first_nonfinite"]

    @property
    def values(self) -> Tensor:
        """[steps, len(MONITORS)], the steps in order."""
        return torch.cat([torch.empty(0, len(MONITORS)), *self._blocks])
