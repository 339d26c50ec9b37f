"""`mlp-v1`: three hidden layers with ReLU and no norm, for points in the plane."""

import math
from collections.abc import Callable

from torch import Tensor, nn

_HIDDEN_LAYERS = 3
_POINT_SIZE = 2


def _hidden(size: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for previous in [size] + [width] * (_HIDDEN_LAYERS - 1):
        layers += [nn.Linear(previous, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class PointGenerator(nn.Module):
    """Latents [B, z] to points [B, 2], unbounded."""

    def __init__(self, *, latent_size: int, width: int) -> None:
        super().__init__()
        self.hidden = _hidden(latent_size, width)
        self.head = nn.Linear(width, _POINT_SIZE)

    def forward(self, latents: Tensor) -> Tensor:
        points: Tensor = self.head(self.hidden(latents))
        return points


class PointDiscriminator(nn.Module):
    """Points [B, 2] to (logits [B], features [B, width]); packed points are [B, 2 pack].

    With `outputs` above 1 the last layer is that wide and the logits are [B, outputs].
    """

    def __init__(self, *, width: int, pack: int = 1, outputs: int = 1) -> None:
        super().__init__()
        self.hidden = _hidden(_POINT_SIZE * pack, width)
        self.head = nn.Linear(width, outputs)
        self.samplewise = True
        """Whether a point's logit depends on no other point, and no forward changes the next."""

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        features = self.hidden(points)
        return self.head(features).squeeze(1), features


def initialize(module: nn.Module, normal: Callable[[str, tuple[int, ...]], Tensor]) -> None:
    """Set weights to N(0, 2 / fan_in) (He et al., ICCV 2015, arXiv 1502.01852) and biases to 0."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            std = math.sqrt(2 / layer.in_features)
            layer.weight.data.copy_(normal(f"{name}.weight", tuple(layer.weight.shape)) * std)
            layer.bias.data.zero_()
