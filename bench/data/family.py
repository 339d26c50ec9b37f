"""What a family of data sets gives: its workloads, and the loader that turns one of them into arrays."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.workload import Workload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OnProgress = Callable[[str, int, int], None]
"""Called with what is being fetched, how much of it is here, and how much there is (0: unknown), in bytes."""


class DataError(ValueError):
    """A data set is missing, unreadable or not the one its workload pins. The message says how to mend it."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """A decoded data set, in the form the trainer puts on its device.

    Images are uint8 [N, 1, H, W]; the points of a toy are float32 [N, 2]. Labels are int64 [N].
    """

    train: "NDArray[np.uint8] | NDArray[np.float32]"
    train_labels: "NDArray[np.int64]"
    test: "NDArray[np.uint8] | NDArray[np.float32]"
    test_labels: "NDArray[np.int64]"


@dataclass(frozen=True)
class Family:
    """A module of this package that has one of these as `FAMILY` adds its workloads to the registry."""

    workloads: tuple[Workload, ...]
    load: Callable[[Workload, Path, OnProgress | None], Arrays]
    """Decode a workload's data, given the data folder. Whether it is the pinned data is checked by the registry."""


def content_hash(arrays: Arrays) -> str:
    """Return the SHA-256 of the decoded arrays: names, types, shapes and little-endian values."""
    digest = hashlib.sha256()
    for name in ("train", "train_labels", "test", "test_labels"):
        array = getattr(arrays, name)
        little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"{name} {little_endian.dtype.str} {little_endian.shape}\n".encode())
        digest.update(little_endian.data)
    return digest.hexdigest()
