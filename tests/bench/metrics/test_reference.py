import dataclasses
import logging

import msgspec
import pytest
import torch

from bench import data
from bench.metrics import reference
from bench.metrics.frechet import frechet_distance, moments
from bench.metrics.reference import Reference, build, cache_path, load_or_build

CPU = torch.device("cpu")
DIGITS = data.workload("digits")


def assert_same(first: Reference, second: Reference) -> None:
    for field in dataclasses.fields(Reference):
        torch.testing.assert_close(getattr(first, field.name), getattr(second, field.name), rtol=0, atol=0)


@pytest.fixture(scope="module")
def built(digits, digits_extractor):
    return build(DIGITS, digits, digits_extractor, CPU, 2000)


def test_small_data_lend_both_parts_to_the_reference(built):
    assert built.count == 1797
    assert built.features.shape == (1797, 64)
    torch.testing.assert_close(moments(built.features).covariance, built.covariance, rtol=1e-6, atol=1e-6)


def test_the_parts_have_a_distance(built, digits, digits_extractor):
    train, test = (moments(digits_extractor(torch.from_numpy(x))[0]) for x in (digits.train, digits.test))
    expected = frechet_distance(test, built.test_root, train)
    assert built.between.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_a_stacks_reference_is_drawn_from_the_training_part(digits, digits_extractor):
    found = build(data.workload("stacked-digits"), digits, digits_extractor, CPU, 26_000)
    assert found.count == 26_000
    assert found.mean.shape == (192,)
    assert found.features.shape == (10_000, 192)
    assert found.frequencies.shape == (1000,)
    single = moments(digits_extractor(torch.from_numpy(digits.train))[0])
    # Channels are independent draws of the same images.
    blocks = found.covariance.reshape(3, 64, 3, 64)
    for channel in range(3):
        within = blocks[channel, :, channel]
        assert (within - single.covariance).norm() < 0.03 * single.covariance.norm()
    assert blocks[0, :, 1].norm() < 0.03 * single.covariance.norm()


def test_the_cache_gives_back_what_was_built(tmp_path, built, digits, digits_extractor, monkeypatch):
    assert_same(load_or_build(DIGITS, digits, digits_extractor, CPU, tmp_path, 2000), built)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    monkeypatch.setattr(reference, "build", lambda *_: pytest.fail("built again"))
    assert_same(load_or_build(DIGITS, digits, digits_extractor, CPU, tmp_path, 2000), built)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[: len(content) // 2], "cannot be read"),
        pytest.param(lambda content: b"", "cannot be read", marks=pytest.mark.slow),
        pytest.param(lambda content: content[:-1] + bytes([content[-1] ^ 1]), "is damaged", marks=pytest.mark.slow),
    ],
)
def test_a_broken_cache_is_noticed_and_built_again(tmp_path, built, digits, digits_extractor, caplog, damage, reason):
    load_or_build(DIGITS, digits, digits_extractor, CPU, tmp_path, 2000)
    path = cache_path(DIGITS, digits, CPU, tmp_path, 2000)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with caplog.at_level(logging.WARNING):
        assert_same(load_or_build(DIGITS, digits, digits_extractor, CPU, tmp_path, 2000), built)
    assert reason in caplog.text
    assert path.read_bytes() == whole


def test_the_cache_is_keyed_by_content(tmp_path, digits, monkeypatch):
    def path(workload=DIGITS, arrays=digits, device=CPU, count=2000):
        return cache_path(workload, arrays, device, tmp_path, count)

    paths = {path()}
    assert path() in paths
    paths.add(path(arrays=dataclasses.replace(digits, train=digits.train[::-1].copy())))
    paths.add(path(workload=msgspec.structs.replace(DIGITS, stack=3)))
    paths.add(path(workload=msgspec.structs.replace(DIGITS, extractor="mnist-cnn-v1")))
    for model in ("an H200", "an A100"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _, model=model: model)
        paths.add(path(device=torch.device("cuda")))
    paths.add(path(count=1000))
    monkeypatch.setattr(reference, "METRICS_VERSION", "another")
    paths.add(path())
    assert len(paths) == 8


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, built, digits, digits_extractor, caplog):
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        assert_same(load_or_build(DIGITS, digits, digits_extractor, CPU, tmp_path / "file", 2000), built)
    assert "cannot be kept" in caplog.text


def test_the_cache_folder_is_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_LOSS_BENCH_CACHE", str(tmp_path))
    assert reference.default_cache_dir() == tmp_path
