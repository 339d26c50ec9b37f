import gzip
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from sklearn.datasets import load_digits

from bench import data
from bench.data.digits import prepare


@pytest.fixture(scope="module")
def digits():
    return data.load("digits")


def test_the_split_is_four_to_one_and_covers_every_image(digits):
    assert digits.train.shape == (1438, 1, 32, 32)
    assert digits.test.shape == (359, 1, 32, 32)
    assert digits.train.dtype == digits.test.dtype == np.uint8
    assert digits.train_labels.dtype == np.int64
    labels = load_digits().target
    np.testing.assert_array_equal(digits.test_labels, labels[4::5])
    np.testing.assert_array_equal(digits.train_labels, np.delete(labels, np.s_[4::5]))


def test_enlarging_is_bilinear_with_half_pixel_centres():
    levels = load_digits().images[:50].astype(np.int64)
    pixels = torch.from_numpy(np.floor(levels * 255 / 16 + 0.5))[:, None]
    expected = torch.nn.functional.interpolate(pixels, scale_factor=4, mode="bilinear", align_corners=False).numpy()
    # Rounding to whole pixel values is all that may differ.
    assert np.abs(prepare(levels) - expected).max() == pytest.approx(0.5, abs=1e-9)
    assert np.abs(prepare(levels) - expected).mean() < 0.3


def test_the_full_range_of_grey_is_used(digits):
    assert digits.train.min() == 0
    assert digits.train.max() == 255


def test_stacked_digits_are_made_of_the_same_single_digits(digits):
    stacked = data.load("stacked-digits")
    np.testing.assert_array_equal(stacked.train, digits.train)
    assert data.workload("stacked-digits").content_hash == data.workload("digits").content_hash


def test_a_missing_scikit_learn_is_a_clear_error(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(data.DataError, match="scikit-learn, which is not installed; install it with"):
        data.load("digits")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda whole: whole[:5000], id="cut short"),
        pytest.param(lambda whole: whole[:2000] + b"\xff\xff\xff" + whole[2003:], id="changed"),
        pytest.param(lambda whole: b"<html>", id="another"),
        pytest.param(lambda whole: gzip.compress(b"1,2\n3,4\n"), id="a narrow table"),
    ],
)
def test_a_damaged_scikit_learn_is_a_clear_error(monkeypatch, tmp_path, content):
    (whole,) = (Path(sklearn.__file__).parent / "datasets" / "data").glob("digits.csv.gz")
    file = tmp_path / "sklearn" / "datasets" / "data" / whole.name
    file.parent.mkdir(parents=True)
    file.write_bytes(content(whole.read_bytes()))
    broken = ModuleSpec("sklearn", None, origin=str(tmp_path / "sklearn" / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: broken)
    with pytest.raises(data.DataError, match=r"scikit-learn, which has a damaged file .*digits.csv.gz .*install it"):
        data.load("digits")
