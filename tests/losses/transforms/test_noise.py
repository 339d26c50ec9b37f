"""instance_noise."""

from collections.abc import Callable

import pytest
import torch


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (50, 0.5), (99, 0.01), (100, 0.0), (1000, 0.0)])
def test_instance_noise_fades_linearly(step: int, share: float, shown: Callable) -> None:
    images = torch.full((4, 3, 50, 50), 0.25, dtype=torch.float64)
    noise = shown("instance_noise(sigma=0.2, anneal_steps=100)", images, step=step) - images
    assert noise.std().item() == pytest.approx(0.2 * share, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.005 * share)


def test_instance_noise_is_constant_without_annealing(shown: Callable) -> None:
    images = torch.zeros(4, 3, 50, 50)
    for step in (0, 10**6):
        noise = shown("instance_noise(sigma=0.2)", images, step=step)
        assert noise.std().item() == pytest.approx(0.2, rel=0.02)
