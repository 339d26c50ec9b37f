import math

import numpy as np
import pytest
import torch

from bench import data
from bench.metrics.modes import (
    captured,
    classifier_score,
    divergence_floor,
    histogram_divergence,
    mode_indices,
    stacked_frequencies,
    unreadable_share,
)

MNIST_TRAIN_CLASSES = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
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


def test_the_floors_of_stacked_mnist_are_the_simulated_ones():
    classes = torch.tensor(MNIST_TRAIN_CLASSES).double()
    frequencies = stacked_frequencies(classes / classes.sum(), 3)
    uniform = torch.full((1000,), 1e-3)
    draws = np.random.default_rng(5)

    def drawn(probabilities):
        counts = [torch.from_numpy(draws.multinomial(26_000, probabilities)) for _ in range(60)]
        return np.array(
            [(histogram_divergence(each, uniform), histogram_divergence(each, frequencies)) for each in counts]
        )

    even, real = drawn(np.full(1000, 1e-3)), drawn(frequencies.numpy())
    assert even[:, 0].mean() == pytest.approx(0.0193, abs=0.0004)
    assert real[:, 0].mean() == pytest.approx(0.0237, abs=0.0005)
    assert real[:, 0].std() == pytest.approx(0.0011, abs=0.0004)
    assert real[:, 1].mean() == pytest.approx(0.0194, abs=0.0004)
    imbalance = histogram_divergence(frequencies, uniform)
    assert imbalance == pytest.approx(0.0043, abs=5e-5)
    assert imbalance + divergence_floor(1000, 26_000) == pytest.approx(real[:, 0].mean(), rel=0.03)


def test_mnists_training_part_has_the_classes_that_the_floors_are_made_of(mnist_folder):
    assert np.bincount(data.load("mnist", mnist_folder).train_labels).tolist() == list(MNIST_TRAIN_CLASSES)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_classifier_score_counts_what_is_read_surely_and_evenly(channels):
    """For sure and even classes it is the number of modes, and 1 for one class or for samples nobody can read."""
    classes = torch.cartesian_prod(*[torch.arange(10)] * channels).reshape(-1, channels)
    sure = logits_of(classes.tolist(), confidence=1 - 1e-9)
    assert classifier_score(sure) == pytest.approx(10.0**channels, rel=1e-5)
    assert classifier_score(sure[:1].repeat(7, 1, 1)) == pytest.approx(1.0, abs=1e-6)
    assert classifier_score(torch.zeros(50, channels, 10)) == pytest.approx(1.0, abs=1e-6)
    assert classifier_score(sure[classes[:, 0] < 5]) == pytest.approx(10.0**channels / 2, rel=1e-5)


def test_the_classifier_score_is_torch_fidelitys(rng):
    metric_isc = pytest.importorskip("torch_fidelity.metric_isc")
    logits = 3.0 * torch.randn(5000, 10, generator=rng)
    oracle = metric_isc.isc_features_to_metric(logits, splits=1, shuffle=False)
    assert classifier_score(logits) == pytest.approx(float(oracle["inception_score_mean"]), rel=1e-6)
    assert classifier_score(logits[:, None]) == classifier_score(logits)


def test_channels_that_are_read_alike_are_no_more_modes_than_one(rng):
    logits = 3.0 * torch.randn(6000, 10, generator=rng)
    shuffled = logits[torch.randperm(6000, generator=rng)]
    alone = classifier_score(logits)
    assert classifier_score(torch.stack([logits, shuffled], 1)) == pytest.approx(alone**2, rel=0.03)
    surely = logits_of(torch.arange(10).repeat(100).tolist(), confidence=1 - 1e-9)
    assert classifier_score(torch.stack([surely, surely], 1)) == pytest.approx(10.0, rel=1e-5)


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
