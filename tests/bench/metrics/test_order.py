"""No number depends on the order in which samples come, in a folder or from whoever hands them over."""

import numpy as np
import pytest
import torch

from bench import data
from bench.metrics import samples as samples_module
from bench.metrics.evaluate import Evaluator
from bench.metrics.order import shuffled

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def evaluator(digits):
    return Evaluator(data.workload("digits"), digits, CPU)


def test_the_permutation_is_fixed_and_cut_at_the_count():
    numbers = torch.arange(1000)
    found = shuffled(numbers, "one")
    assert sorted(found.tolist()) == numbers.tolist()
    assert torch.equal(shuffled(numbers, "one", 10), found[:10])
    assert torch.equal(shuffled(numbers.flip(0), "one"), 999 - found)
    assert not torch.equal(shuffled(numbers, "two"), found)
    # The first of a random order come from everywhere: their mean is 499.5 +- 28.
    assert found[:100].double().mean().item() == pytest.approx(499.5, abs=100)


@pytest.mark.slow
def test_images_sorted_by_class_have_the_numbers_of_shuffled_ones(evaluator, digits):
    images = torch.from_numpy(digits.train)
    by_class = images[torch.from_numpy(np.argsort(digits.train_labels, kind="stable"))]
    first, second = evaluator.evaluate(shuffled(images, "any")), evaluator.evaluate(by_class)
    noise = evaluator.evaluate(torch.randint(0, 256, images.shape, dtype=torch.uint8))["kid"]
    # Of other blocks: the same but for scatter. Cut in the order of classes it is a third of that of noise.
    assert second.pop("kid") == pytest.approx(first.pop("kid"), abs=0.02 * noise)
    assert second == pytest.approx(first, rel=1e-6, abs=1e-6)


def test_where_few_samples_are_compared_they_are_no_first_ones(evaluator, digits, monkeypatch):
    monkeypatch.setattr(samples_module, "NEIGHBOR_IMAGES", 300)
    images = torch.from_numpy(digits.train)
    by_class = images[torch.from_numpy(np.argsort(digits.train_labels, kind="stable"))]
    scores = evaluator.evaluate(by_class)
    # The first 300 would be the zeros and ones alone, among which a fifth of the digits lie.
    assert scores["coverage"] > 0.5
    assert scores["precision"] == 1.0
