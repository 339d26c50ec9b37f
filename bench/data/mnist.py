"""`mnist`: 60,000 + 10,000 handwritten digits, 28x28 padded with zeros to 32x32.

The files are read where torchvision lays them, FOLDER/MNIST/raw, packed or not, and fetched from torchvision's mirrors
when they are missing. Reading needs numpy alone.
"""

import gzip
import hashlib
import math
import os
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Workload
from bench.data.family import Arrays, DataError, Family, OnProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTENT_HASH: Final = "b49aae7b91bb5f5186ebff155ab599eb6e95534dc6773645b68a1be866d05ef5"
OFFLINE_VARIABLE: Final = "GAN_LOSS_BENCH_OFFLINE"
"""Set to anything but 0 or nothing, it switches downloads off."""

_FILES: Final = {
    "train": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
_UNSIGNED_BYTE: Final = 8
_PADDING: Final = 2
_BLOCK: Final = 1 << 16


def parse_idx(content: bytes, dimensions: int, source: Path) -> "NDArray[np.uint8]":
    """Decode an idx file of unsigned bytes: two zeros, the type, the rank, the sizes (big-endian), then the values."""
    import numpy as np

    magic = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != magic:
        raise DataError(
            f"{source} is not an idx file of {dimensions}-dimensional bytes: it starts with {content[:4].hex(' ')}, "
            f"expected {magic.hex(' ')}. Delete it, and it is fetched again."
        )
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[4 * axis : 4 * axis + 4], "big") for axis in range(1, dimensions + 1))
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{source} is damaged: its header promises {' x '.join(map(str, shape))} bytes of values, "
            f"and {max(len(content) - start, 0)} follow. Delete it, and it is fetched again."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _present(raw: Path, name: str) -> Path | None:
    candidates = (raw / name, raw / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path, dimensions: int) -> "NDArray[np.uint8]":
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}). Delete it, and it is fetched again.") from error
    return parse_idx(content, dimensions, path)


def read(data_dir: Path) -> Arrays:
    """Decode the four files under DATA_DIR/MNIST/raw; raise DataError naming what is missing or damaged."""
    import numpy as np

    raw = data_dir / "MNIST" / "raw"
    found: dict[str, NDArray[np.uint8]] = {}
    for part, name in _FILES.items():
        path = _present(raw, name)
        if path is None:
            raise _missing(data_dir, "it is not there")
        found[part] = _read(path, dimensions=1 if part.endswith("labels") else 3)
    pad = ((0, 0), (0, 0), (_PADDING, _PADDING), (_PADDING, _PADDING))
    return Arrays(
        train=np.pad(found["train"][:, np.newaxis], pad),
        train_labels=found["train_labels"].astype(np.int64),
        test=np.pad(found["test"][:, np.newaxis], pad),
        test_labels=found["test_labels"].astype(np.int64),
    )


def _missing(data_dir: Path, reason: str) -> DataError:
    raw = data_dir / "MNIST" / "raw"
    absent = [name for name in _FILES.values() if _present(raw, name) is None]
    return DataError(
        f"MNIST is not in {data_dir}: looked for {', '.join(absent)} (or .gz) in {raw}, and {reason}. "
        "Give the folder that holds MNIST/raw with --data DIR or $GAN_LOSS_BENCH_DATA, or fetch it where there is "
        f'a network: python -c "import torchvision; torchvision.datasets.MNIST({str(data_dir)!r}, download=True)"'
    )


def _fetch(address: str, md5: str, target: Path, on_progress: OnProgress | None) -> None:
    """Download one file beside its place and move it there whole, so that no reader ever sees half of it."""
    digest = hashlib.md5(usedforsecurity=False)
    handle, partial = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        # The addresses are torchvision's own list of mirrors.
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(address, timeout=30) as response:  # noqa: S310
            total = int(response.headers.get("Content-Length") or 0)
            while block := response.read(_BLOCK):
                file.write(block)
                digest.update(block)
                if on_progress is not None:
                    on_progress(target.name, file.tell(), total)
        if digest.hexdigest() != md5:
            raise OSError(f"{address} sent something else: MD5 {digest.hexdigest()}, expected {md5}")
        Path(partial).replace(target)
    finally:
        Path(partial).unlink(missing_ok=True)


def _download(data_dir: Path, on_progress: OnProgress | None) -> None:
    """Fetch the files that are missing, each from the first of torchvision's mirrors that has it."""
    from torchvision.datasets import MNIST

    raw = data_dir / "MNIST" / "raw"
    try:
        raw.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _missing(data_dir, f"the folder cannot be made ({error})") from error
    for name, md5 in MNIST.resources:
        if _present(raw, name.removesuffix(".gz")) is not None:
            continue
        failures = []
        for mirror in MNIST.mirrors:
            try:
                _fetch(mirror + name, md5, raw / name, on_progress)
                break
            except OSError as error:
                failures.append(f"{mirror}: {error}")
        else:
            raise _missing(data_dir, f"the download failed ({'; '.join(failures)})")


def _load(workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    raw = data_dir / "MNIST" / "raw"
    if any(_present(raw, name) is None for name in _FILES.values()):
        if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
            raise _missing(data_dir, f"downloads are switched off by ${OFFLINE_VARIABLE}")
        _download(data_dir, on_progress)
    return read(data_dir)


FAMILY: Final = Family(
    workloads=(
        Workload(
            name="mnist",
            summary="70,000 handwritten digits, 28x28 padded to 32x32; downloaded once (11 MB)",
            content_hash=CONTENT_HASH,
            network="dcgan-v1",
            width=64,
            latent_size=100,
            steps=20_000,
            evaluate_every=1000,
            samples=10_000,
            modes=10,
            extractor="mnist-cnn-v1",
        ),
    ),
    load=_load,
)
