"""Classifiers that are trained where they are needed: once, reproducibly, whole or not at all."""

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from slow_cases import mostly_slow, sampled
from small_classifiers import CIFAR10, FASHION, stripes

from bench import data
from bench.extractors import classifier_store, on_demand
from bench.extractors.classifier_store import weights_path
from bench.extractors.embedding import embed
from bench.extractors.loading import load_extractor
from bench.extractors.on_demand import ensure
from bench.extractors.training_configs import TRAINING_CONFIGS
from bench.metrics.evaluate import Evaluator

CPU = torch.device("cpu")
NAME = "fashion-cnn-v1"


@pytest.fixture(scope="module")
def arrays():
    return stripes()


@pytest.fixture(scope="module")
def written(arrays, tmp_path_factory) -> bytes:
    """The file of a classifier that was trained once for this module."""
    folder = tmp_path_factory.mktemp("written")
    ensure(NAME, arrays, cache_dir=folder, config=FASHION)
    return weights_path(NAME, arrays.content_hash, cache_dir=folder, config=FASHION).read_bytes()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TRAINING_CONFIGS, "fashion-mnist", FASHION)
    return tmp_path / "cache"


@pytest.fixture
def kept(cache, arrays, written) -> Path:
    """The file of that classifier, in the cache."""
    path = weights_path(NAME, arrays.content_hash)
    path.parent.mkdir(parents=True)
    path.write_bytes(written)
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.slow
def test_training_twice_gives_the_same_file(cache, arrays, written):
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)
    torch.manual_seed(99)
    state = torch.get_rng_state()
    made = ensure(NAME, arrays)
    path = weights_path(NAME, arrays.content_hash)
    assert path.read_bytes() == written
    assert files(cache) == [path.name]
    assert path.parent == cache / "extractors"
    assert made.component == f"{NAME}:{made.provenance.sha256[:12]}"
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (2, False), "left as it was"
    assert torch.equal(torch.get_rng_state(), state)
    torch.set_num_threads(1)


@pytest.mark.slow
def test_the_accuracy_is_what_the_loaded_classifier_reaches(kept, arrays):
    known = classifier_store.identity_of(NAME, arrays.content_hash)
    extractor = load_extractor(NAME, data_hash=arrays.content_hash)
    features, logits = embed(extractor, torch.from_numpy(arrays.test), CPU)
    found = (logits.argmax(1).numpy() == arrays.test_labels).mean()
    assert found > 0.8
    assert known.accuracy == pytest.approx(found, abs=1e-4)
    assert features.shape == (120, 128)


