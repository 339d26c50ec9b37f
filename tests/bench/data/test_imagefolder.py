"""Folders of images: what is found and left out, the parts, the identity, and what is kept."""

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import data
from bench.data import imagefolder, pictures


def paint(path: Path, colour: tuple[int, ...] = (10, 20, 30), mode: str = "RGB", size: tuple[int, int] = (40, 50)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if len(colour) > 1 else colour[0]).save(path)


@pytest.fixture
def small(monkeypatch):
    """Let a few images be enough."""
    monkeypatch.setattr(imagefolder, "MIN_TRAIN", 2)
    monkeypatch.setattr(imagefolder, "MIN_TEST", 1)


@pytest.fixture
def photos(tmp_path) -> Path:
    for number in range(20):
        paint(tmp_path / "photos" / f"{number % 3}" / f"{number:02}.png", (number, 100, 200))
    return tmp_path / "photos"


def load(folder, data_dir, option=""):
    return data.load(f"imagefolder:{folder}{option}", data_dir / "data")


def test_names_have_one_canonical_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = f"imagefolder:{tmp_path}/cats?size=32"
    for spelling in ("cats", "./cats/", "dogs/../cats", "~/cats", f"{tmp_path}/cats?size=32"):
        assert data.workload(f"imagefolder:{spelling}").name == expected
    large = data.workload("imagefolder:cats?size=64")
    assert (large.name, large.image_size, large.kind) == (f"{expected[:-2]}64", 64, "imagefolder-64")
    assert data.workload(large.name) == large


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("imagefolder:", r"names no folder; write imagefolder:PATH"),
        ("imagefolder:cats?size=48", r"has 'size=48' after the question mark; write \?size=32 or \?size=64"),
        ("imagefolder:cats?64", r"has '64' after the question mark"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_right_form(name, reason):
    with pytest.raises(ValueError, match=reason):
        data.workload(name)


def test_images_are_found_in_all_folders_and_sorted_by_path(tmp_path):
    for name in ("b/x.PNG", "a/deep/er/y.jpeg", "z.bmp", ".hidden/no.png", "b/.no.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert [path.as_posix() for path in imagefolder.find(tmp_path)] == ["a/deep/er/y.jpeg", "b/x.PNG", "z.bmp"]


def test_a_tenth_is_held_out_by_a_hash_of_the_path():
    paths = [Path(f"{number:03}.png") for number in range(100)]
    train, test = imagefolder.split(paths, has_parts=False)
    assert (len(train), len(test)) == (90, 10)
    assert sorted([*train, *test]) == paths
    assert train == sorted(train)
    assert imagefolder.split(paths[::-1], has_parts=False)[1] == test[::-1], "the order does not matter"
    assert test != paths[-10:]


def test_folders_named_train_and_test_are_the_parts(tmp_path, small):
    for number in range(6):
        paint(tmp_path / "photos" / ("train" if number < 4 else "test") / f"{number}.png", (number, 0, 0))
    paint(tmp_path / "photos" / "cover.png", (99, 0, 0))
    arrays = load(tmp_path / "photos", tmp_path)
    assert list(arrays.train[:, 0, 0, 0]) == [0, 1, 2, 3]
    assert list(arrays.test[:, 0, 0, 0]) == [4, 5]


@pytest.mark.parametrize("size", [32, 64])
def test_images_come_as_colour_squares(tmp_path, photos, small, size):
    arrays = load(photos, tmp_path, f"?size={size}")
    assert arrays.train.shape == (18, 3, size, size)
    assert arrays.test.shape == (2, 3, size, size)
    assert arrays.train.dtype == np.uint8
    assert sorted([*arrays.train[:, 0, 3, 3], *arrays.test[:, 0, 3, 3]]) == list(range(20))
    assert (arrays.train[:, 2] == 200).all()


def test_unreadable_files_are_counted_named_and_left_out(tmp_path, photos, small, caplog):
    for number in range(5):
        (photos / f"bad{number}.jpg").write_bytes(b"\xff\xd8\xff no picture")
    whole = (photos / "0" / "00.png").read_bytes()
    (photos / "bad5.png").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        arrays = load(photos, tmp_path)
    assert len(arrays.train) + len(arrays.test) == 20
    named = "bad0.jpg (no image); bad1.jpg (no image); bad2.jpg (no image) and 3 more; they are left out"
    assert f"6 of 26 files cannot be read: {named}" in caplog.text


def test_files_that_were_left_out_are_counted_where_the_others_are_kept(tmp_path, photos, small, caplog):
    for number in range(2):
        (photos / f"bad{number}.png").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        load(photos, tmp_path / "first")
        load(photos, tmp_path / "first")
        assert len(caplog.records) == 1, "they are named, and so not counted again"
        caplog.clear()
        (tmp_path / "first").rename(tmp_path / "second")
        load(photos, tmp_path / "second")
        load(photos, tmp_path / "second")
    (kept,) = (tmp_path / "second" / "data" / "decoded").glob("imagefolder-*")
    assert say(caplog) == (
        f"{photos}: 2 of 22 files could not be read when they were decoded; they are left out. Delete {kept} to try "
        "again, and to see which they are"
    )


def test_too_few_images_are_refused_with_the_reason(tmp_path, photos):
    (photos / "bad.png").write_bytes(b"")
    with pytest.raises(
        data.DataError,
        match=r"at least 450 and 50 are needed, about 500 in all .*; 1 of 21 files cannot be",
    ):
        load(photos, tmp_path)


def test_a_wrong_path_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(data.DataError, match=r"no images are in .*empty or the folders in it: looked for .bmp .gif"):
        load(tmp_path / "empty", tmp_path)
    with pytest.raises(data.DataError, match=rf"nowhere/at/all does not exist \({tmp_path} does\)"):
        load(tmp_path / "nowhere" / "at" / "all", tmp_path)
    (tmp_path / "file.png").write_bytes(b"")
    with pytest.raises(data.DataError, match=r"file.png is a file; imagefolder:PATH needs a folder"):
        load(tmp_path / "file.png", tmp_path)


def test_a_folder_of_images_that_are_not_read_says_which(tmp_path):
    (tmp_path / "phone").mkdir()
    for name in ("a.HEIC", "b.heic", "c.jfif", "notes.txt"):
        (tmp_path / "phone" / name).touch()
    with pytest.raises(
        data.DataError,
        match=r"no images are in .*: looked for .* \.webp, and found 2 \.heic, 1 \.jfif: convert them",
    ):
        load(tmp_path / "phone", tmp_path)


def test_the_identity_is_the_content_and_not_the_path(tmp_path, photos, small):
    def resolved(folder):
        return data.resolve(f"imagefolder:{folder}", tmp_path / "data").content_hash

    first = resolved(photos)
    moved = photos.rename(tmp_path / "elsewhere")
    assert resolved(moved) == first
    paint(moved / "0" / "00.png", (255, 0, 0), size=(41, 41))
    assert resolved(moved) != first, "a changed image is noticed"


@pytest.mark.parametrize(
    ("images", "samples"), [(500, 1000), (510, 1020), (4321, 8642), (5000, 10_000), (70_000, 10_000)]
)
def test_an_evaluation_has_twice_as_many_samples_as_there_are_images(images, samples):
    pixel, label = np.zeros((images, 3, 1, 1), dtype=np.uint8), np.zeros(images, dtype=np.int64)
    test = images // 10
    arrays = data.Arrays(train=pixel[test:], train_labels=label[test:], test=pixel[:test], test_labels=label[:test])
    entry = data.workload("imagefolder:photos")
    assert entry.samples == 0, "nobody has looked into the folder yet"
    found = data.settled(entry, arrays)
    assert (found.samples, found.content_hash) == (samples, arrays.content_hash)
    assert data.settled(found, arrays) == found
    # Other workloads have their own number, and keep it.
    assert data.settled(data.workload("digits"), arrays) == data.workload("digits")


def test_the_number_of_samples_is_that_of_the_images_that_can_be_read(tmp_path, photos, small, monkeypatch):
    monkeypatch.setattr(imagefolder, "SAMPLES", (10, 100))
    (photos / "bad.png").write_bytes(b"")
    resolved = data.resolve(f"imagefolder:{photos}", tmp_path / "data")
    assert resolved.samples == 40
    assert resolved.content_hash


def test_decoded_images_are_kept_until_a_file_changes(tmp_path, photos, small, monkeypatch):
    load(photos, tmp_path)
    decode = pictures.decode
    decoded = []
    monkeypatch.setattr(pictures, "decode", lambda *given: decoded.append(given) or decode(*given))
    load(photos, tmp_path)
    assert not decoded
    os.utime(photos / "0" / "00.png", (1, 1))
    load(photos, tmp_path)
    assert len(decoded) == 20


def test_another_folder_with_the_same_names_sizes_and_times_is_another(tmp_path, small):
    """As two archives unpack to, all of whose files have one date."""
    for folder, shade in (("cats", 10), ("dogs", 200)):
        for number in range(20):
            path = tmp_path / folder / f"{number:02}.bmp"
            paint(path, (shade, number, 0))
            os.utime(path, (315_532_800, 315_532_800))
    while (tmp_path / "dogs" / "00.bmp").stat().st_ctime_ns == (tmp_path / "cats" / "00.bmp").stat().st_ctime_ns:
        os.utime(tmp_path / "dogs" / "00.bmp", (315_532_800, 315_532_800))  # the clock of the file system is coarse
    assert (load(tmp_path / "cats", tmp_path).train[:, 0] == 10).all()
    assert (load(tmp_path / "dogs", tmp_path).train[:, 0] == 200).all()


def test_a_file_that_may_be_read_at_last_is_read(tmp_path, photos, small, monkeypatch):
    decode, closed = pictures.decode, photos / "0" / "00.png"

    def refused(path, size):
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return decode(path, size)

    closed.chmod(0)
    changed = closed.stat().st_ctime_ns
    with monkeypatch.context() as context:
        context.setattr(pictures, "decode", refused)
        assert len(load(photos, tmp_path).train) == 17
    while closed.stat().st_ctime_ns == changed:
        closed.chmod(0o644)
    assert len(load(photos, tmp_path).train) == 18


@pytest.mark.slow
def test_real_photographs_are_read(unpack_jpegs, tmp_path):
    arrays = data.load(f"imagefolder:{unpack_jpegs('test')}", tmp_path)
    assert arrays.train.shape == (9000, 3, 32, 32)
    assert arrays.test.shape == (1000, 3, 32, 32)
    means = np.concatenate([arrays.train, arrays.test]).mean((0, 2, 3)) / 255
    # The channels' means of CIFAR-10's test part, which JPEG leaves as they are.
    np.testing.assert_allclose(means, [0.4942, 0.4851, 0.4504], atol=2e-3)


def say(caplog) -> str:
    return " ".join(record.getMessage() for record in caplog.records)


@pytest.mark.timeout(60)
def test_one_odd_entry_costs_itself_alone(tmp_path, photos, small, caplog):
    (photos / "gone.png").symlink_to("/nowhere/gone.png")
    (photos / "round.png").symlink_to("round.png")
    (photos / "folder.png").mkdir()
    os.mkfifo(photos / "pipe.png")
    (photos / "device.png").symlink_to("/dev/zero")
    Path(os.fsdecode(bytes(photos) + b"/caf\xe9.png")).write_bytes((photos / "0" / "00.png").read_bytes())
    with caplog.at_level(logging.WARNING):
        arrays = load(photos, tmp_path)
    assert len(arrays.train) + len(arrays.test) == 21
    assert "4 of 25 files cannot be read: device.png (cannot be read: it is a device, not a file); gone.png (" in say(
        caplog
    )


@pytest.mark.parametrize("parts", [("train", "val"), ("Train", "Test"), ("training", "testing"), ("train", "valid")])
def test_folders_that_look_like_parts_and_are_none_are_named(tmp_path, small, caplog, parts):
    for part in parts:
        for number in range(10):
            paint(tmp_path / "photos" / part / f"{number}.png", (number, 0, 0))
    with caplog.at_level(logging.WARNING):
        arrays = load(tmp_path / "photos", tmp_path)
    assert (len(arrays.train), len(arrays.test)) == (18, 2)
    assert f"its folders {', '.join(sorted(parts))} are taken together, and a tenth of all 20 files" in say(caplog)


def test_an_empty_part_is_noticed_where_images_are_kept(tmp_path, small):
    for number in range(20):
        paint(tmp_path / "photos" / "train" / f"{number}.png", (number, 0, 0))
    assert len(load(tmp_path / "photos", tmp_path).test) == 2
    (tmp_path / "photos" / "test").mkdir()
    with pytest.raises(data.DataError, match="has 20 readable images to train on and 0 to test on"):
        load(tmp_path / "photos", tmp_path)


def test_files_outside_the_parts_are_counted(tmp_path, small, caplog):
    for place, count in (("train", 5), ("test", 3), ("val", 2)):
        for number in range(count):
            paint(tmp_path / "photos" / place / f"{number}.png", (number, 0, 0))
    with caplog.at_level(logging.WARNING):
        arrays = load(tmp_path / "photos", tmp_path)
    assert (len(arrays.train), len(arrays.test)) == (5, 3)
    assert "train, 5 files, and test, 3 files; 2 files outside of them (val) are left out" in say(caplog)


def test_images_of_endings_that_are_not_read_are_counted_once(tmp_path, photos, small, caplog):
    for number in range(4):
        paint(photos / f"{number}.jpg")
        (photos / f"{number}.jpg").rename(photos / f"{number}.JFIF")
    (photos / "x.heic").touch()
    with caplog.at_level(logging.WARNING):
        load(photos, tmp_path)
        load(photos, tmp_path)
    assert (
        say(caplog).count("20 files are taken (.png), and 1 .heic, 4 .jfif left out: taken is what ends in .bmp") == 1
    )


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (1, "a is a link to a folder, which is not followed: name its target, or move it here"),
        (5, "a, b, c and 2 more are links to folders, which are not followed: name their targets, or move them here"),
    ],
)
def test_linked_folders_are_named_and_not_followed(tmp_path, photos, small, caplog, links, said):
    alone = load(photos, tmp_path).content_hash
    paint(tmp_path / "elsewhere" / "one.png", (200, 0, 0))
    for name in "abcde"[:links]:
        (photos / name).symlink_to(tmp_path / "elsewhere")
    (photos / ".hidden").symlink_to(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING):
        assert load(photos, tmp_path).content_hash == alone
    assert say(caplog) == f"{photos}: {said}"


