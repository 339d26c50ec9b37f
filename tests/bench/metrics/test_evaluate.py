import math

import numpy as np
import pytest
import torch

from bench import data
from bench.metrics.evaluate import Evaluator, full_precision

CPU = torch.device("cpu")
IMAGE_METRICS = {
    *("fd", "fd_test", "kid", "precision", "recall", "density", "coverage"),
    *("modes", "modes_5", "kl_uniform", "kl_real", "unreadable", "classifier_score", "fd_gap", "vendi"),
}
# Stacks are drawn at random: there is no training stack to copy.
SINGLE_IMAGE_METRICS = {*IMAGE_METRICS, "neighbour_ratio", "authentic"}


@pytest.fixture(scope="module")
def evaluator(digits):
    return Evaluator(data.workload("digits"), digits, CPU)


@pytest.fixture(scope="module")
def stacked(digits):
    return Evaluator(data.workload("stacked-digits"), digits, CPU, samples=12_000)


@pytest.fixture(scope="module")
def ring():
    return Evaluator(data.workload("ring8"), data.load("ring8"), CPU)


def test_real_images_are_near_the_data_in_every_metric(evaluator, digits):
    scores = evaluator.evaluate(torch.from_numpy(digits.train))
    assert set(scores) == SINGLE_IMAGE_METRICS
    # Of fresh images; these are four fifths of the reference.
    assert scores["fd"] < 0.3 * evaluator.constants["fd_floor"]
    assert scores["fd_test"] == pytest.approx(28.72, rel=1e-3)
    assert scores["precision"] == 1.0
    assert scores["recall"] > 0.9
    assert scores["coverage"] > 0.95
    assert scores["modes"] == scores["modes_5"] == 10
    assert scores["kl_real"] == pytest.approx(0.0, abs=1e-3)
    assert scores["unreadable"] < 0.01


def test_every_metric_says_that_noise_is_far_away(evaluator, digits, rng):
    noise = torch.randint(0, 256, (1000, 1, 32, 32), dtype=torch.uint8, generator=rng)
    near, far = evaluator.evaluate(torch.from_numpy(digits.train)), evaluator.evaluate(noise)
    assert far["fd"] > 200
    for name in ("fd", "fd_test", "kid", "kl_uniform", "kl_real"):
        assert far[name] > near[name] + 0.1, name
    for name in ("precision", "recall", "density", "coverage", "modes"):
        assert far[name] < near[name] - 0.1, name


def test_a_missing_class_is_seen(evaluator, digits):
    kept = torch.from_numpy(digits.train[digits.train_labels != 4])
    scores = evaluator.evaluate(kept)
    assert scores["modes_5"] == 9
    assert scores["kl_real"] == pytest.approx(math.log(1438 / len(kept)), rel=0.02)
    assert scores["fd"] > 2 * evaluator.constants["fd_bias"]


def test_one_image_repeated_is_measured(evaluator, digits):
    scores = evaluator.evaluate(torch.from_numpy(digits.train[:1]).repeat(100, 1, 1, 1))
    assert all(value is not None and math.isfinite(value) for value in scores.values())
    assert scores["modes"] == 1
    assert scores["kl_uniform"] == pytest.approx(math.log(10), rel=1e-6)


def test_evaluating_twice_gives_the_same_bits(evaluator, digits):
    images = torch.from_numpy(digits.test)
    assert evaluator.evaluate(images) == evaluator.evaluate(images)


def test_the_floors_stand_beside(evaluator):
    constants = evaluator.constants
    assert evaluator.primary == "fd"
    # Both parts are the reference, so that nothing but finite samples lies between it and fresh images.
    assert constants["fd_floor"] == constants["fd_bias"] == pytest.approx(5.0, rel=0.15)
    assert constants["kl_real_floor"] == pytest.approx(9 / 4000)
    assert constants["kl_uniform_floor"] > constants["kl_real_floor"]
    assert 0 <= constants["unreadable_floor"] < 0.05


@pytest.mark.slow
def test_a_stack_is_read_where_all_of_its_images_are(stacked, digits, digits_extractor):
    confidence = digits_extractor(torch.from_numpy(digits.test))[1].softmax(-1).amax(-1)
    readable = (confidence >= 0.9).numpy()
    drawn = readable[np.random.default_rng(1).integers(len(readable), size=(400_000, 3))].all(axis=1)
    assert 0.01 < 1 - readable.mean() ** 3 < 0.03
    assert stacked.constants["unreadable_floor"] == pytest.approx(1 - drawn.mean(), abs=0.001)


@pytest.mark.slow
def test_the_floors_follow_the_number_of_samples(evaluator, digits):
    few = Evaluator(data.workload("digits"), digits, CPU, samples=500)
    assert few.constants["kl_real_floor"] == pytest.approx(9 / 1000)
    # b (1/500 + 1/1797) and b (1/2000 + 1/1797)
    ratio = few.constants["fd_floor"] / evaluator.constants["fd_floor"]
    assert ratio == pytest.approx((1 / 500 + 1 / 1797) / (1 / 2000 + 1 / 1797), rel=1e-6)
    assert few.constants["coverage_ceiling"] < evaluator.constants["coverage_ceiling"] - 0.1


