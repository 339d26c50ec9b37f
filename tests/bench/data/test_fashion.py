import numpy as np
import pytest
from idx_files import NAMES, idx, write_tiny_files

from bench import data


def test_the_files_are_read_from_torchvisions_folder(tmp_path):
    write_tiny_files(tmp_path / "FashionMNIST" / "raw")
    arrays = data.load("fashion-mnist", tmp_path)
    assert arrays.train.shape == arrays.test.shape == (6, 1, 32, 32)
    resolved = data.resolve("fashion-mnist", tmp_path, fetch=False)
    assert resolved.content_hash == arrays.content_hash
    assert data.workload("fashion-mnist").content_hash == ""


@pytest.mark.parametrize(
    ("file", "values", "reason"),
    [
        ("train-labels", np.zeros(5), "there are 6 images and 5 labels"),
        ("t10k-labels", np.zeros(60), "there are 6 images and 60 labels"),
        ("t10k-images", np.zeros((0, 28, 28)), "there are 0 images and 6 labels"),
        ("train-images", np.zeros((6, 20, 28)), "the images have 20x28 pixels, expected 28x28"),
        ("train-labels", np.full(6, 10), "there is a label 10, expected 0 to 9"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, file, values, reason):
    """No sum pins these files once they are unpacked, and others have the same names."""
    raw = write_tiny_files(tmp_path / "FashionMNIST" / "raw")
    (name,) = (name for name in NAMES if name.startswith(file))
    (raw / name).write_bytes(idx(values.astype(np.uint8)))
    with pytest.raises(data.DataError, match=rf"are not of FashionMNIST, or .*: {reason}\. Delete them"):
        data.load("fashion-mnist", tmp_path)
