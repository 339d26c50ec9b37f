import dataclasses
import math
import sys

import msgspec
import pytest
import torch

from bench import data
from bench.extractors import specs
from bench.metrics import measures, registry
from bench.metrics.catalogue import CATALOGUE
from bench.metrics.evaluate import Evaluator
from bench.metrics.registry import applicable, encode_index, index_path, metric, offers, registered

CPU = torch.device("cpu")
OF_THE_EXTRACTOR = "extractor_accuracy"
"""The one constant that says nothing about a metric, but about that in which all of them are measured."""


@pytest.fixture
def open_registry(monkeypatch):
    """A registry that forgets at the end of the test what was added."""
    registered()
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
    yield
    registry._discover.cache_clear()
    sys.modules.pop("bench.metrics.measures.spread", None)


def test_the_file_of_descriptions_has_not_drifted():
    assert index_path().read_bytes() == encode_index(), "run: make index"
    assert {metric.about.name: metric.about for metric in registered()} == CATALOGUE


def test_every_metric_is_described():
    for about in CATALOGUE.values():
        assert about.title, about.name
        assert about.summary[0].isupper(), about.name
        assert not about.summary.endswith("."), about.name
        assert about.version, about.name


def test_what_stands_beside_a_metric_is_neither_better_nor_worse():
    beside = [each for name, each in CATALOGUE.items() if name.endswith(("_floor", "_ceiling", "_bias", "_init"))]
    constants = {each.name for each in CATALOGUE.values() if each.kind == "constant"}
    assert constants - {each.name for each in beside} == {OF_THE_EXTRACTOR}
    assert all(each.higher_is_better is None for each in beside)
    neither = {each.name for each in CATALOGUE.values() if each.kind == "measured" and each.higher_is_better is None}
    assert neither == {"fd_gap", "neighbour_ratio"}


def test_every_constant_stands_beside_a_metric():
    for about in CATALOGUE.values():
        if about.kind == "constant" and about.name != OF_THE_EXTRACTOR:
            assert about.name.rsplit("_", 1)[0] in CATALOGUE


@pytest.mark.parametrize("name", ["digits", "ring8"])
def test_numbers_lie_within_their_bounds(name, digits, rng):
    arrays = digits if name == "digits" else data.load(name)
    evaluator = Evaluator(data.workload(name), arrays, CPU)
    far = torch.randint(0, 256, (50, 1, 32, 32), dtype=torch.uint8, generator=rng)
    if name == "ring8":
        far = 3.0 * torch.randn(50, 2, generator=rng)
    for samples in (far, far[:1].repeat(20, *[1] * (far.ndim - 1)), torch.from_numpy(arrays.test)):
        for key, value in {**evaluator.constants, **evaluator.evaluate(samples)}.items():
            low, high = CATALOGUE[key].bounds
            if value is not None:
                assert (-math.inf if low is None else low) - 1e-9 <= value <= (math.inf if high is None else high), key


def test_a_workload_has_the_metrics_whose_needs_it_meets(monkeypatch):
    def names(workload):
        return {metric.about.name for kind in ("measured", "constant") for metric in applicable(workload, kind)}

    digits, stacked, ring = (names(data.workload(name)) for name in ("digits", "stacked-digits", "ring8"))
    assert digits - stacked == {"neighbour_ratio", "authentic", "authentic_ceiling"}
    assert stacked <= digits
    assert digits & ring == {"modes", "kl_uniform", "kl_uniform_floor"}
    # Features of an extractor that knows no classes have distances and neighbours, and neither modes nor confidence.
    classless = dataclasses.replace(specs.extractor_spec("digits-cnn-v1"), classes=0)
    monkeypatch.setattr(registry, "extractor_spec", lambda _: classless)
    assert offers(data.workload("digits")) == {"features", "train", "test", "training_images"}
    left = names(data.workload("digits"))
    assert {"fd", "kid", "precision", "coverage", "authentic"} <= left
    assert not left & {"modes", "kl_real", "kl_uniform", "unreadable", "classifier_score"}


_NEW_METRIC = '''
"""A metric of its own."""

from bench.metrics.registry import metric
from bench.metrics.samples import PointSamples


@metric("spread", needs=("points",), higher_is_better=None, bounds=(0.0, None))
def spread(samples: PointSamples) -> float:
    """Standard deviation of all coordinates."""
    return samples.points.std().item()
'''


def test_a_new_metric_is_one_new_file(open_registry, monkeypatch, tmp_path):
    (tmp_path / "spread.py").write_text(_NEW_METRIC)
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path)])
    registry._discover.cache_clear()
    points = torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    scores = Evaluator(data.workload("ring8"), data.load("ring8"), CPU).evaluate(points)
    assert scores["spread"] == pytest.approx(math.sqrt(4 / 3))
    described = {each["name"]: each for each in msgspec.json.decode(encode_index())}
    assert described["spread"]["summary"] == "Standard deviation of all coordinates"


def test_a_name_that_is_taken_is_refused(open_registry):
    def fd(samples):
        """Another one."""

    with pytest.raises(ValueError, match=r"two metrics called 'fd': give one of them another name"):
        metric("FD", needs=(), higher_is_better=None)(fd)


def test_a_metric_without_a_summary_is_refused(open_registry):
    def silent(samples):
        return 0.0

    with pytest.raises(ValueError, match=r"'silent' has no summary: begin its docstring"):
        metric("silent", needs=(), higher_is_better=None)(silent)
