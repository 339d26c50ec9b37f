"""Many images through an extractor, in batches of a fixed size."""

from collections.abc import Callable, Iterator
from typing import Final

import torch
from torch import Tensor, nn

OnImages = Callable[[int], None]
"""Called with how many more images have gone through a network."""

_BATCH: Final = 240
"""Single channels in a batch: their activations fit into a processor's cache, which halves the time."""


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Yield images [N, ...] in slices of at most `size`."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def color_batches(images: Tensor, size: int, network: str) -> Iterator[Tensor]:
    """Yield uint8 images [N, 1 or 3, H, W] in slices [n, 3, H, W] of at most `size`. Gray is repeated three times.

    Raises:
        ValueError: they are other images than the network, which is named, takes.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"{network} takes uint8 images [N, 1 or 3, H, W], not {images.dtype} {[*images.shape]}")
    for batch in batches(images, size):
        yield batch.expand(-1, 3, -1, -1)


@torch.no_grad()
def embed(extractor: nn.Module, images: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the features and logits of many images [N, C, H, W], computed on `device` in batches of fixed size."""
    size = max(1, _BATCH // images.shape[1])
    pieces = [extractor(batch.to(device)) for batch in batches(images, size)]
    return torch.cat([features for features, _ in pieces]), torch.cat([logits for _, logits in pieces])
