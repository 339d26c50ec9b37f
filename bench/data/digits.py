"""`digits` and `stacked-digits`: scikit-learn's UCI digits, which come with the dependency.

1,797 real images of 8x8 pixels and 17 gray levels. Levels are mapped to 0..255, and images are enlarged to 32x32
bilinearly with half-pixel centers and clamped edges (what PyTorch calls `align_corners=False`). By a factor of four
every weight is a multiple of 1/8, so the enlargement is done in integers and is exact on every machine.
"""

import importlib.util
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Budget, Workload
from bench.data.family import Arrays, DataError, Family, OnProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTENT_HASH: Final = "9bfdd6fc50282cdcf19b0a4849550b32372f16f2fff0aae28deaefc95929433c"
HOLD_OUT: Final = 5
"""Every fifth image is held out for testing: index % 5 == 4."""

_FILE: Final = Path("data") / "digits.csv.gz"
"""Rows of 64 gray levels and the label, inside scikit-learn's `datasets`."""
_LEVELS: Final = 16
_SCALE: Final = 4


def _enlarge(images: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Enlarge [N, H, W] fourfold along the last axis; the values come out eight times as large."""
    import numpy as np

    size = images.shape[-1]
    # Output pixel i lies at (i + 1/2) / 4 - 1/2 of the input's grid, that is at (2 i - 3) / 8.
    eighths = 2 * np.arange(_SCALE * size) - (_SCALE - 1)
    left, weight = np.divmod(eighths, 2 * _SCALE)
    near = np.clip(left, 0, size - 1)
    far = np.clip(left + 1, 0, size - 1)
    enlarged: NDArray[np.int64] = images[..., near] * (2 * _SCALE - weight) + images[..., far] * weight
    return enlarged


def prepare(levels: "NDArray[np.int64]") -> "NDArray[np.uint8]":
    """Turn gray levels 0..16 [N, 8, 8] into images 0..255 [N, 1, 32, 32]."""
    import numpy as np

    pixels = (levels * 255 + _LEVELS // 2) // _LEVELS
    wide = _enlarge(pixels)
    scaled = _enlarge(wide.swapaxes(1, 2)).swapaxes(1, 2)
    weights = (2 * _SCALE) ** 2
    return ((scaled + weights // 2) // weights).astype(np.uint8)[:, np.newaxis]


def _unreadable(workload: Workload, reason: str) -> DataError:
    return DataError(
        f"workload {workload.name!r} reads its images from scikit-learn, which {reason}; install it with: "
        "pip install --force-reinstall scikit-learn"
    )


def _load(workload: Workload, data_dir: Path, on_progress: OnProgress | None) -> Arrays:
    import numpy as np

    # The file is read without importing scikit-learn, which would take each trial's process seconds.
    package = importlib.util.find_spec("sklearn")
    source = None if package is None or package.origin is None else Path(package.origin).with_name("datasets") / _FILE
    if source is None or not source.is_file():
        raise _unreadable(workload, "is not installed" if source is None else f"has no file {source}")
    try:
        rows = np.loadtxt(source, delimiter=",", dtype=np.int64, ndmin=2)
        images, labels = prepare(rows[:, :-1].reshape(-1, 8, 8)), rows[:, -1]
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise _unreadable(workload, f"has a damaged file {source} ({error})") from error
    is_test = np.arange(len(images)) % HOLD_OUT == HOLD_OUT - 1
    return Arrays(
        train=images[~is_test], train_labels=labels[~is_test], test=images[is_test], test_labels=labels[is_test]
    )


FAMILY: Final = Family(
    workloads=(
        Workload(
            name="digits",
            summary="1,797 real handwritten digits, 8x8 enlarged to 32x32; no download",
            content_hash=CONTENT_HASH,
            network="dcgan-v2",
            width=32,
            latent_size=100,
            steps=3000,
            evaluate_every=500,
            samples=2000,
            modes=10,
            extractor="digits-cnn-v1",
            quick=Budget(steps=600, evaluate_every=200),
        ),
        Workload(
            name="stacked-digits",
            summary="three random digits as color channels: 1,000 modes; no download",
            content_hash=CONTENT_HASH,
            network="dcgan-v2",
            width=32,
            latent_size=100,
            steps=3000,
            evaluate_every=500,
            samples=26_000,
            modes=1000,
            channels=3,
            stack=3,
            extractor="digits-cnn-v1",
            scored_by="modes",
        ),
    ),
    load=_load,
)