@pytest.mark.slow
def test_stacks_of_real_images_find_a_thousand_modes(stacked, digits, rng):
    drawn = torch.randint(0, len(digits.train), (12_000 * 3,), generator=rng)
    stacks = torch.from_numpy(digits.train)[drawn].reshape(12_000, 3, 32, 32)
    scores = stacked.evaluate(stacks)
    assert set(scores) == IMAGE_METRICS
    assert scores["modes"] >= 999
    assert scores["modes_5"] > 980
    assert scores["kl_real"] == pytest.approx(stacked.constants["kl_real_floor"], rel=0.15)
    assert scores["kl_uniform"] == pytest.approx(stacked.constants["kl_uniform_floor"], rel=0.15)
    assert scores["classifier_score"] == pytest.approx(stacked.constants["classifier_score_ceiling"], rel=0.1)
    assert scores["fd"] < 3 * stacked.constants["fd_bias"]
    assert scores["coverage"] == pytest.approx(1 - 2**-5, abs=0.02)


@pytest.mark.slow
def test_real_stacks_of_mnist_reach_the_floors_that_are_published(mnist_folder, tmp_path):
    arrays = data.load("stacked-mnist", mnist_folder)
    evaluator = Evaluator(data.workload("stacked-mnist"), arrays, CPU, tmp_path)
    drawn = torch.randint(0, 60_000, (26_000 * 3,), generator=torch.Generator().manual_seed(3))
    scores = evaluator.evaluate(torch.from_numpy(arrays.train)[drawn].reshape(26_000, 3, 32, 32))
    assert scores["modes"] == scores["modes_5"] == 1000
    # Of 26,000 triples of training images, by simulation: 0.0237 +- 0.0011 from uniform, 0.0194 from their frequencies.
    assert scores["kl_uniform"] == pytest.approx(0.0237, abs=0.0035)
    assert scores["kl_real"] == pytest.approx(0.0194, abs=0.0035)
    assert evaluator.constants["kl_uniform_floor"] == pytest.approx(0.0237, abs=0.0005)
    assert scores["fd"] < 3 * evaluator.constants["fd_bias"]


@pytest.mark.slow
def test_grey_stacks_find_only_the_ten_modes_of_the_diagonal(digits):
    few = Evaluator(data.workload("stacked-digits"), digits, CPU, samples=500)
    grey = torch.from_numpy(digits.train[:500]).expand(-1, 3, -1, -1)
    assert few.evaluate(grey)["modes"] == 10


def test_real_points_reach_the_floors_of_a_toy(ring):
    assert ring.primary == "sliced_w2"
    scores = ring.evaluate(torch.from_numpy(data.load("ring8").train[-10_000:]))
    assert set(scores) == {"modes", "modes_20", "high_quality", "kl_uniform", "sliced_w2"}
    assert scores["modes"] == scores["modes_20"] == 8
    assert scores["high_quality"] == pytest.approx(ring.constants["high_quality_ceiling"], abs=0.004)
    assert 0.5 < scores["sliced_w2"] / ring.constants["sliced_w2_floor"] < 2
    assert ring.constants["kl_uniform_floor"] == pytest.approx(7 / 20_000)


def test_a_collapsed_toy_is_far_away(ring):
    scores = ring.evaluate(torch.tensor([[1.0, 0.0]]).repeat(1000, 1))
    assert scores["modes"] == 1
    assert scores["kl_uniform"] == pytest.approx(math.log(8), rel=1e-6)
    # All mass at (1, 0): the mean squared distance to the ring is 2, and a direction sees half of it.
    assert scores["sliced_w2"] == pytest.approx(1.0, abs=0.01)


def test_samples_that_are_not_finite_have_no_metrics(evaluator, ring):
    points = torch.zeros(10, 2)
    points[3, 1] = math.nan
    assert set(ring.evaluate(points).items()) == {
        (name, None) for name in ("modes", "modes_20", "high_quality", "kl_uniform", "sliced_w2")
    }
    images = torch.full((4, 1, 32, 32), math.inf)
    assert evaluator.evaluate(images) == dict.fromkeys(SINGLE_IMAGE_METRICS)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (torch.zeros(10, 1, 32, 32), r"digits is evaluated on uint8 images \[N, 1, 32, 32\], not on torch.float32"),
        (torch.zeros(10, 3, 32, 32, dtype=torch.uint8), r"not on torch.uint8 \[10, 3, 32, 32\]"),
        (torch.zeros(3, 1, 32, 32, dtype=torch.uint8), r"3 samples are too few to evaluate; at least 4"),
    ],
)
def test_the_wrong_kind_of_samples_is_refused(evaluator, samples, message):
    with pytest.raises(ValueError, match=message):
        evaluator.evaluate(samples)


def test_images_are_no_points(ring):
    with pytest.raises(ValueError, match=r"ring8 is evaluated on points \[N, 2\], not on torch.uint8"):
        ring.evaluate(torch.zeros(10, 1, 32, 32, dtype=torch.uint8))


def test_measuring_is_in_full_precision_and_leaves_the_trials_precision_alone():
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(CPU):
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision("highest")
