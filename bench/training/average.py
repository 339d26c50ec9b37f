"""The generator's moving average, which samples are usually drawn from, kept beside training.

avg <- d avg + (1 - d) now after every update of the generator, with d = min(0.999, (1 + t) / (10 + t)) at update t = 0,
1, ...: the warm-up of TensorFlow's `ExponentialMovingAverage`, without which an early generator would weigh for a
thousand steps. BatchNorm's running statistics are averaged like weights, so that they fit the averaged weights:
nearly as well as statistics measured anew would, and better than the generator's own in the long run (decision 9).

Training never reads it, so that no trained number depends on it.
"""

import copy

import torch
from torch import Tensor, nn

from bench.config.protocol import AVERAGE_DECAY


def decay(step: int) -> float:
    """Return what the average keeps of itself at the update of that number, counted from 0."""
    return min(AVERAGE_DECAY, (1 + step) / (10 + step))


class MovingAverage:
    """Averages a module's floating-point weights and buffers; begins with what they are when it is made.

    Attributes:
        module: a copy of the module that has the averages for weights. Its count of batches is the last one's.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        now, average = (list(network.state_dict(keep_vars=True).values()) for network in (module, self.module))
        # Parameters and buffers are changed in place, also by a step that is replayed: these are theirs for good.
        pairs = [(kept.detach(), new.detach()) for kept, new in zip(average, now, strict=True)]
        self._averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counted = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the module as it is after the update of that number."""
        _lerp([kept for kept, _ in self._averaged], [new for _, new in self._averaged], 1 - decay(step))
        for kept, new in self._counted:
            kept.copy_(new)


def _lerp(averages: list[Tensor], new: list[Tensor], weight: float) -> None:
    """Move each average by `weight` of its distance to the new value, all in a launch or two."""
    torch._foreach_lerp_(averages, new, weight)
