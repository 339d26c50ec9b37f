import gzip
import hashlib
import io
import re
import urllib.request
from http.client import BadStatusLine, IncompleteRead
from pathlib import Path

import numpy as np
import pytest
from idx_files import NAMES as FILES
from idx_files import tiny_files, write_tiny_files

from bench import data
from bench.data import download, mnist


@pytest.fixture
def raw(tmp_path) -> Path:
    return write_tiny_files(tmp_path / "MNIST" / "raw")


def test_idx_files_are_decoded_and_padded(tmp_path, raw):
    arrays = mnist.FILES.read(tmp_path)
    assert arrays.train.shape == arrays.test.shape == (6, 1, 32, 32)
    assert arrays.train_labels.dtype == np.int64
    inner = np.frombuffer((raw / FILES[0]).read_bytes()[16:], np.uint8).reshape(6, 28, 28)
    np.testing.assert_array_equal(arrays.train[:, 0, 2:30, 2:30], inner)
    assert arrays.train.sum() == inner.sum()


def test_packed_files_are_read_as_well(tmp_path, raw):
    plain = data.content_hash(mnist.FILES.read(tmp_path))
    for name in FILES:
        (raw / f"{name}.gz").write_bytes(gzip.compress((raw / name).read_bytes()))
        (raw / name).unlink()
    assert data.content_hash(mnist.FILES.read(tmp_path)) == plain


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"\x1f\x8b" + content[2:], r"is not an idx file.*starts with 1f 8b"),
        (lambda content: content[:100], r"is damaged: its header promises 6 x 28 x 28 bytes of values, and 84 follow"),
        (lambda content: content + b"\0", r"is damaged.*and 4705 follow"),
        (lambda content: content[:10], r"is damaged"),
        (lambda content: b"", r"is not an idx file"),
    ],
)
def test_a_damaged_file_is_named_with_the_mend(tmp_path, raw, damage, reason):
    path = raw / FILES[0]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(data.DataError, match=rf"train-images-idx3-ubyte {reason}.*Delete it"):
        data.load("mnist", tmp_path)


def test_a_damaged_archive_is_named_with_the_mend(tmp_path, raw):
    (raw / FILES[3]).unlink()
    packed = gzip.compress(b"x" * 1000)
    for content in (packed[:-12], b"no archive", packed[:12] + b"\xff\xff" + packed[14:]):
        (raw / f"{FILES[3]}.gz").write_bytes(content)
        with pytest.raises(data.DataError, match=r"t10k-labels-idx1-ubyte.gz cannot be read.*Delete it"):
            data.load("mnist", tmp_path)


def test_an_archive_that_unpacks_to_very_much_is_refused_before_it_fills_the_memory(tmp_path, raw, monkeypatch):
    (raw / FILES[3]).unlink()
    (raw / f"{FILES[3]}.gz").write_bytes(gzip.compress(bytes(2**20)))
    monkeypatch.setattr("bench.data.idx.LARGEST", 2**20 - 1)
    with pytest.raises(data.DataError, match="it unpacks to more than"):
        data.load("mnist", tmp_path)


def test_other_data_in_the_right_form_are_refused(tmp_path, raw):
    with pytest.raises(data.DataError, match=r"'mnist' is not the data it pins"):
        data.load("mnist", tmp_path)


def test_a_wrong_folder_is_named_with_what_was_looked_for_and_the_mend(tmp_path):
    with pytest.raises(data.DataError) as caught:
        data.load("mnist", tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "MNIST" / "raw") in message
    assert all(name in message for name in FILES)
    assert "--data DIR" in message
    assert "torchvision.datasets.MNIST(" in message
    assert "switched off" in message
    assert not (tmp_path / "MNIST").exists()


class Mirrors:
    """Stands for torchvision's lists: files in a folder instead of addresses on a network."""

    def __init__(self, folder: Path) -> None:
        self.mirrors = [(folder / "gone").as_uri() + "/", folder.as_uri() + "/"]
        self.resources = []
        for name, content in tiny_files().items():
            packed = gzip.compress(content)
            (folder / f"{name}.gz").write_bytes(packed)
            self.resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))


