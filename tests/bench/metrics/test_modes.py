import math

import pytest
import torch

from bench.metrics.modes import (
    captured,
    divergence_floor,
    histogram_divergence,
    mode_indices,
    stacked_frequencies,
    unreadable_share,
)

UNIFORM = torch.full((10,), 0.1)


def logits_of(classes, confidence=0.99, count=10):
    probabilities = torch.full((*torch.tensor(classes).shape, count), (1 - confidence) / (count - 1))
    return probabilities.scatter(-1, torch.tensor(classes)[..., None], confidence).log()


def test_a_single_channels_mode_is_its_class():
    assert mode_indices(logits_of([3, 0, 9])).tolist() == [3, 0, 9]


def test_a_stacks_mode_reads_its_channels_as_decimal_places():
    assert mode_indices(logits_of([[1, 2, 3], [0, 0, 0], [9, 9, 9], [7, 0, 0]])).tolist() == [321, 0, 999, 7]


def test_capture_counts_modes_with_enough_samples():
    counts = torch.tensor([0, 1, 4, 5, 100])
    assert captured(counts) == 4
    assert captured(counts, 5) == 2


def test_the_divergence_of_known_histograms():
    assert histogram_divergence(torch.full((10,), 7), UNIFORM) == pytest.approx(0.0, abs=1e-6)
    collapsed = torch.tensor([50] + [0] * 9)
    assert histogram_divergence(collapsed, UNIFORM) == pytest.approx(math.log(10), rel=1e-6)
    half = torch.tensor([3] * 5 + [0] * 5)
    assert histogram_divergence(half, UNIFORM) == pytest.approx(math.log(2), rel=1e-6)
    uneven = histogram_divergence(torch.tensor([3, 1]), torch.tensor([0.5, 0.5]))
    assert uneven == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-6)
    real = torch.tensor([0.75, 0.25])
    assert histogram_divergence(torch.tensor([3, 1]), real) == pytest.approx(0.0, abs=1e-6)


def test_a_divergence_that_does_not_exist_is_none():
    assert histogram_divergence(torch.zeros(10), UNIFORM) is None
    assert histogram_divergence(torch.tensor([1, 1]), torch.tensor([1.0, 0.0])) is None


def test_the_floor_is_what_a_perfect_sampler_gets(rng):
    found = []
    for _ in range(40):
        drawn = torch.randint(0, 1000, (26_000,), generator=rng)
        found.append(histogram_divergence(torch.bincount(drawn, minlength=1000), torch.full((1000,), 1e-3)))
    assert divergence_floor(1000, 26_000) == pytest.approx(0.0192, abs=5e-5)
    assert sum(found) / len(found) == pytest.approx(divergence_floor(1000, 26_000), rel=0.02)


def test_stacked_frequencies_are_products_in_the_order_of_the_indices():
    frequencies = torch.tensor([0.5, 0.3, 0.2])
    stacked = stacked_frequencies(frequencies, 3)
    assert stacked.shape == (27,)
    assert stacked.sum().item() == pytest.approx(1.0, rel=1e-6)
    first, second, third = 2, 0, 1
    assert stacked[first + 3 * second + 9 * third].item() == pytest.approx(0.2 * 0.5 * 0.3, rel=1e-6)
    torch.testing.assert_close(stacked_frequencies(frequencies, 1), frequencies.double())


def test_a_sample_is_as_readable_as_its_least_readable_channel():
    assert unreadable_share(logits_of([1, 2, 3], confidence=0.95)) == 0.0
    assert unreadable_share(logits_of([1, 2, 3], confidence=0.85)) == 1.0
    good, bad = logits_of([[1, 2, 3]], confidence=0.95), logits_of([[1, 2, 3]], confidence=0.85)
    mixed = torch.cat([good[:, :2], bad[:, :1]], dim=1)
    assert unreadable_share(torch.cat([good, mixed, good, good])) == 0.25
