"""What a trial leaves behind: the picture's layout, and weights that can be read back."""

import errno
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from bench import data
from bench.config.trial import Trial
from bench.networks import build_generator
from bench.training import artifacts
from bench.training.artifacts import image_grid, load_generator, save_generator, save_samples


def test_the_grid_goes_row_by_row_with_white_gaps() -> None:
    images = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1).expand(5, 1, 3, 3).contiguous()
    grid = image_grid(images, 2).squeeze(2)
    assert grid.shape == (2 + 3 * (3 + 2), 2 + 2 * (3 + 2))
    assert grid[2:5, 2:5].unique().tolist() == [0]
    assert grid[2:5, 7:10].unique().tolist() == [1]
    assert grid[7:10, 2:5].unique().tolist() == [2]
    assert grid[12:15, 2:5].unique().tolist() == [4]
    assert grid[12:15, 7:10].unique().tolist() == [255]  # there is no sixth image
    for gap in (grid[:2], grid[:, :2], grid[5:7], grid[:, 5:7]):
        assert gap.unique().tolist() == [255]


def test_colour_and_gray_pictures_are_written_at_twice_the_size(tmp_path: Path) -> None:
    for channels, mode in ((1, "L"), (3, "RGB")):
        images = torch.randint(0, 256, (70, channels, 32, 32), dtype=torch.uint8)
        save_samples(images, data.workload("digits"), tmp_path)
        picture = Image.open(tmp_path / "samples.png")
        assert (picture.mode, picture.size) == (mode, (2 * (2 + 8 * 34), 2 * (2 + 8 * 34)))
        pixels = np.asarray(picture)
        first = pixels[4 : 4 + 64 : 2, 4 : 4 + 64 : 2].reshape(32, 32, channels)
        assert np.array_equal(first, images[0].permute(1, 2, 0).numpy())


def test_points_are_drawn(tmp_path: Path) -> None:
    save_samples(torch.randn(500, 2), data.workload("ring8"), tmp_path)
    assert np.asarray(Image.open(tmp_path / "samples.png").convert("L")).std() > 5


def test_the_generators_weights_and_trial_can_be_read_back(tmp_path: Path, record, workload) -> None:
    trial = record(workload, "nsgan", 0).trial
    generator = build_generator(trial.spec.network, lambda name, shape: torch.zeros(shape))
    save_generator(generator, trial, tmp_path)
    with safe_open(tmp_path / "generator.safetensors", "pt") as file:
        assert set(file.keys()) == set(generator.state_dict())
        header = file.metadata()
    assert list(header) == ["trial"]
    said = msgspec.json.decode(header["trial"])
    assert said.pop("trial_id") == trial.id
    assert msgspec.convert(said, Trial) == trial
    read, weights = load_generator(tmp_path / "generator.safetensors")
    assert read == trial
    assert set(weights) == set(generator.state_dict())


@pytest.mark.parametrize("removable", [True, False], ids=["full", "read-only"])
def test_a_disk_that_takes_no_picture_costs_no_result(
    tmp_path: Path, record, workload, monkeypatch: pytest.MonkeyPatch, removable: bool
) -> None:
    """A disk that the system has made read-only, after an error, does not let go of the half that is there."""
    number = errno.ENOSPC if removable else errno.EROFS

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    trial = record(workload, "nsgan", 0).trial
    generator = build_generator(trial.spec.network, lambda name, shape: torch.zeros(shape))
    monkeypatch.setattr(artifacts, "save_samples", fail)
    if not removable:
        monkeypatch.setattr(Path, "unlink", fail)
    said = artifacts.keep(generator, torch.zeros(64, 1, 32, 32), trial, data.workload("digits"), tmp_path)
    assert said == f"its generator and samples could not be kept ({os.strerror(number)})"
    assert (list(tmp_path.iterdir()) == []) is removable
