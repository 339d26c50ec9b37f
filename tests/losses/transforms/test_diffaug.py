"""diffaug: its draws follow the stated laws, are independent, and move what they should."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

SAMPLES = 6000


def test_color_draws_follow_their_laws_and_are_independent(shown: Callable) -> None:
    # An image of a gray pattern p and a hue q, both with mean 0, becomes c (p + s q) + its mean 0.3 + b.
    p = torch.tensor([[1.0, -1], [-1, 1]], dtype=torch.float64)
    q = torch.tensor([0.5, 0.25, -0.75], dtype=torch.float64)[:, None, None]
    view = shown("diffaug(translation=False, cutout=False)", (0.3 + p + q).expand(SAMPLES, 3, 2, 2))
    brightness = view.mean((1, 2, 3)) - 0.3
    contrast = (view.mean(1) * p).mean((1, 2))
    saturation = (view.mean((2, 3)) @ q.flatten()) / q.square().sum() / contrast
    rebuilt = contrast[:, None, None, None] * (p + saturation[:, None, None, None] * q)
    torch.testing.assert_close(view, rebuilt + 0.3 + brightness[:, None, None, None], rtol=0, atol=1e-12)
    for draws, low, width in ((brightness, -0.5, 1), (contrast, 0.5, 1), (saturation, 0, 2)):
        assert stats.kstest(draws.numpy(), "uniform", (low, width)).pvalue > 1e-3
    correlation = np.corrcoef([brightness.numpy(), contrast.numpy(), saturation.numpy()])
    assert np.abs(correlation - np.eye(3)).max() < 4 / SAMPLES**0.5


def test_one_channel_has_no_saturation_but_the_same_draws(shown: Callable) -> None:
    gray = torch.rand((9, 1, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(
        shown("diffaug", gray).expand(-1, 3, -1, -1), shown("diffaug", gray.expand(-1, 3, -1, -1)), rtol=0, atol=1e-12
    )


def test_translation_is_by_whole_pixels_equally_likely_in_both_directions(shown: Callable) -> None:
    images = torch.zeros(SAMPLES, 1, 32, 20)
    images[:, 0, 16, 10] = 1
    view = shown("diffaug(color=False, cutout=False)", images)
    assert torch.equal(view.sum((1, 2, 3)), torch.ones(SAMPLES))
    places = view.flatten(1).argmax(1)
    moves = Counter(zip((places // 20 - 16).tolist(), (places % 20 - 10).tolist(), strict=True))
    assert set(moves) == {(dy, dx) for dy in range(-4, 5) for dx in range(-3, 4)}  # 2.5 is rounded up
    assert stats.chisquare(list(moves.values())).pvalue > 1e-3


def test_translation_uncovers_zeros(shown: Callable) -> None:
    view = shown("diffaug(color=False, cutout=False)", torch.ones(200, 2, 8, 8))
    assert sorted(set(view.sum((1, 2, 3)).tolist())) == [2 * 7 * 7, 2 * 7 * 8, 2 * 8 * 8]


@pytest.mark.parametrize(
    ("side", "spans"),
    [
        (8, ["11000000", "11100000", *(f"{'0' * k}1111{'0' * (4 - k)}" for k in range(5)), "00000111", "00000011"]),
        (5, ["11000", "11100", "01110", "00111", "00011"]),
        (3, ["100", "110", "011", "001"]),
    ],
)
def test_cutout_is_a_hole_of_half_the_side_with_its_centre_anywhere(
    side: int, spans: list[str], shown: Callable
) -> None:
    hole = shown("diffaug(color=False, translation=False)", torch.ones(SAMPLES, 2, side, side)) == 0
    assert torch.equal(hole[:, 0], hole[:, 1])
    rows, columns = hole[:, 0].any(2), hole[:, 0].any(1)
    assert torch.equal(hole[:, 0], rows[:, :, None] & columns[:, None, :])
    found = Counter(
        tuple("".join(str(int(line)) for line in lines) for lines in pair)
        for pair in zip(rows.tolist(), columns.tolist(), strict=True)
    )
    assert set(found) == {(row, column) for row in spans for column in spans}
    assert stats.chisquare(list(found.values())).pvalue > 1e-3


def test_switching_a_group_off_leaves_the_draws_of_the_others(shown: Callable) -> None:
    images = 2 + torch.rand((20, 3, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    everything = shown("diffaug", images)
    moved = shown("diffaug(color=False)", images)
    assert torch.equal(everything == 0, moved == 0)
    off = shown("diffaug(color=False, translation=False, cutout=False)", images)
    assert torch.equal(off, images)
