import hashlib
import shutil
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import data
from bench.data import celeba

ARCHIVE = "img_align_celeba.zip"
PARTS = {"000001.jpg": 0, "000002.jpg": 0, "000003.jpg": 1, "000004.jpg": 2, "000005.jpg": 0}


def face(number: int) -> Image.Image:
    """178x218 in one grey, with a band of white above and below the central square."""
    pixels = np.full((218, 178, 3), 20 * number, dtype=np.uint8)
    pixels[:20] = pixels[-20:] = 255
    return Image.fromarray(pixels)


@pytest.fixture(autouse=True)
def few_faces(monkeypatch):
    """The whole of CelebA, for these tests."""
    monkeypatch.setattr(celeba, "_TRAIN_FACES", 3)
    monkeypatch.setattr(celeba, "_TEST_FACES", 1)


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "celeba"
    (made / "img_align_celeba").mkdir(parents=True)
    for name in PARTS:
        face(int(name[:6])).save(made / "img_align_celeba" / name, quality=95)
    list_faces(made, PARTS)
    return made


def list_faces(folder: Path, parts: dict[str, int]) -> None:
    (folder / "list_eval_partition.txt").write_text("".join(f"{name} {part}\n" for name, part in parts.items()))


def pack(folder: Path) -> None:
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in sorted((folder / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
            path.unlink()
    (folder / "img_align_celeba").rmdir()


def test_the_central_square_of_each_part_is_resized(tmp_path, folder):
    seen = []
    arrays = data.load("celeba64", tmp_path, lambda *report: seen.append(report))
    assert arrays.train.shape == (3, 3, 64, 64)
    assert arrays.test.shape == (1, 3, 64, 64)
    assert not arrays.train_labels.any()
    np.testing.assert_allclose(arrays.train[:, :, 4:60].mean((1, 2, 3)), [20, 40, 100], atol=2)
    np.testing.assert_allclose(arrays.test.mean(), 80, atol=4)
    assert arrays.train.max() < 200, "the bands beyond the square are cropped"
    assert seen[-1] == ("decoding celeba64", 4, 4)


def publish(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the archive that lies there the publisher's."""
    md5 = hashlib.md5((folder / ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr("torchvision.datasets.CelebA.file_list", [("", md5, ARCHIVE)])


def test_the_archive_need_not_be_unpacked(tmp_path, folder, monkeypatch):
    unpacked = data.load("celeba64", tmp_path).content_hash
    pack(folder)
    publish(folder, monkeypatch)
    for path in (tmp_path / "decoded" / "celeba64-v1").iterdir():
        path.unlink()
    assert data.load("celeba64", tmp_path).content_hash == unpacked


def test_faces_that_were_resized_before_are_refused(tmp_path, folder):
    """They have the names of the publisher's, and would be cropped once more."""
    face(4).resize((64, 64)).save(folder / "img_align_celeba" / "000004.jpg")
    with pytest.raises(
        data.DataError,
        match=r"CelebA's image 000004.jpg has 64x64 pixels, expected 178x218, .*; delete the folder .*or unpack",
    ):
        data.load("celeba64", tmp_path)


def unpack_in_part(folder: Path) -> None:
    """Leave the folder without the last faces, as an interrupted unzip does."""
    for name in ("000004.jpg", "000005.jpg"):
        (folder / "img_align_celeba" / name).unlink(missing_ok=True)


def test_a_folder_that_was_unpacked_in_part_says_how_to_mend_it(tmp_path, folder):
    mend = r"lacks 2 of 4 faces, such as 000005.jpg; delete the folder, or unpack img_align_celeba.zip again"
    unpack_in_part(folder)
    with pytest.raises(data.DataError, match=mend):
        data.load("celeba64", tmp_path)
    assert mend in data.lacking("celeba64", tmp_path), "which is what `doctor` says"


def test_the_archive_is_read_beside_a_folder_that_was_unpacked_in_part(tmp_path, folder, monkeypatch):
    whole = data.load("celeba64", tmp_path).content_hash
    shutil.rmtree(tmp_path / "decoded")
    pack(folder)
    publish(folder, monkeypatch)
    with zipfile.ZipFile(folder / ARCHIVE) as archive:
        archive.extractall(folder)
    unpack_in_part(folder)
    assert data.lacking("celeba64", tmp_path) == ""
    assert data.load("celeba64", tmp_path).content_hash == whole


def test_a_face_of_the_part_that_is_not_used_may_be_missing(tmp_path, folder):
    (folder / "img_align_celeba" / "000003.jpg").unlink()
    assert data.lacking("celeba64", tmp_path) == ""
    assert len(data.load("celeba64", tmp_path).train) == 3


@pytest.mark.parametrize(
    ("left_out", "counts"), [("000005.jpg", "2 faces to train on and 1"), ("000004.jpg", "3 faces to train on and 0")]
)
def test_a_list_that_was_cut_short_is_refused(tmp_path, folder, left_out, counts):
    list_faces(folder, {name: part for name, part in PARTS.items() if name != left_out})
    mend = rf"list_eval_partition.txt has {counts} to test on, expected 3 and 1; download it again"
    with pytest.raises(data.DataError, match=mend):
        data.load("celeba64", tmp_path)
    assert "download it again" in data.lacking("celeba64", tmp_path)
    assert not (tmp_path / "decoded" / "celeba64-v1").exists()


def test_a_set_that_was_kept_of_a_short_list_is_decoded_again(tmp_path, folder, monkeypatch, caplog):
    monkeypatch.setattr(celeba, "_TRAIN_FACES", 2)
    list_faces(folder, PARTS | {"000005.jpg": 1})
    short = data.load("celeba64", tmp_path)
    monkeypatch.setattr(celeba, "_TRAIN_FACES", 3)
    list_faces(folder, PARTS)
    whole = data.load("celeba64", tmp_path)
    assert (len(short.train), len(whole.train)) == (2, 3)
    assert "it has 2 faces to train on and 1 to test on, expected 3 and 1" in caplog.text
    caplog.clear()
    shutil.rmtree(folder)
    assert data.load("celeba64", tmp_path).content_hash == whole.content_hash, "a whole set stays"
    assert not caplog.text


def test_another_archive_is_refused(tmp_path, folder):
    pack(folder)
    with pytest.raises(data.DataError, match=r"img_align_celeba.zip is damaged or another file: its MD5 is"):
        data.load("celeba64", tmp_path)


def test_a_damaged_face_is_named(tmp_path, folder):
    (folder / "img_align_celeba" / "000004.jpg").write_bytes(b"no picture")
    mend = r"CelebA's image 000004.jpg cannot be read .*; delete the folder .*img_align_celeba, or unpack"
    with pytest.raises(data.DataError, match=mend):
        data.load("celeba64", tmp_path)


def test_a_damaged_list_is_named_with_its_line(tmp_path, folder):
    with (folder / "list_eval_partition.txt").open("a") as file:
        file.write("000006.jpg 7\n")
    with pytest.raises(data.DataError, match=r"list_eval_partition.txt, line 6: '000006.jpg 7' is not"):
        data.load("celeba64", tmp_path)


def test_a_wrong_folder_is_named_with_the_mend(tmp_path):
    with pytest.raises(data.DataError, match=r"CelebA is not in .*switched off.*Put the two there.*gdown"):
        data.load("celeba64", tmp_path)
    with pytest.raises(data.DataError, match=r"put list_eval_partition.txt and img_align_celeba.zip"):
        data.resolve("celeba64", tmp_path, fetch=False)


def test_what_lacks_alone_is_asked_for(tmp_path, folder):
    (folder / "list_eval_partition.txt").unlink()
    assert data.lacking("celeba64", tmp_path).startswith("put list_eval_partition.txt into")
    list_faces(folder, PARTS)
    shutil.rmtree(folder / "img_align_celeba")
    assert data.lacking("celeba64", tmp_path).startswith("put img_align_celeba.zip (1.4 GB) into")


class Store:
    """Stands for the module gdown: writes files piece by piece, as slowly as a watcher can follow."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def download(self, id: str, output: str, quiet: bool) -> None:  # noqa: A002 - gdown's own name
        assert quiet
        with Path(output).with_suffix(".part").open("wb") as file:
            for start in range(0, len(self.files[id]), 100):
                file.write(self.files[id][start : start + 100])
                file.flush()
                time.sleep(0.02)
        Path(output).with_suffix(".part").rename(output)


@pytest.fixture
def store(tmp_path, folder, monkeypatch) -> Store:
    """A store that has the two files, which are no longer in the folder."""
    pack(folder)
    contents = {path.name: path.read_bytes() for path in (folder / "list_eval_partition.txt", folder / ARCHIVE)}
    shutil.rmtree(folder)
    listed = [(f"id of {name}", hashlib.md5(content).hexdigest(), name) for name, content in contents.items()]
    monkeypatch.setattr("torchvision.datasets.CelebA.file_list", listed)
    monkeypatch.setattr(celeba, "_BYTES", {name: len(content) for name, content in contents.items()})
    monkeypatch.setattr(celeba, "_WATCH_SECONDS", 0.01)
    monkeypatch.delenv("GAN_LOSS_BENCH_OFFLINE")
    made = Store({f"id of {name}": content for name, content in contents.items()})
    monkeypatch.setitem(sys.modules, "gdown", made)
    return made


def test_the_download_is_watched_and_checked(tmp_path, store):
    seen = []
    arrays = data.load("celeba64", tmp_path, lambda *report: seen.append(report))
    assert arrays.train.shape == (3, 3, 64, 64)
    reports = [(done, total) for name, done, total in seen if name == f"fetching {ARCHIVE}"]
    assert len({done for done, _ in reports}) > 2, "not only its end is told"
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1][0] == reports[-1][1] == len(store.files[f"id of {ARCHIVE}"])
    assert {path.name for path in (tmp_path / "celeba").iterdir()} == {"list_eval_partition.txt", ARCHIVE}


def test_beside_the_folder_of_images_the_list_alone_is_downloaded(tmp_path, store):
    seen = []
    data.load("celeba64", tmp_path)
    shutil.rmtree(tmp_path / "decoded")
    with zipfile.ZipFile(tmp_path / "celeba" / ARCHIVE) as archive:
        archive.extractall(tmp_path / "celeba")
    for name in ("list_eval_partition.txt", ARCHIVE):
        (tmp_path / "celeba" / name).unlink()
    assert len(data.load("celeba64", tmp_path, lambda name, *_: seen.append(name)).train) == 3
    assert set(seen) == {"fetching list_eval_partition.txt", "decoding celeba64"}


def test_what_is_not_the_archive_is_not_kept(tmp_path, store):
    store.files[f"id of {ARCHIVE}"] = b"a page that says that the quota is exceeded"
    with pytest.raises(data.DataError, match=r"the download failed \(OSError: Google sent something else"):
        data.load("celeba64", tmp_path)
    assert {path.name for path in (tmp_path / "celeba").iterdir()} == {"list_eval_partition.txt"}


def test_a_download_that_cannot_be_says_how_else(tmp_path, monkeypatch):
    monkeypatch.delenv("GAN_LOSS_BENCH_OFFLINE")
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(data.DataError, match=r"the download failed \(ModuleNotFoundError: .*gdown.*home page"):
        data.load("celeba64", tmp_path)
