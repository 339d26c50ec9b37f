"""A fixed random feature map for the terms that compare images in frozen features.

The features are random: a trained network would be a download, or the benchmark's own classifier, and a loss that uses
that classifier would spoil every distance measured with it. Pass `frozen=` to use your own network.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

_CHANNELS = (32, 64, 128)
_SEED = 0


def random_features(images: Tensor) -> Tensor:
    """Return [B, 256] features of images, or [B, 128] of points [B, d], from weights that are the same everywhere.

    Images: three 3x3 convolutions of stride 2 with N(0, 2/fan_in) weights and LeakyReLU(0.2); the spatial mean and the
    spatial standard deviation of the last maps. Points: one layer of random Fourier features (Rahimi and Recht,
    NeurIPS 2007) of unit length scale.
    """
    if images.dim() == 2:
        frequencies = _weights(("points", images.shape[1]), images.device, images.dtype)[0]
        phases = images @ frequencies
        waves = torch.cat([phases.cos(), phases.sin()], dim=1)
        return waves * (1 / math.sqrt(frequencies.shape[1]))
    maps: Tensor = images
    for weight in _weights(("images", images.shape[1]), images.device, images.dtype):
        maps = functional.leaky_relu(functional.conv2d(maps, weight, stride=2, padding=1), 0.2)
    spatial = maps.flatten(2)
    deviation = (spatial.var(dim=2, correction=0) + 1e-8).sqrt()
    return torch.cat([spatial.mean(dim=2), deviation], dim=1)


@cache
def _weights(kind: tuple[str, int], device: torch.device, dtype: torch.dtype) -> tuple[Tensor, ...]:
    what, size = kind
    # They are kept, so nothing of the moment they are first asked for may stay in them. What is made in inference mode
    # cannot be used in training later; under torch.vmap and modes that watch operators it belongs to these; and
    # torch's defaults would decide on the precision, and so on the values.
    generator = torch.Generator("cpu").manual_seed(_SEED)
    with torch.inference_mode(False), torch.no_grad(), torch._C._DisableFuncTorch(), _disable_current_modes():
        if what == "points":
            return (_normal(generator, size, 64).to(device, dtype),)
        drawn = []
        for channels in _CHANNELS:
            weight = _normal(generator, channels, size, 3, 3) * (2 / (9 * size)) ** 0.5
            drawn.append(weight.to(device, dtype))
            size = channels
        return tuple(drawn)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, device="cpu", dtype=torch.float32)
