"""Networks of others from files of tensors, without running anything that a file of unknown origin may hold."""

import io
import pickle
from collections.abc import Callable
from typing import BinaryIO

import torch
from torch import nn

from bench.extractors.weight_files import Source, Weights, verified


def build(weights: Weights, source: Source, make: Callable[[BinaryIO], nn.Module]) -> nn.Module:
    """Return the network that `make` makes of the content of a file, once that is known to hold tensors alone.

    Raises:
        ValueError: the file has changed since it was identified, or holds no weights of this network.
    """
    content = verified(weights)
    wrong = f"{weights.path} holds no weights of {weights.network}"
    try:
        # `make` would run what the file holds; this does not.
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        TypeError,
        AttributeError,
        ValueError,
        LookupError,
    ) as error:
        raise ValueError(f"{wrong}: it is cut short, or no file of tensors; {source.how_to_get}") from error
    try:
        return make(io.BytesIO(content))
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"{wrong}: names or shapes of its tensors are others; {source.how_to_get}") from error