def test_the_second_time_nothing_is_trained(kept, arrays, monkeypatch):
    monkeypatch.setattr(on_demand, "train", lambda *_, **__: pytest.fail("trained again"))
    ensure(NAME, arrays, on_progress=lambda *_: pytest.fail("there is nothing to tell"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    sampled(
        [
            (lambda content: content[: len(content) // 2], "is damaged"),
            (lambda content: b"", "is damaged"),
            (lambda content: content.replace(b'accuracy\\":', b'accuracy\\":0', 1), "is damaged"),
            (lambda content: content[:-1] + bytes([content[-1] ^ 1]), "the weights have changed"),
            (
                lambda content: content.replace(b'threads\\":1', b'threads\\":2', 1),
                "written about the weights has changed",
            ),
        ],
        every=5,
    ),
)
def test_a_broken_file_is_noticed_and_the_classifier_trained_again(kept, arrays, caplog, damage, reason):
    whole = kept.read_bytes()
    assert damage(whole) != whole
    kept.write_bytes(damage(whole))
    assert classifier_store.identity_of(NAME, arrays.content_hash) is None
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        ensure(NAME, arrays)
    assert reason in caplog.text
    assert len(caplog.records) == 1
    assert kept.read_bytes() == whole


def test_the_key_is_the_content_of_data_and_training_config(arrays):
    key = FASHION.key(arrays.content_hash)
    assert key == dataclasses.replace(FASHION, minutes=99.0).key(arrays.content_hash)
    others = [dataclasses.replace(FASHION, epochs=5), dataclasses.replace(FASHION, threads=2)]
    keys = {key, FASHION.key("0" * 64), *(config.key(arrays.content_hash) for config in others)}
    assert len(keys) == 4


@pytest.mark.slow
@pytest.mark.parametrize("error", mostly_slow([KeyboardInterrupt, RuntimeError], fast=[KeyboardInterrupt]))
def test_what_interrupts_training_leaves_nothing_half_done(cache, arrays, error):
    told = []

    def interrupt(name, done, total):
        told.append((name, done, total))
        if done == 10:
            raise error

    with pytest.raises(error):
        ensure(NAME, arrays, interrupt)
    assert [done for _, done, _ in told] == list(range(11))
    assert told[-1][2] == 2 * 512 // 32
    assert told[-1][0].startswith(f"training {NAME}")
    assert files(cache) == []
    assert classifier_store.identity_of(NAME, arrays.content_hash) is None
    ensure(NAME, arrays)
    assert classifier_store.identity_of(NAME, arrays.content_hash) is not None


_PROCESS = """
import pathlib, sys
from small_classifiers import FASHION, stripes
from bench.extractors.on_demand import ensure
batches = []
made = ensure("fashion-cnn-v1", stripes(), lambda *told: batches.append(told), cache_dir=pathlib.Path(sys.argv[1]),
              config=FASHION)
print(len(batches), made.component)
"""


@pytest.mark.slow  # data/test_cache.py has two processes and the same lock
def test_two_processes_train_once(tmp_path):
    root = Path(__file__).parents[3]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": f"{root}:{root / 'tests' / 'helpers'}", "OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]
    told, components = zip(*(process.communicate(timeout=120)[0].split() for process in running), strict=True)
    assert sorted(map(int, told)) == [0, 2 * 512 // 32 + 1]
    assert len(set(components)) == 1
    assert len(files(tmp_path)) == 1


def test_a_cache_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path, arrays, monkeypatch):
    monkeypatch.setattr(on_demand, "train", lambda *_, **__: pytest.fail("trained in vain"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"cannot be kept in .*name a folder that can be written with \$GAN_LOSS"):
        ensure(NAME, arrays, cache_dir=tmp_path / "file", config=FASHION)


def test_a_classifier_that_is_not_trained_yet_is_named_with_the_mend(cache, arrays):
    with pytest.raises(ValueError, match=r"fashion-cnn-v1 is not trained .*: python -m bench prepare fashion-mnist"):
        load_extractor(NAME, data_hash=arrays.content_hash)


@pytest.mark.slow
def test_colours_are_read_together(tmp_path, rng, monkeypatch):
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path))
    monkeypatch.setitem(TRAINING_CONFIGS, "cifar10", CIFAR10)
    arrays = stripes(channels=3)
    ensure("cifar10-cnn-v1", arrays)
    extractor = load_extractor("cifar10-cnn-v1", data_hash=arrays.content_hash)
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=rng)
    features, logits = extractor(images)
    assert features.shape == (4, 128)
    assert logits.shape == (4, 10)
    assert not torch.allclose(features, extractor(images.flip(1))[0], rtol=0.01)
    with pytest.raises(ValueError, match="an extractor of 3 channels cannot read images of 1"):
        extractor(images[:, :1])


def test_an_evaluation_takes_the_classifier_that_was_planned_or_none(kept, arrays):
    workload = data.workload("fashion-mnist")
    planned = classifier_store.identity_of(NAME, arrays.content_hash)
    evaluator = Evaluator(workload, arrays, CPU, extractor=planned.component)
    assert evaluator.constants["extractor_accuracy"] == planned.accuracy
    scores = evaluator.evaluate(torch.from_numpy(arrays.test))
    assert scores["modes"] == 10
    assert scores["fd_test"] == pytest.approx(0.0, abs=1e-3)
    with pytest.raises(ValueError, match=r"has changed since the trial was planned: it is .*, planned was .*untrained"):
        Evaluator(workload, arrays, CPU, extractor=f"{NAME}:untrained")


@pytest.mark.parametrize(
    ("workload", "accuracy"), mostly_slow([("digits", 0.9972), ("stacked-digits", 0.9972)], fast=["digits"])
)
def test_shipped_classifiers_have_their_accuracy_pinned(workload, accuracy, digits):
    assert Evaluator(data.workload(workload), digits, CPU).constants["extractor_accuracy"] == accuracy
