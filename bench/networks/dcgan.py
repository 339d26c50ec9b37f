"""`dcgan-v2`: the DCGAN of Radford, Metz and Chintala (ICLR 2016, arXiv 1511.06434), with a linear logit.

One 4x4 stage, then stride-2 stages up to the image: three at 32x32 (channels 4w, 2w, w), four at 64x64 (8w ... w).

Radford's weights, N(0, 0.02), suit a network whose norms set the scale of every layer. A discriminator without norms
hardly reacts to its input with them: its logits of noise have a standard deviation of 0.005 (one channel, width 32) to
0.02 (three channels, width 64). With the scale of He et al. (ICCV 2015, arXiv 1502.01852), which keeps the size of a
signal from layer to layer, it is 0.6. So layers that no affine norm follows have that scale.
"""

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from bench.config.trial import DiscriminatorNorm

_LEAK = 0.2
_WEIGHT_STD = 0.02


def _stage_channels(width: int, image_size: int) -> list[int]:
    """Return the channels from the 4x4 stage to the last hidden one, e.g. [256, 128, 64] for width 64 at 32x32."""
    stages = {32: 3, 64: 4}
    if image_size not in stages:
        raise ValueError(f"a DCGAN makes images of 32x32 or 64x64, not {image_size}x{image_size}")
    return [width * 2**power for power in reversed(range(stages[image_size]))]


class _FirstStage(nn.ConvTranspose2d):
    """A transposed convolution of a single point, [B, C, 1, 1], as a matrix product, which is several times as fast."""

    def forward(self, points: Tensor, output_size: list[int] | None = None) -> Tensor:
        inward, outward, height, width = self.weight.shape
        # Both are views where weights and maps lie channels last.
        matrix = self.weight.permute(0, 2, 3, 1).reshape(inward, -1)
        return (points.flatten(1) @ matrix).view(-1, height, width, outward).permute(0, 3, 1, 2)


class _Head(nn.Conv2d):
    """A convolution by a kernel as large as the map, to [B, outputs, 1, 1], also as a matrix product."""

    def forward(self, maps: Tensor) -> Tensor:
        pixels, weight = (tensor.permute(0, 2, 3, 1).flatten(1) for tensor in (maps, self.weight))
        return functional.linear(pixels, weight, self.bias)[:, :, None, None]


class Generator(nn.Module):
    """Latents [B, z] to images [B, channels, size, size] in (-1, 1). BatchNorm and ReLU between, tanh at the end."""

    def __init__(self, *, latent_size: int, width: int, channels: int, image_size: int) -> None:
        super().__init__()
        hidden = _stage_channels(width, image_size)
        layers: list[nn.Module] = [_FirstStage(latent_size, hidden[0], 4, bias=False)]
        for previous, following in pairwise(hidden):
            layers += [nn.BatchNorm2d(previous), nn.ReLU(inplace=True)]
            layers += [nn.ConvTranspose2d(previous, following, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(hidden[-1]), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(hidden[-1], channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = self.layers(latents[:, :, None, None])
        return images


class Discriminator(nn.Module):
    """Images [B, channels, size, size] to (logits [B], features [B, 4w]): features are the last stage's spatial mean.

    With `outputs` above 1 the last layer is that wide and the logits are [B, outputs]; nothing else changes.

    `norm` replaces Radford's BatchNorm. If it is `none` or `sn`, convolutions have a bias. A LeakyReLU network without
    norm and bias is homogeneous, D(0) = 0. It could not shift its logits, which would be a handicap for every loss that
    is not shift-invariant. `sn` is applied after initialization.
    """

    def __init__(
        self, *, width: int, channels: int, image_size: int, norm: DiscriminatorNorm, outputs: int = 1
    ) -> None:
        super().__init__()
        hidden = _stage_channels(width, image_size)[::-1]
        biased = norm in ("none", "sn")
        layers: list[nn.Module] = [nn.Conv2d(channels, hidden[0], 4, 2, 1, bias=biased), _leaky_relu()]
        for previous, following in pairwise(hidden):
            layers += [nn.Conv2d(previous, following, 4, 2, 1, bias=biased)]
            layers += [*_norm_layers(norm, following), _leaky_relu()]
        self.layers = nn.Sequential(*layers)
        self.head = _Head(hidden[-1], outputs, 4, bias=biased)
        self.samplewise = norm in ("ln", "none")
        """Whether an image's logit depends on no other image, and no forward changes the next."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.layers(images)
        return self.head(hidden).flatten(1).squeeze(1), hidden.mean(dim=(2, 3))


def _leaky_relu() -> nn.Module:
    # In place: it halves the number of the largest maps of a step, and only this layer reads its input.
    return nn.LeakyReLU(_LEAK, inplace=True)


def _norm_layers(norm: DiscriminatorNorm, channels: int) -> list[nn.Module]:
    if norm == "bn":
        return [nn.BatchNorm2d(channels)]
    if norm == "ln":
        return [nn.GroupNorm(1, channels)]
    return []


def _weight_std(layer: nn.Conv2d | nn.ConvTranspose2d) -> float:
    # The discriminator's convolutions carry a bias exactly where no affine norm follows; the generator's never do.
    if layer.bias is None:
        return _WEIGHT_STD
    squared_gain = 1.0 if isinstance(layer, _Head) else 2 / (1 + _LEAK**2)
    return math.sqrt(squared_gain / layer.weight[0].numel())


def initialize(module: nn.Module, normal: Callable[[str, tuple[int, ...]], Tensor]) -> None:
    """Set weights and norm gains each from its own draw, and biases to 0.

    Convolutions start from N(0, 0.02) and gains from N(1, 0.02), but for the layers of a discriminator that no affine
    norm follows: those start from N(0, g^2 / fan_in), with g^2 = 2 / (1 + 0.2^2) before a LeakyReLU and 1 at the head.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.weight.data.copy_(normal(f"{name}.weight", tuple(layer.weight.shape)) * _weight_std(layer))
            if layer.bias is not None:
                layer.bias.data.zero_()
        elif isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm)):
            layer.weight.data.copy_(1 + normal(f"{name}.weight", tuple(layer.weight.shape)) * _WEIGHT_STD)
            layer.bias.data.zero_()
