import dataclasses
from itertools import pairwise

import msgspec
import numpy as np
import pytest
import torch

from bench import data
from bench.data import polygons
from bench.extractors import random_convolutions
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.extractors.specs import extractor_component, extractor_spec
from bench.metrics.evaluate import Evaluator
from bench.metrics.frechet import frechet_distance, moments, square_root

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    return load_extractor("random-conv-v1")


def test_any_size_and_both_kinds_of_image_give_128_features_and_no_logits(network, rng):
    for shape in ((5, 3, 32, 32), (5, 3, 64, 64), (5, 1, 32, 32)):
        features, logits = network(torch.randint(0, 256, shape, dtype=torch.uint8, generator=rng))
        assert features.shape == (5, 128)
        assert features.dtype == torch.float32
        assert logits.shape == (5, 0)


def test_a_grey_image_is_read_as_three_equal_channels(network, rng):
    grey = torch.randint(0, 256, (5, 1, 32, 32), dtype=torch.uint8, generator=rng)
    torch.testing.assert_close(network(grey)[0], network(grey.expand(-1, 3, -1, -1))[0])


def test_anything_else_is_refused(network):
    with pytest.raises(ValueError, match=r"takes uint8 images \[N, 1 or 3, H, W\], not torch.uint8 \[2, 2, 32, 32\]"):
        network(torch.zeros(2, 2, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"torch\.float32"):
        network(torch.zeros(2, 3, 32, 32))


def test_weights_are_centred_scaled_and_each_layers_own():
    drawn = random_convolutions.weights("first", (500, 3, 5, 5)).reshape(500, 75)
    assert np.abs(drawn.mean(1)).max() < 1e-7
    # Removing the mean takes one of 75 degrees of freedom.
    assert drawn.var() == pytest.approx(2 / 75 * 74 / 75, rel=0.02)
    assert np.abs(drawn).max() < np.sqrt(2 / 75 * 12)
    other = random_convolutions.weights("second", (500, 3, 5, 5)).reshape(500, 75)
    assert abs(np.corrcoef(drawn.ravel(), other.ravel())[0, 1]) < 0.03


def test_features_are_those_of_a_plain_computation(network, rng):
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=rng)
    first, second, third, mixing = (
        network.get_buffer(name).double() for name in ("first", "second", "third", "mixing")
    )

    def convolved(value, kernel, stride, padding):
        patches = torch.nn.functional.unfold(value, kernel.shape[2:], stride=stride, padding=padding)
        side = int(patches.shape[2] ** 0.5)
        return (kernel.flatten(1) @ patches).clamp(min=0).reshape(1, len(kernel), side, side)

    hidden = convolved(image.double() / 127.5 - 1, first, 2, 2)
    hidden = convolved(hidden, second, 1, 1)
    hidden = hidden.reshape(1, 64, 8, 2, 8, 2).mean((3, 5))
    hidden = convolved(hidden, third, 1, 1).reshape(1, 128, 4, 2, 4, 2).mean((3, 5))
    expected = 10 * hidden.flatten(1) @ mixing.T
    torch.testing.assert_close(network(image)[0].double(), expected, rtol=1e-4, atol=1e-4)


def test_other_weights_are_refused(monkeypatch):
    pin = dataclasses.replace(extractor_spec("random-conv-v1"), sha256="0" * 64)
    with pytest.raises(ValueError, match=r"are not the pinned ones: SHA-256 445f9f59f089.*expected 000000000000"):
        random_convolutions.RandomConvolutions(pin)
    assert extractor_component("random-conv-v1") == "random-conv-v1:445f9f59f089"


@pytest.mark.slow
def test_the_distance_grows_with_every_damage_that_it_is_said_to_see(network, unpack_jpegs, tmp_path):
    arrays = data.load(f"imagefolder:{unpack_jpegs('test')}", tmp_path)
    images = torch.from_numpy(np.concatenate([arrays.train, arrays.test]))
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    reals, others = images[order[:5000]], images[order[5000:]]
    fitted = moments(embed(network, reals, CPU)[0])
    root = square_root(fitted.covariance)

    def distance(changed):
        quantised = changed.round().clamp(0, 255).to(torch.uint8)
        return frechet_distance(fitted, root, moments(embed(network, quantised, CPU)[0]))

    plain = others.float()
    noise = torch.randn(plain.shape, generator=torch.Generator().manual_seed(0))
    blurred = {side: torch.nn.functional.avg_pool2d(plain, side) for side in (2, 4)}
    enlarged = {side: small.repeat_interleave(side, 2).repeat_interleave(side, 3) for side, small in blurred.items()}
    floor = distance(plain)
    for damages in (
        [plain + 16 * noise, plain + 32 * noise, plain + 64 * noise],
        [enlarged[2], enlarged[4]],
        [plain.mean(1, keepdim=True).expand(-1, 3, -1, -1)],
        [torch.cat([plain[:, :, 16:], plain[:, :, :16]], 2)],
        [plain[:50].repeat(100, 1, 1, 1)],
    ):
        found = [floor, *(distance(each) for each in damages)]
        assert all(low * 1.5 < high for low, high in pairwise(found)), found


@pytest.mark.slow
def test_a_workload_without_classes_counts_no_modes(tmp_path, rng):
    workload = msgspec.structs.replace(data.workload("polygons"), samples=300)
    drawn = polygons.draw(polygons.triangles("test", 1200))
    labels = np.zeros(1200, dtype=np.int64)
    few = data.Arrays(train=drawn[:600], train_labels=labels[:600], test=drawn[600:900], test_labels=labels[600:900])
    evaluator = Evaluator(workload, few, CPU, tmp_path)
    of_classes = ("modes", "kl_", "unreadable", "classifier")
    assert {"fd_floor", "fd_bias", "coverage_ceiling"} <= set(evaluator.constants)
    assert not [name for name in evaluator.constants if name.startswith(of_classes)]
    noise = torch.randint(0, 256, (300, 1, 32, 32), dtype=torch.uint8, generator=rng)
    scores = evaluator.evaluate(noise)
    assert {"fd", "fd_test", "kid", "precision", "recall", "density", "coverage", "authentic"} <= set(scores)
    assert not [name for name in scores if name.startswith(of_classes)]
    real = evaluator.evaluate(torch.from_numpy(drawn[900:]))
    assert real["fd"] < scores["fd"] / 10
    assert real["coverage"] > 0.6 > 0.1 > scores["coverage"]
