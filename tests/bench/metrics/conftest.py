"""Real digits and random features, for everything that measures."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from bench import data
from bench.metrics.extractors import Extractor, load_extractor


@pytest.fixture(scope="session")
def digits() -> data.Arrays:
    return data.load("digits")


@pytest.fixture(scope="session")
def digits_extractor() -> Extractor:
    return load_extractor("digits-cnn-v1")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def correlated(rng):
    """Draw features [count, d] with a decaying spectrum and mixed coordinates, around `shift`."""

    def draw(count: int, size: int = 16, shift: float = 0.0) -> Tensor:
        scale = (1.0 / torch.arange(1, size + 1, dtype=torch.float64)).sqrt()
        mixing, _ = torch.linalg.qr(torch.sin(torch.arange(size * size, dtype=torch.float64)).reshape(size, size))
        return (torch.randn(count, size, dtype=torch.float64, generator=rng) * scale) @ mixing.T + shift

    return draw
