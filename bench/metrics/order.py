"""A fixed random order of samples, for everything that takes the first of them or cuts them into blocks."""

import numpy as np
import torch
from torch import Tensor

from bench.data import streams


def shuffled(samples: Tensor, stream: str, count: int | None = None) -> Tensor:
    """Return at most `count` of the samples [N, ...], all when None, in the order of the stream's permutation.

    Images in a folder are sorted by class or by time, so the first of them, or a block of them, are no random choice.
    The permutation depends only on the stream's name and on N.
    """
    order = np.argsort(streams.uniforms(stream, len(samples)), kind="stable")
    return samples[torch.from_numpy(order[:count]).to(samples.device)]


def at_most(samples: Tensor, stream: str, count: int) -> Tensor:
    """Return `count` of the samples [N, ...], shuffled; where there are no more, all of them in the order they have."""
    return samples if len(samples) <= count else shuffled(samples, stream, count)
