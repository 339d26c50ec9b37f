"""Small critics, batches and a generator, and a registry that forgets what a test registers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from losses import registry

SHAPE = (3, 5, 4)


class SmoothCritic(nn.Module):
    """A critic with curvature everywhere and no coupling between samples. Returns the features it ends on if asked."""

    def __init__(self, *, features: bool = False, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        size = SHAPE[0] * SHAPE[1] * SHAPE[2]
        generator = torch.Generator().manual_seed(11)
        self.hidden = nn.Linear(size, 6, dtype=dtype)
        self.last = nn.Linear(6, 1, dtype=dtype)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator, dtype=dtype) / parameter.shape[-1] ** 0.5
        self.features = features

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.hidden(images.flatten(1)))
        logits = self.last(hidden)
        return (logits, hidden) if self.features else logits


class LinearCritic(nn.Module):
    """<w, x> with a w of a given length: its slope is that length everywhere."""

    def __init__(self, slope: float, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        direction = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3), dtype=dtype)
        self.weight = nn.Parameter(direction * slope / direction.norm())

    def forward(self, images: Tensor) -> Tensor:
        return (images * self.weight).flatten(1).sum(1)


class TinyGenerator(nn.Module):
    """Latents [B, 7] to images."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        size = SHAPE[0] * SHAPE[1] * SHAPE[2]
        self.weight = nn.Parameter(torch.randn(size, 7, generator=torch.Generator().manual_seed(5), dtype=dtype) / 3)

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents @ self.weight.T).unflatten(1, SHAPE)


@pytest.fixture
def smooth_critic() -> Callable[..., SmoothCritic]:
    return SmoothCritic


@pytest.fixture
def linear_critic() -> Callable[..., LinearCritic]:
    return LinearCritic


@pytest.fixture
def tiny_generator() -> Callable[..., TinyGenerator]:
    return TinyGenerator


@pytest.fixture
def images() -> Callable[..., Tensor]:
    """Draw a batch: images(seed, batch=6)."""

    def draw(seed: int, batch: int = 6, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.randn((batch, *SHAPE), generator=torch.Generator().manual_seed(seed), dtype=dtype)

    return draw


@pytest.fixture
def latents() -> Tensor:
    return torch.randn((6, 7), generator=torch.Generator().manual_seed(9), dtype=torch.float64)


@pytest.fixture
def streams() -> Callable[[], dict[str, torch.Generator]]:
    """One generator for each registered part, always started alike."""

    def build() -> dict[str, torch.Generator]:
        return {name: torch.Generator().manual_seed(1000 + sum(map(ord, name))) for name in registry.parts()}

    return build


@pytest.fixture
def scratch_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test register parts that are gone afterwards."""
    registry.parts()
    monkeypatch.setattr(registry, "_parts", dict(registry._parts))
