"""Real images beside samples: the grid that trials leave, of data that is here, and nothing is fetched for it."""

import io

import numpy as np
import pytest
import torch
from idx_files import write_tiny_files
from PIL import Image
from planted_records import make_workload, planted_record

from bench import data
from bench.report.real_images import picture, real_pictures
from bench.training.artifacts import save_picture


def on(*names, content_hash="0" * 64):
    """Records of runs on these workloads, one of each."""
    return [planted_record(make_workload(name, content_hash=content_hash)) for name in names]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_grid_is_that_of_samples(channels, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (64, channels, 32, 32), dtype=np.uint8)
    save_picture(torch.from_numpy(images), data.workload("digits"), tmp_path / "samples.png")
    ours, theirs = (np.asarray(Image.open(file)) for file in (io.BytesIO(picture(images)), tmp_path / "samples.png"))
    assert ours.shape == theirs.shape
    assert (ours == theirs).all()


def test_the_first_real_digits_are_shown():
    (shown,) = real_pictures(on("digits")).values()
    found = np.asarray(Image.open(io.BytesIO(shown)))
    first = data.load("digits").train[0, 0]
    assert (found[4:68:2, 4:68:2] == first).all()


def test_what_is_not_here_or_has_no_images_is_left_out(tmp_path, monkeypatch):
    monkeypatch.delenv("GAN_LOSS_BENCH_OFFLINE")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("something was fetched"))
    assert data.lacking("mnist", tmp_path)
    assert data.lacking("digits", tmp_path) == ""
    assert list(real_pictures(on("ring8", "stacked-digits", "mnist", "digits"), tmp_path)) == ["digits"]


def test_files_that_cannot_be_read_leave_the_page_without_a_picture(tmp_path):
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (tmp_path / "MNIST" / "raw" / f"{name}.gz").write_bytes(b"no digits")
        (tmp_path / "MNIST" / "raw" / name).write_bytes(b"no digits")
    assert data.lacking("mnist", tmp_path) == ""
    assert real_pictures(on("mnist"), tmp_path) == {}


def test_what_the_runs_were_not_trained_on_is_not_shown_as_what_they_are_held_against(tmp_path):
    write_tiny_files(tmp_path / "FashionMNIST" / "raw")
    there = on("fashion-mnist", content_hash=data.load("fashion-mnist", tmp_path).content_hash)
    before = on("fashion-mnist", content_hash="f" * 64)
    assert list(real_pictures(there, tmp_path)) == ["fashion-mnist"]
    assert real_pictures(before, tmp_path) == {}
    both = [*on("digits"), *on("digits", content_hash="f" * 64)]
    assert real_pictures(both, tmp_path) == {}, "one heading has the samples of both"