def test_a_folder_of_links_alone_says_that_they_are_not_followed(tmp_path, photos, small):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "photos").symlink_to(photos)
    with pytest.raises(data.DataError, match=r"no images are in .*; photos is a link to a folder, which is not"):
        load(tmp_path / "links", tmp_path)
    for part in ("train", "test"):
        (tmp_path / "links" / part).symlink_to(photos)
    paint(tmp_path / "links" / "cover.png")
    with pytest.raises(data.DataError, match=r"too few: .*; photos, test, train are links to folders, which are not"):
        load(tmp_path / "links", tmp_path)


def test_a_linked_folder_that_is_named_itself_is_read(tmp_path, photos, small, caplog):
    (tmp_path / "link").symlink_to(photos)
    assert load(tmp_path / "link", tmp_path).content_hash == load(photos, tmp_path).content_hash
    assert say(caplog) == ""


@pytest.fixture
def closed(monkeypatch):
    """Make folders unreadable, also for a user who may read everything."""
    really, names = os.scandir, set()

    def scan(path):
        if not isinstance(path, int) and Path(path) in names:  # by a descriptor the temporary folder is removed
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", scan)
    return names


def test_folders_that_cannot_be_read_are_named(tmp_path, photos, small, caplog, closed):
    closed.add(photos / "1")
    with caplog.at_level(logging.WARNING):
        assert len(load(photos, tmp_path).train) == 12
    reason = f"1 folder cannot be read, mend the permissions: {photos / '1'} (Permission denied)"
    assert say(caplog) == f"{photos}: {reason}"
    closed.update((photos / "0", photos / "2"))
    with pytest.raises(data.DataError, match=r"no images are in .*; 3 folders cannot be read, mend the perm.*/0 \("):
        load(photos, tmp_path)
    closed.remove(photos / "0")
    (photos / "0" / "00.png").rename(photos / "00.png")
    for path in (photos / "0").iterdir():
        path.unlink()
    with pytest.raises(data.DataError, match=r"too few: .*; 2 folders cannot be read, mend the permissions: "):
        load(photos, tmp_path)


def test_nothing_is_said_of_an_ordinary_folder(tmp_path, photos, small, caplog):
    with caplog.at_level(logging.WARNING):
        load(photos, tmp_path)
    assert say(caplog) == ""


@pytest.mark.parametrize("name", ["what?", "a?b", "is it?really", "q?size", "?"])
def test_a_folders_name_may_have_question_marks(tmp_path, photos, small, name):
    photos.rename(tmp_path / name)
    for option in ("", "?size=64"):
        workload = data.workload(f"imagefolder:{tmp_path / name}{option}")
        assert data.workload(workload.name) == workload
        assert workload.image_size == (64 if option else 32)
        assert load(tmp_path / name, tmp_path, option).train.shape[2] == workload.image_size


def test_a_folder_whose_name_is_no_text_is_refused():
    with pytest.raises(ValueError, match="is no UTF-8 text: rename it, or make a link to it"):
        data.workload("imagefolder:/photos/caf\udce9")


def test_nobodys_home_is_refused():
    with pytest.raises(ValueError, match="there is no user of that name"):
        data.workload("imagefolder:~nosuchuser/photos")
