import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import data

PARTS = {"000001.jpg": 0, "000002.jpg": 0, "000003.jpg": 1, "000004.jpg": 2, "000005.jpg": 0}


def face(number: int) -> Image.Image:
    """178x218 in one grey, with a band of white above and below the central square."""
    pixels = np.full((218, 178, 3), 20 * number, dtype=np.uint8)
    pixels[:20] = pixels[-20:] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "celeba"
    (made / "img_align_celeba").mkdir(parents=True)
    for name in PARTS:
        face(int(name[:6])).save(made / "img_align_celeba" / name, quality=95)
    (made / "list_eval_partition.txt").write_text("".join(f"{name} {part}\n" for name, part in PARTS.items()))
    return made


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


def test_the_archive_need_not_be_unpacked(tmp_path, folder, monkeypatch):
    unpacked = data.load("celeba64", tmp_path).content_hash
    pack(folder)
    md5 = hashlib.md5((folder / "img_align_celeba.zip").read_bytes()).hexdigest()
    listed = [("", md5, "img_align_celeba.zip")]
    monkeypatch.setattr("torchvision.datasets.CelebA.file_list", listed)
    for path in (tmp_path / "decoded" / "celeba64-v1").iterdir():
        path.unlink()
    assert data.load("celeba64", tmp_path).content_hash == unpacked


def test_another_archive_is_refused(tmp_path, folder):
    pack(folder)
    with pytest.raises(data.DataError, match=r"img_align_celeba.zip is damaged or another file: its MD5 is"):
        data.load("celeba64", tmp_path)


def test_a_damaged_face_is_named(tmp_path, folder):
    (folder / "img_align_celeba" / "000004.jpg").write_bytes(b"no picture")
    with pytest.raises(data.DataError, match=r"CelebA's image 000004.jpg cannot be read"):
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


def test_a_download_that_fails_says_how_else(tmp_path, monkeypatch):
    def refuse(*_):
        raise RuntimeError("gdown is required")

    monkeypatch.delenv("GAN_LOSS_BENCH_OFFLINE")
    monkeypatch.setattr("torchvision.datasets.utils.download_file_from_google_drive", refuse)
    with pytest.raises(data.DataError, match=r"the download failed \(RuntimeError: gdown is required\).*home page"):
        data.load("celeba64", tmp_path)
