"""`cifar10`: 50,000 + 10,000 color photographs of ten classes, 32x32 (Krizhevsky, 2009)."""

import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.config.workload import Workload
from bench.data import download
from bench.data.cache import decoded, is_kept, kept_sets
from bench.data.family import Arrays, DataError, Family, OnProgress
from bench.files.regular import UnusableFileError, read_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FOLDER: Final = "cifar-10-batches-py"
_BATCHES: Final = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
_PREPARATION: Final = "cifar10-v1"


def _absent(data_dir: Path, reason: str) -> DataError:
    return DataError(
        f"CIFAR-10 is not in {data_dir}: looked for {', '.join(_BATCHES)} in {data_dir / _FOLDER}, and {reason}. "
        f"Give the folder that holds {_FOLDER} with --data DIR or $GAN_LOSS_BENCH_DATA, or fetch it where there is a "
        f"network: {download.by_hand('CIFAR10', data_dir)}"
    )


def _is_there(data_dir: Path) -> bool:
    return all((data_dir / _FOLDER / name).is_file() for name in _BATCHES)


def _download(data_dir: Path, on_progress: OnProgress | None) -> None:
    from torchvision.datasets import CIFAR10

    archive = data_dir / CIFAR10.filename
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not archive.is_file() or download.md5_of(archive) != CIFAR10.tgz_md5:
            download.fetch([CIFAR10.url], CIFAR10.tgz_md5, archive, on_progress)
        with tarfile.open(archive) as packed:
            packed.extractall(data_dir, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise _absent(data_dir, f"the download failed ({error})") from error


def _unpickle(path: Path, md5: str) -> "tuple[NDArray[np.uint8], list[int]]":
    """Read one batch. Its MD5 is checked first, because unpickling unknown bytes could run any code."""
    import numpy as np

    try:
        content = read_regular(path)
    except UnusableFileError as error:
        raise DataError(f"{path} {error}. Delete it, and it is unpacked or downloaded again.") from error
    actual = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if actual != md5:
        raise DataError(
            f"{path} is damaged or another file: its MD5 is {actual}, expected {md5}. "
            f"Delete the folder {path.parent}, and it is unpacked or downloaded again."
        )
    batch: dict[str, Any] = pickle.loads(content, encoding="latin1")  # noqa: S301 - the very bytes that were checked
    return np.asarray(batch["data"], dtype=np.uint8).reshape(-1, 3, 32, 32), list(batch["labels"])


def _decode(data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    import numpy as np

    if not _is_there(data_dir):
        if reason := download.why_not():
            raise _absent(data_dir, reason)
        _download(data_dir, on_progress)
        if not _is_there(data_dir):
            raise _absent(data_dir, "the archive that was downloaded does not hold them")
    from torchvision.datasets import CIFAR10

    def part(listed: list[list[str]]) -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
        batches = [_unpickle(data_dir / _FOLDER / name, md5) for name, md5 in listed]
        labels = [label for _, of_batch in batches for label in of_batch]
        return np.concatenate([images for images, _ in batches]), np.asarray(labels, dtype=np.int64)

    train, train_labels = part(CIFAR10.train_list)
    test, test_labels = part(CIFAR10.test_list)
    return Arrays(train=train, train_labels=train_labels, test=test, test_labels=test_labels)


def _load(_workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    return decoded(kept_sets(data_dir), _PREPARATION, lambda: _decode(data_dir, on_progress))


def _missing(workload: Workload, data_dir: Path) -> str:
    if _is_there(data_dir) or is_kept(kept_sets(data_dir), _PREPARATION):
        return ""
    return f"`prepare {workload.name}` downloads it (170 MB), or put the batches into {data_dir / _FOLDER}"


FAMILY: Final = Family(
    workloads=(
        Workload(
            name="cifar10",
            summary="60,000 color photographs of ten classes, 32x32; downloaded once (170 MB)",
            # Read from the data: torchvision pins the files, not what is decoded from them.
            content_hash="",
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=50_000,
            evaluate_every=2500,
            samples=10_000,
            modes=10,
            channels=3,
            extractor="cifar10-cnn-v1",
            photographs=True,
            inception_samples=50_000,
        ),
    ),
    load=_load,
    missing=_missing,
)
