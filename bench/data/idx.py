"""Data sets in MNIST's format: four idx files of 28x28 images and labels, padded with zeros to 32x32.

The files are read from where torchvision puts them, FOLDER/<its name>/raw, compressed or not, and downloaded from
torchvision's mirrors if they are missing. Reading needs only numpy, and is as fast as a cache would be.
"""

import gzip
import importlib
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Workload
from bench.data import download
from bench.data.family import Arrays, DataError, OnProgress
from bench.files.regular import LARGEST, UnusableFileError, read_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FILES: Final = {
    "train": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_UNSIGNED_BYTE: Final = 8
_SIDE: Final = 28
_CLASSES: Final = 10
_PADDING: Final = 2


def parse(content: bytes, dimensions: int, source: Path) -> "NDArray[np.uint8]":
    """Decode an idx file of unsigned bytes: two zeros, the type, the rank, the sizes (big-endian), then the values."""
    import numpy as np

    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != magic:
        raise DataError(
            f"{source} is not an idx file of {dimensions}-dimensional bytes: it starts with {content[:4].hex(' ')}, "
            f"expected {magic.hex(' ')}. Delete it, and it is downloaded again."
        )
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[4 * axis : 4 * axis + 4], "big") for axis in range(1, dimensions + 1))
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{source} is damaged: its header promises {' x '.join(map(str, shape))} bytes of values, "
            f"and {max(len(content) - start, 0)} follow. Delete it, and it is downloaded again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _decompressed(content: bytes) -> bytes:
    """Unpack, but not more than a file of this kind has: a few bytes can expand to any number of zeros."""
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
        unpacked = packed.read(LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise OSError(f"it unpacks to more than {LARGEST / 2**20:g} MiB")
    return unpacked


def _read_file(path: Path, dimensions: int) -> "NDArray[np.uint8]":
    try:
        content = read_regular(path)
        if path.suffix == ".gz":
            content = _decompressed(content)
    except UnusableFileError as error:
        raise DataError(f"{path} {error}. Delete it, and it is downloaded again.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}). Delete it, and it is downloaded again.") from error
    return parse(content, dimensions, path)


def _flaw(images: "NDArray[np.uint8]", labels: "NDArray[np.uint8]") -> str:
    """Say why images and labels are not those of one part of a data set of this kind; empty if they may be."""
    count, *size = images.shape
    if size != [_SIDE, _SIDE]:
        return f"the images have {size[0]}x{size[1]} pixels, expected {_SIDE}x{_SIDE}"
    if count == 0 or count != len(labels):
        return f"there are {count:,} images and {len(labels):,} labels"
    if labels.max() >= _CLASSES:
        return f"there is a label {labels.max()}, expected 0 to {_CLASSES - 1}"
    return ""


@dataclass(frozen=True)
class IdxFiles:
    """One data set of this format. Its name is that of its class in torchvision and of its folder."""

    name: str
    megabytes: int
    """The size of the download."""

    def folder(self, data_dir: Path) -> Path:
        return data_dir / self.name / "raw"

    def read(self, data_dir: Path) -> Arrays:
        """Decode the four files; raise DataError if one is missing, damaged or of another data set."""
        import numpy as np

        decoded: dict[str, NDArray[np.uint8]] = {}
        for part, name in _FILES.items():
            path = self._present(data_dir, name)
            if path is None:
                raise self._absent(data_dir, "it is not there")
            decoded[part] = _read_file(path, dimensions=1 if part.endswith("labels") else 3)
        for images in ("train", "test"):
            if flaw := _flaw(decoded[images], decoded[f"{images}_labels"]):
                raise DataError(
                    f"{_FILES[images]} and {_FILES[f'{images}_labels']} in {self.folder(data_dir)} are not of "
                    f"{self.name}, or not of one part of it: {flaw}. Delete them, and they are downloaded again."
                )
        pad = ((0, 0), (0, 0), (_PADDING, _PADDING), (_PADDING, _PADDING))
        return Arrays(
            train=np.pad(decoded["train"][:, np.newaxis], pad),
            train_labels=decoded["train_labels"].astype(np.int64),
            test=np.pad(decoded["test"][:, np.newaxis], pad),
            test_labels=decoded["test_labels"].astype(np.int64),
        )

    def load(self, _workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
        """Decode the files, after downloading those that are missing."""
        if any(self._present(data_dir, name) is None for name in _FILES.values()):
            if reason := download.why_not():
                raise self._absent(data_dir, reason)
            self._download(data_dir, on_progress)
        return self.read(data_dir)

    def missing(self, workload: Workload, data_dir: Path) -> str:
        """Say how to get the files if one is missing."""
        if all(self._present(data_dir, name) is not None for name in _FILES.values()):
            return ""
        return (
            f"`prepare {workload.name}` downloads it ({self.megabytes} MB), "
            f"or put the four files into {self.folder(data_dir)}"
        )

    def _present(self, data_dir: Path, name: str) -> Path | None:
        raw = self.folder(data_dir)
        return next((path for path in (raw / name, raw / f"{name}.gz") if path.is_file()), None)

    def _absent(self, data_dir: Path, reason: str) -> DataError:
        absent = [name for name in _FILES.values() if self._present(data_dir, name) is None]
        return DataError(
            f"{self.name} is not in {data_dir}: looked for {', '.join(absent)} (or .gz) in {self.folder(data_dir)}, "
            f"and {reason}. Give the folder that holds {self.name}/raw with --data DIR or $GAN_LOSS_BENCH_DATA, or "
            f"fetch it where there is a network: {download.by_hand(self.name, data_dir)}"
        )

    def _download(self, data_dir: Path, on_progress: OnProgress | None) -> None:
        listed = getattr(importlib.import_module("torchvision.datasets"), self.name)
        raw = self.folder(data_dir)
        try:
            raw.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._absent(data_dir, f"the folder cannot be made ({error})") from error
        for name, md5 in listed.resources:
            if self._present(data_dir, name.removesuffix(".gz")) is not None:
                continue
            try:
                download.fetch([mirror + name for mirror in listed.mirrors], md5, raw / name, on_progress)
            except OSError as error:
                raise self._absent(data_dir, f"the download failed ({error})") from error
