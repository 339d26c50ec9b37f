"""`celeba64`: 202,599 aligned faces (Liu et al., 2015), center crop of 178x178 out of 178x218, resized to 64x64.

CelebA's training part (162,770 faces) is trained on, its test part (19,962) is held out, and its validation part is not
used. It is read from DIR/celeba, where torchvision puts it: `list_eval_partition.txt`, and either the folder
`img_align_celeba` or the archive `img_align_celeba.zip`, which need not be unpacked. The archive is also read if the
folder is there in part.
"""

import contextlib
import importlib
import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from bench.config.workload import Workload
from bench.data import download, pictures
from bench.data.cache import decoded, is_kept, kept_sets
from bench.data.family import Arrays, DataError, Family, OnProgress
from bench.files.regular import UnusableFileError, read_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE: Final = 64
_PUBLISHED: Final = (178, 218)
"""Width and height of the publisher's faces. Others that were cropped or resized before have the same file names."""

_FOLDER: Final = "celeba"
_IMAGES: Final = "img_align_celeba"
_ARCHIVE: Final = "img_align_celeba.zip"
_PARTITION: Final = "list_eval_partition.txt"
_TRAIN, _TEST = "0", "2"
_TRAIN_FACES: Final = 162_770
_TEST_FACES: Final = 19_962
"""As many faces as the two parts have: what is less was cut short, and its numbers would be those of other data."""
_PREPARATION: Final = "celeba64-v1"
_CHUNK: Final = 1000
_BYTES: Final = {_PARTITION: 2_836_386, _ARCHIVE: 1_443_490_838}
"""The size of each download."""
_WATCH_SECONDS: Final = 0.5


def _absent(data_dir: Path, reason: str) -> DataError:
    return DataError(
        f"CelebA is not in {data_dir}: looked for {_PARTITION} and {_IMAGES} (a folder, or .zip) in "
        f"{data_dir / _FOLDER}, and {reason}. Put the two there, from the data set's home page "
        "(http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html), and give the folder that holds celeba with --data DIR or "
        "$GAN_LOSS_BENCH_DATA. torchvision downloads them too where gdown is installed: pip install gdown"
    )


def _absent_files(data_dir: Path) -> list[str]:
    """Return which of the two downloads are lacking. Where the folder of images is, the archive is not."""
    folder = data_dir / _FOLDER
    lacking = [] if (folder / _PARTITION).is_file() else [_PARTITION]
    return lacking if (folder / _IMAGES).is_dir() or (folder / _ARCHIVE).is_file() else [*lacking, _ARCHIVE]


def _sums() -> dict[str, tuple[str, str]]:
    """Return torchvision's address and MD5 of each file."""
    from torchvision.datasets import CelebA

    return {name: (address, md5) for address, md5, name in CelebA.file_list}


def _download(data_dir: Path, on_progress: OnProgress | None) -> None:
    """Download the files from Google Drive, as torchvision does; not the archive if its folder is there."""
    listed = _sums()
    folder = data_dir / _FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (_PARTITION,) if (folder / _IMAGES).is_dir() else (_PARTITION, _ARCHIVE):
            address, md5 = listed[name]
            if not (folder / name).is_file() or download.md5_of(folder / name) != md5:
                _fetch(address, md5, folder / name, on_progress)
    except Exception as error:  # gdown has errors of many kinds, its own absence among them
        raise _absent(data_dir, f"the download failed ({type(error).__name__}: {error})") from error


def _fetch(address: str, md5: str, target: Path, on_progress: OnProgress | None) -> None:
    """Download one file into a temporary folder, and move it to the target once it is whole.

    gdown reports no progress, so the size of that folder shows how much has arrived.
    """
    gdown = importlib.import_module("gdown")
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as partial:
        arrived = Path(partial) / target.name
        with _watched(Path(partial), target.name, on_progress) if on_progress else contextlib.nullcontext():
            gdown.download(id=address, output=str(arrived), quiet=True)
        actual = download.md5_of(arrived)
        if actual != md5:
            raise OSError(f"Google sent something else for {target.name}: its MD5 is {actual}, expected {md5}")
        arrived.replace(target)


@contextlib.contextmanager
def _watched(folder: Path, name: str, on_progress: OnProgress) -> Iterator[None]:
    """Report the size of all files in a folder, twice a second and at the end."""
    total = _BYTES[name]
    stop = threading.Event()

    def report() -> None:
        with contextlib.suppress(FileNotFoundError):  # a file that was renamed while we looked
            done = sum(path.stat().st_size for path in folder.iterdir())
            on_progress(f"fetching {name}", min(done, total), total)

    def watch() -> None:
        while not stop.wait(_WATCH_SECONDS):
            report()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        on_progress(f"fetching {name}", total, total)
    finally:
        stop.set()
        watcher.join()


def _text(path: Path) -> str:
    try:
        return read_regular(path).decode()
    except UnusableFileError as error:
        raise DataError(f"{path} {error}; download it again") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not text; download it again") from error


def read_partition(path: Path) -> dict[str, list[str]]:
    """Return the file names of each part, "0" (train), "1" (validation) and "2" (test), in the order of the list."""
    parts: dict[str, list[str]] = {"0": [], "1": [], "2": []}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        words = line.split()
        if len(words) != 2 or words[1] not in parts:
            raise DataError(f"{path}, line {number}: {line[:60]!r} is not a file name and a part (0, 1 or 2)")
        parts[words[1]].append(words[0])
    return parts


