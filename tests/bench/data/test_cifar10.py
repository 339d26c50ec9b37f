import hashlib
import io
import os
import pickle
import shlex
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bench import data
from bench.data import download

NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def batch(number: int) -> bytes:
    """One file as the data set's home page describes it: rows of 1,024 reds, greens and blues, and labels."""
    images = np.random.default_rng(number).integers(0, 256, (4, 3072), dtype=np.uint8)
    return pickle.dumps({"data": images, "labels": [number, 0, 1, 2], "batch_label": "tiny", "filenames": ["a"] * 4})


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Listed:
    """Stands for torchvision's class, with the sums of the tiny files."""

    filename = "cifar-10-python.tar.gz"

    def __init__(self, folder: Path) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for number, name in enumerate(NAMES):
                entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                entry.size = len(batch(number))
                archive.addfile(entry, io.BytesIO(batch(number)))
        (folder / self.filename).write_bytes(packed.getvalue())
        self.url, self.tgz_md5 = (folder / self.filename).as_uri(), md5(packed.getvalue())
        self.train_list = [[name, md5(batch(number))] for number, name in enumerate(NAMES[:5])]
        self.test_list = [[NAMES[5], md5(batch(5))]]


@pytest.fixture(autouse=True)
def listed(monkeypatch, tmp_path_factory):
    made = Listed(tmp_path_factory.mktemp("mirror"))
    monkeypatch.setattr("torchvision.datasets.CIFAR10", made)
    return made


@pytest.fixture
def batches(tmp_path) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(batch(number))
    return folder


def test_batches_are_decoded_in_their_order(tmp_path, batches):
    arrays = data.load("cifar10", tmp_path)
    assert arrays.train.shape == (20, 3, 32, 32)
    assert arrays.test.shape == (4, 3, 32, 32)
    assert list(arrays.train_labels[::4]) == [0, 1, 2, 3, 4]
    assert list(arrays.test_labels) == [5, 0, 1, 2]
    row = pickle.loads(batch(1))["data"][2]
    assert arrays.train[6, 2, 31, 30] == row[2 * 1024 + 31 * 32 + 30]
    for path in batches.iterdir():
        path.unlink()
    assert data.load("cifar10", tmp_path).content_hash == arrays.content_hash, "the decoded images are kept"


def test_a_file_with_another_sum_is_never_unpickled(tmp_path, batches):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    (batches / "data_batch_3").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(
        data.DataError, match=r"data_batch_3 is damaged or another file: its MD5 is .*Delete the folder"
    ):
        data.load("cifar10", tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_wrong_folder_is_named_with_the_mend(tmp_path):
    with pytest.raises(data.DataError, match=r"CIFAR-10 is not in .*switched off.*--data DIR.*download=True"):
        data.load("cifar10", tmp_path)


def test_the_archive_is_fetched_checked_and_unpacked(tmp_path, monkeypatch):
    monkeypatch.delenv(download.OFFLINE_VARIABLE)
    seen = []
    arrays = data.load("cifar10", tmp_path, lambda *report: seen.append(report))
    assert arrays.train.shape == (20, 3, 32, 32)
    assert {name for name, _, _ in seen} == {"fetching cifar-10-python.tar.gz"}
    assert data.resolve("cifar10", tmp_path, fetch=False).content_hash == arrays.content_hash


def test_an_archive_with_another_sum_is_refused(tmp_path, monkeypatch, listed):
    monkeypatch.delenv(download.OFFLINE_VARIABLE)
    listed.tgz_md5 = "0" * 32
    with pytest.raises(data.DataError, match=r"the download failed .*sent something else: MD5"):
        data.load("cifar10", tmp_path)
    assert not list(tmp_path.rglob("*.gz"))


def test_data_that_changed_since_the_plan_are_refused(tmp_path, batches):
    found = data.resolve("cifar10", tmp_path).content_hash
    data.load("cifar10", tmp_path, expected=found)
    with pytest.raises(data.DataError, match=r"the data of cifar10 has changed since the trial was planned"):
        data.load("cifar10", tmp_path, expected="0" * 64)


def test_what_is_unpickled_are_the_bytes_that_were_checked(tmp_path, batches, monkeypatch):
    """Somebody who swaps a file after it was hashed has nothing of it run: it is read once."""
    opened = []
    really = os.open

    def count(path, *arguments, **settings):
        opened.extend(name for name in NAMES if str(path).endswith(name))
        return really(path, *arguments, **settings)

    monkeypatch.setattr(os, "open", count)
    data.load("cifar10", tmp_path)
    assert sorted(opened) == sorted(NAMES)


@pytest.mark.timeout(20)
def test_a_pipe_or_a_folder_in_place_of_a_batch_is_named(tmp_path, batches):
    (batches / NAMES[0]).unlink()
    (batches / NAMES[0]).mkdir()
    with pytest.raises(data.DataError, match="looked for"):
        data.load("cifar10", tmp_path)


def test_the_command_that_downloads_it_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LOSS_BENCH_OFFLINE", "1")
    with pytest.raises(data.DataError) as caught:
        data.load("cifar10", tmp_path / "it's $HOME")
    code = shlex.split(str(caught.value).partition("a network: ")[2])
    assert code[:2] == ["python", "-c"]
    assert repr(str(tmp_path / "it's $HOME")) in code[2]
    compile(code[2], "printed", "exec")
