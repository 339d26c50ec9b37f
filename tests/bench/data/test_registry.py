import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from bench import data
from bench.data.registry import verify


def test_a_folder_in_place_of_a_workload_is_told_what_to_write(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my photos").mkdir()
    with pytest.raises(ValueError, match=r"for the images in the folder of that name write 'imagefolder:my photos'$"):
        data.workload("my photos")
    with pytest.raises(ValueError, match=r"unknown workload 'my pictures'.*; there are digits"):
        data.workload("my pictures")


def test_the_workloads_are_those_of_the_protocol():
    no_download = ["digits", "stacked-digits", "ring8", "grid25", "polygons"]
    assert data.names() == [*no_download, "celeba64", "cifar10", "fashion-mnist", "mnist", "stacked-mnist"]


@pytest.mark.parametrize(
    ("name", "network", "width", "latent_size", "steps", "evaluate_every", "samples", "modes", "channels", "stack"),
    [
        ("digits", "dcgan-v2", 32, 100, 3000, 500, 2000, 10, 1, 1),
        ("stacked-digits", "dcgan-v2", 32, 100, 3000, 500, 26_000, 1000, 3, 3),
        ("ring8", "mlp-v1", 128, 2, 20_000, 2500, 10_000, 8, 2, 1),
        ("grid25", "mlp-v1", 128, 2, 20_000, 2500, 10_000, 25, 2, 1),
        ("mnist", "dcgan-v2", 64, 100, 20_000, 1000, 10_000, 10, 1, 1),
        ("stacked-mnist", "dcgan-v2", 64, 100, 20_000, 1000, 26_000, 1000, 3, 3),
        ("fashion-mnist", "dcgan-v2", 64, 100, 20_000, 1000, 10_000, 10, 1, 1),
        ("polygons", "dcgan-v2", 64, 100, 20_000, 1000, 10_000, 0, 1, 1),
        ("cifar10", "dcgan-v2", 64, 100, 50_000, 2500, 10_000, 10, 3, 1),
        ("celeba64", "dcgan-v2", 64, 100, 50_000, 2500, 10_000, 0, 3, 1),
        ("imagefolder:/x?size=64", "dcgan-v2", 64, 100, 50_000, 2500, 0, 0, 3, 1),
    ],
)
def test_a_workload_is_frozen_as_the_protocol_has_it(
    name, network, width, latent_size, steps, evaluate_every, samples, modes, channels, stack
):
    found = data.workload(name)
    assert found.name == name
    assert (found.network, found.width, found.latent_size) == (network, width, latent_size)
    assert (found.steps, found.evaluate_every, found.samples) == (steps, evaluate_every, samples)
    assert (found.modes, found.channels, found.stack) == (modes, channels, stack)
    unpinned = name in ("fashion-mnist", "cifar10", "celeba64") or ":" in name
    assert len(found.content_hash) == (0 if unpinned else 64)
    assert found.image_size == (1 if found.is_toy else 64 if "64" in name else 32)
    assert found.is_toy == (found.extractor is None)


def test_only_workloads_with_a_distance_in_pixels_are_scored_by_it():
    by_modes = {name for name in data.names() if data.workload(name).scored_by == "modes"}
    assert by_modes == {"stacked-digits", "ring8", "grid25", "stacked-mnist"}


def test_an_unknown_workload_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown workload 'digit' \(did you mean 'digits'\?\).*stacked-digits"):
        data.workload("digit")
    with pytest.raises(ValueError, match=r"did you mean 'mnist'"):
        data.load("mnsit", None)
    with pytest.raises(ValueError, match=r"did you mean 'imagefolder:PATH\[\?size=64\]'"):
        data.workload("imagefoldr:/photos")
    with pytest.raises(ValueError, match=r"did you mean 'imagefolder:PATH\[\?size=64\]'"):
        data.workload("imagefolder")


def test_importing_and_listing_needs_no_heavy_package():
    code = (
        "import sys, bench.data, bench.extractors.specs, bench.metrics.catalogue; bench.data.names();"
        "print([m for m in ('torch', 'torchvision', 'numpy', 'sklearn', 'scipy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_changed_data_are_refused():
    arrays = data.load("digits")
    changed = arrays.test.copy()
    changed[0, 0, 0, 0] ^= 1
    with pytest.raises(data.DataError, match=r"'digits' is not the data it pins.*expected 9bfdd6fc"):
        verify(data.workload("digits"), dataclasses.replace(arrays, test=changed))


def test_a_pinned_workload_is_resolved_without_reading_anything(tmp_path):
    assert data.resolve("mnist", tmp_path / "nothing", fetch=False) == data.workload("mnist")


def test_an_unpinned_workload_is_not_planned_before_its_data_is_there(tmp_path):
    with pytest.raises(
        data.DataError, match=r"on cifar10 are identified by its data, which is not in .*`prepare cifar10"
    ):
        data.resolve("cifar10", tmp_path, fetch=False)
    assert not any(tmp_path.iterdir())


def test_the_content_hash_covers_every_array_and_its_type():
    arrays = data.load("ring8")
    hashes = {
        data.content_hash(arrays),
        data.content_hash(dataclasses.replace(arrays, train_labels=arrays.train_labels[::-1])),
        data.content_hash(dataclasses.replace(arrays, test=arrays.train[: len(arrays.test)])),
        data.content_hash(dataclasses.replace(arrays, test=arrays.test.astype("float64"))),
        data.content_hash(dataclasses.replace(arrays, test=arrays.test.reshape(2, -1))),
    }
    assert len(hashes) == 5


def test_the_content_hash_is_that_of_values_not_of_memory_layout():
    arrays = data.load("digits")
    rearranged = dataclasses.replace(
        arrays, train=arrays.train.copy(order="F"), train_labels=arrays.train_labels.astype(">i8")
    )
    assert data.content_hash(rearranged) == data.content_hash(arrays)


def test_the_data_folder_is_the_variable_else_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GAN_LOSS_BENCH_DATA", str(tmp_path))
    assert data.default_data_dir() == tmp_path
    monkeypatch.delenv("GAN_LOSS_BENCH_DATA")
    assert data.default_data_dir() == Path.home() / ".cache" / "gan-loss-bench" / "data"
