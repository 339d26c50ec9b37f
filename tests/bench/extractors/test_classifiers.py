import dataclasses
import json
import shutil

import numpy as np
import pytest
import safetensors
import torch

from bench import data
from bench.extractors import train_classifier
from bench.extractors.embedding import embed
from bench.extractors.loading import WEIGHTS, load_extractor

CPU = torch.device("cpu")


def shipped(name):
    with safetensors.safe_open(WEIGHTS / f"{name}.safetensors", framework="pt") as file:
        return json.loads(file.metadata()["provenance"])


def measured_accuracy(name, arrays):
    _, logits = embed(load_extractor(name), torch.from_numpy(arrays.test), CPU)
    return (logits.argmax(1).numpy() == arrays.test_labels).mean()


def test_the_digits_classifier_is_as_good_as_it_says(digits):
    found = measured_accuracy("digits-cnn-v1", digits)
    assert found >= 0.97
    assert found == pytest.approx(shipped("digits-cnn-v1")["test_accuracy"], abs=1e-4)


@pytest.mark.slow
def test_the_mnist_classifier_is_as_good_as_it_says(mnist_folder):
    found = measured_accuracy("mnist-cnn-v1", data.load("mnist", mnist_folder))
    assert found >= 0.993
    assert found == pytest.approx(shipped("mnist-cnn-v1")["test_accuracy"], abs=1e-4)


@pytest.mark.parametrize(("name", "workload"), [("digits-cnn-v1", "digits"), ("mnist-cnn-v1", "mnist")])
def test_the_weights_say_what_they_were_made_from(name, workload):
    provenance = shipped(name)
    assert provenance["data_hash"] == data.workload(workload).content_hash
    assert provenance["torch"]
    assert (WEIGHTS / f"{name}.safetensors").stat().st_size < 2_000_000


@pytest.mark.parametrize(("name", "size"), [("digits-cnn-v1", 64), ("mnist-cnn-v1", 128)])
def test_features_and_logits_have_the_promised_shapes(name, size, rng):
    extractor = load_extractor(name)
    images = torch.randint(0, 256, (3, 1, 32, 32), dtype=torch.uint8, generator=rng)
    features, logits = extractor(images)
    assert features.shape == (3, size)
    assert logits.shape == (3, 10)
    assert features.dtype == logits.dtype == torch.float32
    assert (features >= 0).all()
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    assert not extractor.classifier.training


def test_channels_are_read_one_by_one(digits_extractor, rng):
    images = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8, generator=rng)
    features, logits = digits_extractor(images)
    assert features.shape == (5, 192)
    assert logits.shape == (5, 3, 10)
    for channel in range(3):
        alone, alone_logits = digits_extractor(images[:, channel : channel + 1])
        torch.testing.assert_close(features[:, 64 * channel : 64 * (channel + 1)], alone, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits[:, channel], alone_logits, rtol=1e-4, atol=1e-4)


def test_embedding_in_batches_gives_the_same_features(digits, digits_extractor):
    images = torch.from_numpy(digits.train[:600])
    whole, whole_logits = digits_extractor(images)
    features, logits = embed(digits_extractor, images, CPU)
    torch.testing.assert_close(features, whole, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(logits, whole_logits, rtol=1e-4, atol=1e-4)


def test_anything_but_quantised_images_is_refused(digits_extractor):
    with pytest.raises(ValueError, match=r"takes uint8 images \[N, C, 32, 32\], not torch.float32 \[2, 1, 32, 32\]"):
        digits_extractor(torch.zeros(2, 1, 32, 32))


def test_other_weights_are_refused(tmp_path):
    target = tmp_path / "digits-cnn-v1.safetensors"
    shutil.copy(WEIGHTS / target.name, target)
    target.write_bytes(target.read_bytes()[:-1] + b"\0")
    with pytest.raises(ValueError, match=r"is not the pinned file of digits-cnn-v1: SHA-256.*expected ab39f48e.*rein"):
        load_extractor("digits-cnn-v1", folder=tmp_path)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"weights of mnist-cnn-v1 cannot be read from .*reinstall"):
        load_extractor("mnist-cnn-v1", folder=tmp_path)
    with pytest.raises(ValueError, match=r"did you mean 'mnist-cnn-v1'"):
        load_extractor("mnist-cnn-v2")


@pytest.mark.slow
def test_training_a_classifier_is_deterministic_and_learns(monkeypatch, digits, tmp_path, capsys):
    monkeypatch.setitem(
        train_classifier.TRAINING_CONFIGS,
        "digits",
        dataclasses.replace(train_classifier.TRAINING_CONFIGS["digits"], epochs=2),
    )
    contents = []
    for attempt in range(2):
        train_classifier.main(["digits", "--out", str(tmp_path / str(attempt))])
        contents.append((tmp_path / str(attempt) / "digits-cnn-v1.safetensors").read_bytes())
    torch.use_deterministic_algorithms(False)
    assert contents[0] == contents[1]
    assert "test accuracy" in capsys.readouterr().out
    metadata = json.loads(contents[0][8 : 8 + int(np.frombuffer(contents[0][:8], "<u8")[0])])["__metadata__"]
    assert json.loads(metadata["provenance"])["test_accuracy"] > 0.7
