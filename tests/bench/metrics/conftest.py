"""What tests of metrics share, and features of known moments."""

import pytest
import torch
from measuring import digits as digits
from measuring import digits_extractor as digits_extractor
from measuring import one_thread as one_thread
from measuring import rng as rng
from torch import Tensor


@pytest.fixture
def correlated(rng):
    """Draw features [count, d] with a decaying spectrum and mixed coordinates, around `shift`."""

    def draw(count: int, size: int = 16, shift: float = 0.0) -> Tensor:
        scale = (1.0 / torch.arange(1, size + 1, dtype=torch.float64)).sqrt()
        mixing, _ = torch.linalg.qr(torch.sin(torch.arange(size * size, dtype=torch.float64)).reshape(size, size))
        return (torch.randn(count, size, dtype=torch.float64, generator=rng) * scale) @ mixing.T + shift

    return draw
