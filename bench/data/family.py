"""What a family of data sets provides: its workloads, and the loader that turns one of them into arrays."""

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.workload import Workload
from bench.events import OnProgress as OnProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class DataError(ValueError):
    """A data set is missing, unreadable or not the one its workload pins. The message says how to fix it."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """A decoded data set, in the form that the trainer puts on its device. Nothing writes into it.

    Images are uint8 [N, C, H, W] (one channel where they are to be stacked); the points of a toy are float32 [N, 2].
    Labels are int64 [N], zeros where there are no classes.
    """

    train: "NDArray[np.uint8] | NDArray[np.float32]"
    train_labels: "NDArray[np.int64]"
    test: "NDArray[np.uint8] | NDArray[np.float32]"
    test_labels: "NDArray[np.int64]"

    @functools.cached_property
    def content_hash(self) -> str:
        """The SHA-256 of the arrays: names, types, shapes and little-endian values."""
        digest = hashlib.sha256()
        for name in ARRAY_NAMES:
            array = getattr(self, name)
            little_endian = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
            digest.update(f"{name} {little_endian.dtype.str} {little_endian.shape}\n".encode())
            digest.update(little_endian.data)
        return digest.hexdigest()


ARRAY_NAMES = ("train", "train_labels", "test", "test_labels")


@dataclass(frozen=True)
class Form:
    """How a workload that reads a folder of the user is named."""

    prefix: str
    """The part of the name before the colon."""
    usage: str
    example: str
    summary: str
    workload: Callable[[str], Workload]
    """Return the workload that a name stands for, under its canonical name; ValueError if it is not such a name."""


@dataclass(frozen=True)
class Family:
    """A module of this package adds workloads to the registry by having one of these as `FAMILY`."""

    workloads: tuple[Workload, ...]
    load: Callable[[Workload, Path, OnProgress | None], Arrays]
    """Decode a workload's data, given the data folder. The registry checks whether it is the pinned data."""
    missing: Callable[[Workload, Path], str] | None = None
    """Say what must be downloaded before the workload can be loaded, and how; empty if it is there. None: never any."""
    form: Form | None = None
    samples: Callable[[Arrays], int] | None = None
    """Return how many samples an evaluation has, where that depends on the data."""


def content_hash(arrays: Arrays) -> str:
    """Return the SHA-256 of the decoded arrays."""
    return arrays.content_hash
