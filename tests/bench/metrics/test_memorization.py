"""Copies of the training part are noticed, and images nobody has seen are not."""

import dataclasses

import numpy as np
import pytest
import torch
from gaussian_bias import fd_bias

from bench import data
from bench.metrics.evaluate import Evaluator
from bench.metrics.frechet import frechet_distance, moments, square_root
from bench.metrics.neighbors import authentic_share, median_distance, nearest, nearest_other

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def evaluator(digits):
    return Evaluator(data.workload("digits"), digits, CPU)


@pytest.fixture(scope="module")
def alike(digits):
    """Digits dealt out anew, so that both parts are samples of one distribution; 800 more are kept back."""
    images = np.concatenate([digits.train, digits.test])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    order = np.random.default_rng(11).permutation(len(images))
    train, test, unseen = np.split(order, [600, 1000])
    parts = {"train": images[train], "test": images[test], "train_labels": labels[train], "test_labels": labels[test]}
    return dataclasses.replace(digits, **parts), torch.from_numpy(images[unseen])


@pytest.fixture(scope="module")
def fair(alike, tmp_path_factory):
    return Evaluator(data.workload("digits"), alike[0], CPU, tmp_path_factory.mktemp("fair"), samples=797)


def test_the_definitions_by_brute_force(correlated):
    fakes, train = correlated(60, size=4, shift=0.2), correlated(90, size=4)
    across = np.linalg.norm(fakes.numpy()[:, None] - train.numpy()[None], axis=-1)
    within = np.linalg.norm(train.numpy()[:, None] - train.numpy()[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    squared, indices = nearest(fakes, train)
    assert indices.tolist() == across.argmin(1).tolist()
    np.testing.assert_allclose(squared.sqrt(), across.min(1), rtol=1e-4)
    np.testing.assert_allclose(nearest_other(train).sqrt(), within.min(1), rtol=1e-4)
    assert median_distance(squared) == pytest.approx(np.median(across.min(1)), rel=1e-4)
    authentic = np.mean([row.min() > within[row.argmin()].min() for row in across])
    assert 0.1 < authentic < 0.95
    assert authentic_share(squared, indices, nearest_other(train)) == pytest.approx(authentic)


def test_copies_of_the_training_part_are_noticed(evaluator, digits):
    scores = evaluator.evaluate(torch.from_numpy(digits.train))
    assert scores["fd_gap"] == pytest.approx(1.0, abs=1e-3)
    assert scores["neighbour_ratio"] < 0.01
    assert scores["authentic"] < 0.01


def test_copies_that_are_slightly_spoilt_are_noticed_too(evaluator, digits, rng):
    images = torch.from_numpy(digits.train).float()
    scores = evaluator.evaluate((images + 3.0 * torch.randn(images.shape, generator=rng)).clamp(0, 255).byte())
    assert scores["neighbour_ratio"] < 0.5
    assert scores["authentic"] < 0.1


def test_the_test_part_is_what_the_measures_are_relative_to(evaluator, digits):
    scores = evaluator.evaluate(torch.from_numpy(digits.test))
    assert scores["fd_gap"] == pytest.approx(-1.0, abs=1e-3)
    assert scores["neighbour_ratio"] == pytest.approx(1.0, rel=1e-4)
    assert scores["authentic"] == evaluator.constants["authentic_ceiling"]


@pytest.mark.slow
def test_unseen_images_are_no_copies(fair, alike):
    scores = fair.evaluate(alike[1])
    assert scores["neighbour_ratio"] == pytest.approx(1.0, abs=0.08)
    assert scores["authentic"] == pytest.approx(fair.constants["authentic_ceiling"], abs=0.08)
    assert scores["fd_gap"] == pytest.approx(fair.constants["fd_gap_floor"], abs=0.25)


def test_the_gap_of_unseen_samples_is_what_the_bias_predicts(correlated):
    train_count, test_count, count = 1000, 300, 600
    gaps = []
    for _ in range(60):
        fakes, train, test = (moments(correlated(size)) for size in (count, train_count, test_count))
        to_test, to_train = (frechet_distance(x, square_root(x.covariance), fakes) for x in (test, train))
        gaps.append(to_test - to_train)
    spectrum = torch.diag(1.0 / torch.arange(1, 17, dtype=torch.float64))
    predicted = fd_bias(spectrum, count, test_count) - fd_bias(spectrum, count, train_count)
    assert np.mean(gaps) == pytest.approx(predicted, rel=0.15)


def test_the_bias_predicts_the_distance_of_digits_dealt_out_at_random(digits, digits_extractor, rng):
    everything = torch.from_numpy(np.concatenate([digits.train, digits.test]))
    features = digits_extractor(everything)[0]
    found = []
    for _ in range(60):
        first, second = features[torch.randperm(len(features), generator=rng)].split([898, 899])
        fitted = moments(first)
        found.append(frechet_distance(fitted, square_root(fitted.covariance), moments(second)))
    # From deal to deal the distance has a standard deviation of 3.
    assert np.mean(found) == pytest.approx(fd_bias(moments(features).covariance, 898, 899), rel=0.12)


def test_parts_of_one_distribution_have_the_floors_of_theory(fair, rng):
    constants = fair.constants
    assert constants["coverage_ceiling"] == pytest.approx(1 - 2**-5, abs=0.03)
    assert constants["density_ceiling"] == pytest.approx(1.0, abs=0.06)
    assert constants["precision_ceiling"] == pytest.approx(constants["recall_ceiling"], abs=0.05)
    # The kernel distance is unbiased: only its scatter is left, small beside the distance of images of noise.
    noise = torch.randint(0, 256, (400, 1, 32, 32), dtype=torch.uint8, generator=rng)
    assert abs(constants["kid_floor"]) < 0.02 * fair.evaluate(noise)["kid"]
    assert constants["classifier_score_ceiling"] == pytest.approx(10.0, rel=0.05)


def test_the_digits_have_the_floors_that_were_measured(evaluator, digits, digits_extractor):
    """The two parts are of different writers, but both of them are the reference."""
    constants = evaluator.constants
    covariance = moments(digits_extractor(torch.from_numpy(digits.train))[0]).covariance
    assert constants["fd_floor"] == pytest.approx(fd_bias(covariance, 2000, 1797), rel=0.15)
    between = evaluator.evaluate(torch.from_numpy(digits.test))["fd_gap"]
    assert between == pytest.approx(-1.0, abs=1e-3)
    assert constants["precision_ceiling"] == pytest.approx(0.899, abs=0.01)
    assert constants["recall_ceiling"] == pytest.approx(0.907, abs=0.01)
    assert constants["coverage_ceiling"] == pytest.approx(0.977, abs=0.01)
    assert constants["authentic_ceiling"] == pytest.approx(0.593, abs=0.01)
    assert constants["classifier_score_ceiling"] == pytest.approx(9.63, abs=0.05)
    assert constants["vendi_ceiling"] == pytest.approx(5.67, abs=0.05)