def _partition(folder: Path) -> dict[str, list[str]]:
    """Return the file names of each part; raise DataError unless all faces are listed."""
    parts = read_partition(folder / _PARTITION)
    if reason := _cut_short(len(parts[_TRAIN]), len(parts[_TEST])):
        raise DataError(f"{folder / _PARTITION} {reason}; download it again")
    return parts


def _cut_short(train: int, test: int) -> str:
    """Say how many faces there are if these are not all of both parts."""
    if (train, test) == (_TRAIN_FACES, _TEST_FACES):
        return ""
    return f"has {train:,} faces to train on and {test:,} to test on, expected {_TRAIN_FACES:,} and {_TEST_FACES:,}"


def _is_packed(folder: Path, parts: dict[str, list[str]]) -> bool:
    """Whether faces are read from the archive, as is done unless the folder has all of them.

    Raises:
        DataError: the folder lacks some, and there is no archive.
    """
    images = folder / _IMAGES
    if not images.is_dir():
        return True
    try:
        unpacked = {path.name for path in images.iterdir()}  # asking for each of 182,732 files takes much longer
    except OSError as error:
        raise DataError(f"{images} cannot be read ({error.strerror}); mend its permissions") from error
    lacking = [name for part in (_TRAIN, _TEST) for name in parts[part] if name not in unpacked]
    if lacking and not (folder / _ARCHIVE).is_file():
        raise DataError(
            f"{images} lacks {len(lacking):,} of {_TRAIN_FACES + _TEST_FACES:,} faces, such as {lacking[0]}; delete "
            f"the folder, or unpack {_ARCHIVE} again"
        )
    return bool(lacking)


def _decode_all(
    names: list[str], open_image: Callable[[str], Path | IO[bytes]], report: Callable[[int], None], mend: str
) -> "NDArray[np.uint8]":
    """Decode images in threads: pillow releases Python's global lock while it works."""
    import numpy as np

    images = np.empty((len(names), 3, SIZE, SIZE), dtype=np.uint8)

    def decode_one(index: int) -> None:
        try:
            images[index] = pictures.decode(open_image(names[index]), SIZE, expected=_PUBLISHED)
        except pictures.AnotherSizeError as error:
            raise DataError(
                f"CelebA's image {names[index]} {error}, the size of the publisher's; {mend}, since results on others "
                f"would not be comparable. For images of your own there is imagefolder:PATH?size={SIZE}"
            ) from error
        except Exception as error:
            raise DataError(
                f"CelebA's image {names[index]} cannot be read ({error}); {mend}, since results on a part of it would "
                "not be comparable"
            ) from error

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for start in range(0, len(names), _CHUNK):
            chunk = range(start, min(start + _CHUNK, len(names)))
            for _ in pool.map(decode_one, chunk):
                pass
            report(len(chunk))
    return images


def _decode(data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    import numpy as np

    if _absent_files(data_dir):
        if reason := download.why_not():
            raise _absent(data_dir, reason)
        _download(data_dir, on_progress)
    folder = data_dir / _FOLDER
    parts = _partition(folder)
    is_packed = _is_packed(folder, parts)
    total = len(parts[_TRAIN]) + len(parts[_TEST])
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress("decoding celeba64", done, total)

    def both(open_image: Callable[[str], Path | IO[bytes]], mend: str) -> Arrays:
        train, test = (_decode_all(parts[part], open_image, report, mend) for part in (_TRAIN, _TEST))
        no_labels: dict[str, Any] = {
            "train_labels": np.zeros(len(train), dtype=np.int64),
            "test_labels": np.zeros(len(test), dtype=np.int64),
        }
        return Arrays(train=train, test=test, **no_labels)

    if not is_packed:
        mend = f"delete the folder {folder / _IMAGES}, or unpack {_ARCHIVE} again"
        return both(lambda name: folder / _IMAGES / name, mend)
    archive = folder / _ARCHIVE
    expected = _sums()[_ARCHIVE][1]
    actual = download.md5_of(archive)
    if actual != expected:
        raise DataError(
            f"{archive} is damaged or another file: its MD5 is {actual}, expected {expected}. Download it again."
        )
    with zipfile.ZipFile(archive) as packed:
        mend = f"download {_PARTITION} and {_ARCHIVE} again"
        return both(lambda name: io.BytesIO(packed.read(f"{_IMAGES}/{name}")), mend)


def _load(_workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    def flaw(kept: Arrays) -> str:
        return _cut_short(len(kept.train), len(kept.test))

    return decoded(kept_sets(data_dir), _PREPARATION, lambda: _decode(data_dir, on_progress), flaw)


def _missing(_workload: Workload, data_dir: Path) -> str:
    if is_kept(kept_sets(data_dir), _PREPARATION):
        return ""
    folder = data_dir / _FOLDER
    if lacking := _absent_files(data_dir):
        sizes = {_PARTITION: "", _ARCHIVE: " (1.4 GB)"}
        how = f"put {' and '.join(f'{name}{sizes[name]}' for name in lacking)} into {folder}"
        return f"{how}; with gdown installed, `prepare celeba64` does"
    try:
        _is_packed(folder, _partition(folder))
    except DataError as error:
        return str(error)
    return ""


FAMILY: Final = Family(
    workloads=(
        Workload(
            name="celeba64",
            summary="182,732 faces, center crop 178x178 resized to 64x64; 1.4 GB to be put in place",
            # Read from the data: decoders of JPEG differ in the last bit.
            content_hash="",
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=50_000,
            evaluate_every=2500,
            samples=10_000,
            modes=0,
            channels=3,
            image_size=SIZE,
            extractor="random-conv-v1",
            photographs=True,
            inception_samples=50_000,
        ),
    ),
    load=_load,
    missing=_missing,
)
