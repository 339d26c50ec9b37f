"""diffusion: the chain against its product written out, and the law of its steps against their histogram."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import losses
from losses.transforms.adaptive import Diffusion


def chain(p: float, *, shortest: int = 10, longest: int = 1000, betas: tuple = (1e-4, 0.02)) -> np.ndarray:
    """Return A_0 to A_T of the chain at p."""
    length = shortest + round(p * (longest - shortest))
    return np.cumprod([1.0, *(1 - np.linspace(*betas, length))])


def at(p: float) -> dict[str, dict[str, Tensor]]:
    return {"diffusion": {"probability": torch.tensor(p)}}


class Told:
    """A context in which the strength, the uniform draws and the noise are what a test says."""

    device = torch.device("cpu")

    def __init__(self, p: float, uniform: Tensor) -> None:
        self._p, self._uniform = torch.tensor(p), uniform

    def get_state(self, name: str, initial: Tensor) -> Tensor:
        return self._p

    def uniform(self, *shape: int, like: Tensor) -> Tensor:
        assert self._uniform.shape == shape
        return self._uniform.to(like.dtype)

    def normal_like(self, tensor: Tensor) -> Tensor:
        return torch.full_like(tensor, 1.5)


@pytest.mark.parametrize(
    ("p", "settings"),
    [
        (0.0, {}),
        (0.37, {}),
        (1.0, {}),
        (0.5, {"shortest": 1, "longest": 1}),
        (0.0, {"shortest": 2, "longest": 4}),
        (0.8, {"shortest": 20, "longest": 500, "betas": (1e-3, 0.1)}),
    ],
)
def test_an_image_goes_the_step_that_its_draw_says(p: float, settings: dict) -> None:
    kept = chain(p, **settings)
    length = len(kept) - 1
    draws = np.array([0.0, 0.03, 0.2, 0.5, 0.77, 0.999])
    # P(t) is proportional to t - 1; a chain of one step has that one only.
    law = np.arange(length) / max(1, np.arange(length).sum())
    steps = np.minimum(1 + np.searchsorted(np.cumsum(law), draws, side="right"), length)
    part = Diffusion(
        sigma=0.2,
        shortest=settings.get("shortest", 10),
        longest=settings.get("longest", 1000),
        **dict(zip(("beta_start", "beta_end"), settings.get("betas", ()), strict=False)),
    )
    images = torch.randn((6, 3, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    still = part(images, Told(p, torch.tensor(np.stack([np.full(6, 0.499), draws]))), "real")
    assert torch.equal(still, images)
    moved = part(images, Told(p, torch.tensor(np.stack([np.full(6, 0.5), draws]))), "fake")
    signal, noise = (np.sqrt(share)[:, None, None, None] for share in (kept[steps], 1 - kept[steps]))
    np.testing.assert_allclose(moved, signal * images.numpy() + 0.2 * noise * 1.5, atol=2e-6)


@pytest.mark.parametrize(("p", "length"), [(0.0, 10), (0.1, 109)])
def test_half_of_the_images_stay_and_late_steps_are_likelier(p: float, length: int, shown: Callable) -> None:
    kept = chain(p)
    assert len(kept) == length + 1
    view = shown("diffusion(sigma=0)", torch.ones(20000, 1, dtype=torch.float64), state=at(p)).numpy()[:, 0]
    steps = np.abs(view[:, None] - np.sqrt(kept)).argmin(1)  # without noise an image tells how far it went
    np.testing.assert_allclose(view, np.sqrt(kept)[steps], atol=1e-6)
    assert (steps == 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / 20000**0.5)
    counts = np.bincount(steps, minlength=length + 1)
    assert counts[1] == 0
    went = np.cumsum(counts[1:]) / counts[1:].sum()
    t = np.arange(1, length + 1)
    assert np.abs(went - t * (t - 1) / (length * (length - 1))).max() < 2 / counts[1:].sum() ** 0.5


def test_its_noise_is_standard_normal_scaled_by_sigma_and_what_the_chain_took(shown: Callable) -> None:
    settings = "shortest=1, longest=1, beta_start=0.36, sigma=0.5"
    view = shown(f"diffusion({settings})", torch.zeros(400, 3, 10, 10, dtype=torch.float64)).numpy()
    noise = view[np.abs(view).sum((1, 2, 3)) > 0]
    assert 150 < len(noise) < 250
    assert noise.std() == pytest.approx(0.5 * 0.6, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert (np.abs(noise) > 0.6).mean() == pytest.approx(0.0455, abs=0.004)


def test_the_chain_grows_as_the_discriminator_becomes_surer(scripted: Callable) -> None:
    state: dict[str, dict[str, Tensor]] = {}
    for _ in range(8):
        scripted("hinge + diffusion(speed=0.1)", [3.0] * 5, [-3.0] * 5, state)
    assert state["diffusion"]["probability"].item() == pytest.approx(2 * 5 * 4 / 100, abs=1e-6)


def test_a_chain_that_is_shorter_than_its_shortest_is_refused() -> None:
    with pytest.raises(ValueError, match="diffusion: expected shortest <= longest, got 10 and 5"):
        losses.get("hinge + diffusion(longest=5)")