@pytest.fixture
def mirrors(monkeypatch, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mirror")
    monkeypatch.setattr("torchvision.datasets.MNIST", Mirrors(folder))
    monkeypatch.delenv(download.OFFLINE_VARIABLE)
    return folder


def test_missing_files_are_fetched_from_the_first_mirror_that_has_them(tmp_path, mirrors):
    seen = []
    with pytest.raises(data.DataError, match=r"not the data it pins"):  # the tiny files arrived, and are not MNIST
        data.load("mnist", tmp_path, on_progress=lambda *report: seen.append(report))
    fetched = sorted(path.name for path in (tmp_path / "MNIST" / "raw").iterdir())
    assert fetched == sorted(f"{name}.gz" for name in FILES)
    assert mnist.FILES.read(tmp_path).train.shape == (6, 1, 32, 32)
    assert {name for name, _, _ in seen} == {f"fetching {name}" for name in fetched}
    assert all(done == total > 0 for _, done, total in seen)


def test_a_mirror_that_sends_something_else_is_refused(tmp_path, mirrors):
    (mirrors / f"{FILES[1]}.gz").write_bytes(b"<html>Sign in to the hotel's network</html>")
    with pytest.raises(data.DataError, match=r"the download failed.*sent something else: MD5"):
        data.load("mnist", tmp_path)
    assert [path.name for path in (tmp_path / "MNIST" / "raw").iterdir()] == [f"{FILES[0]}.gz"]


BROKEN = pytest.mark.parametrize(
    "error", [IncompleteRead(b"half"), BadStatusLine("no HTTP"), ConnectionResetError("reset")]
)


class Breaking(io.BytesIO):
    """An answer that ends in an error after its first bytes."""

    def __init__(self, error: Exception) -> None:
        super().__init__(b"the beginning")
        self.error = error
        self.headers: dict[str, str] = {}

    def read(self, size: int | None = -1) -> bytes:
        if content := super().read(size):
            return content
        raise self.error


@BROKEN
def test_a_mirror_that_breaks_off_is_followed_by_the_next(tmp_path, mirrors, monkeypatch, error):
    really = urllib.request.urlopen

    def answer(address, **settings):
        return Breaking(error) if "/gone/" in address else really(address, **settings)

    monkeypatch.setattr("urllib.request.urlopen", answer)
    with pytest.raises(data.DataError, match=r"not the data it pins"):
        data.load("mnist", tmp_path)
    assert mnist.FILES.read(tmp_path).train.shape == (6, 1, 32, 32)


@BROKEN
def test_mirrors_that_break_off_leave_nothing_and_the_advice_is_given(tmp_path, mirrors, monkeypatch, error):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Breaking(error))
    with pytest.raises(data.DataError, match=rf"the download failed .*{re.escape(str(error))}.*--data DIR"):
        data.load("mnist", tmp_path)
    assert not list((tmp_path / "MNIST" / "raw").iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path, mirrors):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(data.DataError, match=r"the folder cannot be made"):
        data.load("mnist", tmp_path / "file")


@pytest.mark.slow
def test_the_real_files_are_the_pinned_data(mnist_folder):
    arrays = data.load("mnist", mnist_folder)
    assert arrays.train.shape == (60_000, 1, 32, 32)
    assert arrays.test.shape == (10_000, 1, 32, 32)
    assert list(arrays.train_labels[:5]) == [5, 0, 4, 1, 9]
    inner = arrays.train[:, :, 2:30, 2:30] / 255
    assert inner.mean() == pytest.approx(0.1307, abs=1e-4)
    assert inner.std() == pytest.approx(0.3081, abs=1e-4)


@pytest.mark.slow
def test_stacks_are_drawn_from_the_same_data(mnist_folder):
    assert data.load("stacked-mnist", mnist_folder).content_hash == data.workload("mnist").content_hash
