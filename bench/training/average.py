"""The generator's moving average, which samples are usually drawn from, kept beside training.

avg <- d avg + (1 - d) now after every update of the generator, with d = min(0.999, (1 + t) / (10 + t)) at update t = 0,
1, ...: the warm-up of TensorFlow's `ExponentialMovingAverage`, without which an early generator would weigh for a
thousand steps. BatchNorm's running statistics are the generator's own, as they are now: averaging them too, or
measuring them anew for the averaged weights, gave larger distances.

Training never reads it, so that no trained number depends on it.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from bench.config.protocol import AVERAGE_DECAY


def decay(step: int) -> float:
    """Return what the average keeps of itself at the update of that number, counted from 0."""
    return min(AVERAGE_DECAY, (1 + step) / (10 + step))


class MovingAverage:
    """Averages a module's weights; begins with what they are when it is made.

    Attributes:
        module: a copy of the module that has the averages for weights, and the module's own buffers.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        # Weights and buffers are changed in place, also by a step that is replayed: these are theirs for good.
        self._weights, self._buffers = (_tensors(module.parameters()), _tensors(module.buffers()))
        self._averages, self._copies = (_tensors(self.module.parameters()), _tensors(self.module.buffers()))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the module as it is after the update of that number, in a few launches for all tensors."""
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay(step))
        if self._buffers:
            torch._foreach_copy_(self._copies, self._buffers)


def _tensors(of: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach() for tensor in of]
