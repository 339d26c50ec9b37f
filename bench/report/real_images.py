"""Pictures of real images, to stand beside generated ones: a grid like those that trials leave."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import data
from bench.data import DataError
from bench.files.regular import UnusableFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.store.record import Record

_SIDE: Final = 8
_GAP: Final = 2
_UPSCALE: Final = 2
_WHITE: Final = 255


def real_pictures(records: "Iterable[Record]", data_dir: Path | None = None) -> dict[str, bytes]:
    """Return a picture of each workload whose images are on this machine; nothing is downloaded for it.

    Shown is only what all records of the workload were trained on: what lies there today may be other images. Toys have
    no images. Stacks have no fixed ones: their channels are drawn anew for every batch.
    """
    hashes: dict[str, set[str]] = {}
    for record in records:
        hashes.setdefault(record.spec.workload, set()).add(record.spec.data_hash)
    pictures = {}
    for name, contents in sorted(hashes.items()):
        if len(contents) > 1 or not data.workload(name).has_single_images or data.lacking(name, data_dir):
            continue
        try:
            images = data.load(name, data_dir, expected=next(iter(contents))).train
        except (DataError, UnusableFileError):  # other data under the name: not what the samples are held against
            continue
        pictures[name] = picture(images[: _SIDE**2])
    return pictures


def picture(images: "NDArray[np.uint8] | NDArray[np.float32]") -> bytes:
    """Lay uint8 images [N, C, H, W] out in rows, with white gaps, as a PNG."""
    import numpy as np
    from PIL import Image

    count, channels, height, width = images.shape
    rows = -(-count // _SIDE)
    grid = np.full((rows * (height + _GAP) + _GAP, _SIDE * (width + _GAP) + _GAP, channels), _WHITE, dtype=np.uint8)
    for index, image in enumerate(images):
        top, left = (
            _GAP + number * (size + _GAP) for number, size in zip(divmod(index, _SIDE), (height, width), strict=True)
        )
        grid[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    enlarged = grid.repeat(_UPSCALE, axis=0).repeat(_UPSCALE, axis=1)
    content = io.BytesIO()
    Image.fromarray(enlarged.squeeze(2) if channels == 1 else enlarged).save(content, format="PNG")
    return content.getvalue()
