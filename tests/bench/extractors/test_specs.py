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
    assert used == set(specs.EXTRACTORS)
