"""EfficientNet-Lite0, a small network that classifies photographs, for its features.

The architecture is EfficientNet-B0's (Tan and Le, ICML 2019, arXiv:1905.11946) as its authors changed it for small
devices: no squeeze-and-excitation, and ReLU6 in place of swish. Convolutions are padded as TensorFlow's `SAME`: an odd
pixel of padding lies to the right and below. BatchNorm, with its statistics fixed, is folded into the convolution
before it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES: Final = 1280
CLASSES: Final = 1000

_STEM: Final = 32
_EPSILON: Final = 1e-3
"""Of every BatchNorm, as in TensorFlow's implementation."""


@dataclass(frozen=True)
class _Stage:
    """Blocks of one shape. The first has the stride, the others have stride 1 and add their input to their output."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES: Final = (
    _Stage(blocks=1, kernel=3, stride=1, expansion=1, channels=16),
    _Stage(blocks=2, kernel=3, stride=2, expansion=6, channels=24),
    _Stage(blocks=2, kernel=5, stride=2, expansion=6, channels=40),
    _Stage(blocks=3, kernel=3, stride=2, expansion=6, channels=80),
    _Stage(blocks=3, kernel=5, stride=1, expansion=6, channels=112),
    _Stage(blocks=4, kernel=5, stride=2, expansion=6, channels=192),
    _Stage(blocks=1, kernel=3, stride=1, expansion=6, channels=320),
)


class _Convolution(nn.Conv2d):
    """A convolution that is padded to ceil(size / stride) outputs, with a bias."""

    def __init__(self, channels: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, outputs, kernel, stride, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return functional.conv2d(maps, self.weight, self.bias, padding=kernel // 2, groups=self.groups)
        height, width = (_padding(size, kernel, stride) for size in maps.shape[2:])
        padded = functional.pad(maps, (*width, *height))
        return functional.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class _Block(nn.Module):
    """An inverted bottleneck: 1x1 to more channels, one filter for each channel, 1x1 to the outputs without ReLU6."""

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * channels
        self.expand = _Convolution(channels, wide) if expansion > 1 else None
        self.depthwise = _Convolution(wide, wide, kernel, stride, groups=wide)
        self.project = _Convolution(wide, outputs)
        self._residual = stride == 1 and channels == outputs

    def forward(self, maps: Tensor) -> Tensor:
        hidden = maps if self.expand is None else functional.relu6(self.expand(maps))
        outputs: Tensor = self.project(functional.relu6(self.depthwise(hidden)))
        return maps + outputs if self._residual else outputs


class EfficientNetLite0(nn.Module):
    """Images [N, 3, H, W] in [-1, 1] to features [N, 1280], which are not negative, and logits [N, 1000].

    Trained at 224x224 pixels. The classes are ImageNet's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, _STEM, 3, 2)
        blocks, channels = [], _STEM
        for stage in _STAGES:
            for index in range(stage.blocks):
                stride = stage.stride if index == 0 else 1
                blocks.append(_Block(channels, stage.channels, stage.kernel, stride, stage.expansion))
                channels = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = _Convolution(channels, FEATURES)
        self.output = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.blocks(functional.relu6(self.stem(images)))
        features = functional.relu6(self.head(maps)).mean((2, 3))
        return features, self.output(features)

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights from a state of the PyTorch port (`_conv_stem.weight`, `_bn0.bias` and so on).

        Raises:
            ValueError: a tensor is missing, has another shape, or belongs to another network.
        """
        expected: set[str] = set()
        for convolution, name, norm in self._names():
            weight = _tensor(state, f"{name}.weight", convolution.weight.shape)
            shape = convolution.weight.shape[:1]
            gain, shift, mean, variance = (
                _tensor(state, f"{norm}.{part}", shape) for part in ("weight", "bias", "running_mean", "running_var")
            )
            scale = gain.double() / (variance.double() + _EPSILON).sqrt()
            assert convolution.bias is not None
            convolution.weight.copy_(weight.double() * scale[:, None, None, None])
            convolution.bias.copy_(shift.double() - mean.double() * scale)
            expected |= {f"{name}.weight", *(f"{norm}.{part}" for part in _NORM_TENSORS)}
        for name, parameter in (("_fc.weight", self.output.weight), ("_fc.bias", self.output.bias)):
            parameter.copy_(_tensor(state, name, parameter.shape))
            expected.add(name)
        if unknown := sorted(set(state) - expected):
            raise ValueError(f"it has tensors that EfficientNet-Lite0 does not have, such as {unknown[0]}")

    def _names(self) -> Iterator[tuple[_Convolution, str, str]]:
        """Yield each convolution, its name in the port's state, and the name of the BatchNorm after it."""
        yield self.stem, "_conv_stem", "_bn0"
        for index, block in enumerate(self.blocks):
            assert isinstance(block, _Block)
            prefix = f"_blocks.{index}"
            if block.expand is not None:
                yield block.expand, f"{prefix}._expand_conv", f"{prefix}._bn0"
            yield block.depthwise, f"{prefix}._depthwise_conv", f"{prefix}._bn1"
            yield block.project, f"{prefix}._project_conv", f"{prefix}._bn2"
        yield self.head, "_conv_head", "_bn1"


_NORM_TENSORS: Final = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _tensor(state: Mapping[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    if name not in state:
        raise ValueError(f"it has no tensor {name}, which EfficientNet-Lite0 has")
    if state[name].shape != shape:
        raise ValueError(f"its tensor {name} is {[*state[name].shape]}, expected {[*shape]}")
    return state[name]
