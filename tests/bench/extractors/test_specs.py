import pytest

from bench import data
from bench.extractors import specs


def test_a_component_names_the_extractor_and_its_weights():
    name, version = specs.extractor_component("digits-cnn-v1").split(":")
    assert name == "digits-cnn-v1"
    assert specs.EXTRACTORS[name].sha256.startswith(version)
    assert len(version) == 12


def test_an_unknown_extractor_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown extractor 'digit-cnn-v1' \(did you mean 'digits-cnn-v1'\?\)"):
        specs.extractor_component("digit-cnn-v1")


def test_every_workload_of_images_has_a_pinned_extractor():
    used = {data.workload(name).extractor for name in data.names()} - {None}
    assert used | {specs.IMAGENET} == set(specs.EXTRACTORS)


def test_a_component_says_what_is_measured_in_what():
    assert specs.extractor_names("") == []
    assert specs.extractor_names("digits-cnn-v1:ab39f48ed4b5") == ["digits-cnn-v1"]
    assert specs.extractor_names("efficientnet-lite0-p128:579344248a93+cifar10-cnn-v1:untrained") == [
        "efficientnet-lite0-p128",
        "cifar10-cnn-v1",
    ]
