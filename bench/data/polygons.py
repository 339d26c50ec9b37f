"""`polygons`: white triangles on black, 32x32, drawn here (after Lucic et al., 2018, "Are GANs created equal?").

A triangle's interior angles are uniform among all triples of at least 20 degrees; it is inscribed in a circle of 0.75
times half the image's side, rotated uniformly, and shifted so that the mean of its vertices is the image's center. The
published generator converts an angle to radians twice, so that its triangles are hardly rotated; these are.

Vertices are rounded to 1/512 pixel, and everything after that uses integers, so that images are the same on every
machine. A pixel has eight scan lines, and the coverage along each line is exact.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Workload
from bench.data.cache import decoded, kept_sets
from bench.data.family import Arrays, Family, OnProgress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTENT_HASH: Final = "7990fd3bd174e1f108e9a47516ade120d7b89de263eef9390a24a0fd16a0d956"
SIZE: Final = 32
MIN_ANGLE: Final = 20.0
"""In degrees."""
SCALE: Final = 0.75
TRAIN_IMAGES: Final = 60_000
TEST_IMAGES: Final = 10_000

_VERTICES: Final = 3
_UNIT: Final = 512
"""Steps of the fixed-point grid in a pixel; coordinates of an image fit into 16 bits."""
_LINES: Final = 8
"""Scan lines in a pixel."""
_CHUNK: Final = 500
"""Triangles drawn at once: their scan lines fit into a processor's cache."""


def triangles(stream: str, count: int) -> "NDArray[np.float64]":
    """Draw vertices [count, 3, 2] (x, y) in pixels from the image's upper left corner, out of the named stream."""
    import numpy as np

    from bench.data import streams

    first, second, turn = streams.uniforms(stream, 3 * count).reshape(count, 3).T
    low, high = np.minimum(first, second), np.maximum(first, second)
    # The pieces of a unit interval cut at two uniform points are uniform on the simplex.
    pieces = np.stack([low, high - low], axis=1)
    angles = MIN_ANGLE + (180.0 - _VERTICES * MIN_ANGLE) * pieces
    # An arc of the circumscribed circle is twice the angle that looks at it.
    arcs = np.concatenate([np.zeros((count, 1)), np.cumsum(2.0 * angles, axis=1)], axis=1)
    directions = np.radians(arcs) + math.tau * turn[:, np.newaxis]
    points = SCALE * SIZE / 2 * np.stack([np.cos(directions), np.sin(directions)], axis=2)
    centered: NDArray[np.float64] = points - points.mean(axis=1, keepdims=True) + SIZE / 2
    return centered


def draw(vertices: "NDArray[np.float64]") -> "NDArray[np.uint8]":
    """Draw convex polygons [N, v, 2] that lie within the image as uint8 [N, 1, 32, 32]: 255 times the share covered."""
    import numpy as np

    corners = np.rint(vertices * _UNIT).astype(np.int64)
    pieces = [_draw(corners[start : start + _CHUNK]) for start in range(0, len(corners), _CHUNK)]
    return np.concatenate(pieces)[:, np.newaxis]


def _draw(corners: "NDArray[np.int64]") -> "NDArray[np.uint8]":
    import numpy as np

    left, right = _crossings(corners)
    pixels = (_UNIT * np.arange(SIZE)).astype(np.int16)
    begin = np.maximum(left[..., np.newaxis], pixels)
    end = np.minimum(right[..., np.newaxis], pixels + np.int16(_UNIT))
    covered = np.maximum(end - begin, np.int16(0)).reshape(len(corners), SIZE, _LINES, SIZE)
    share = covered.sum(axis=2, dtype=np.int32)
    whole = _LINES * _UNIT
    levels: NDArray[np.uint8] = ((share * 255 + whole // 2) // whole).astype(np.uint8)
    return levels


def _crossings(corners: "NDArray[np.int64]") -> "tuple[NDArray[np.int16], NDArray[np.int16]]":
    """Return where each scan line [N, lines] enters and leaves the polygon; twice 0 where it never does."""
    import numpy as np

    lines = _UNIT // (2 * _LINES) * (2 * np.arange(_LINES * SIZE) + 1)
    (x, y), (next_x, next_y) = (
        np.moveaxis(points[..., np.newaxis], 2, 0) for points in (corners, np.roll(corners, -1, axis=1))
    )
    crossed = (y <= lines) != (next_y <= lines)
    rise = np.where(next_y == y, 1, next_y - y)  # a level side crosses no line
    at = x + (lines - y) * (next_x - x) // rise
    outside = _UNIT * SIZE
    left = np.where(crossed, at, outside).min(axis=1)
    right = np.where(crossed, at, -1).max(axis=1)
    never = right < left
    return np.where(never, 0, left).astype(np.int16), np.where(never, 0, right).astype(np.int16)


def _draw_all() -> Arrays:
    import numpy as np

    return Arrays(
        train=draw(triangles("polygons/train", TRAIN_IMAGES)),
        train_labels=np.zeros(TRAIN_IMAGES, dtype=np.int64),
        test=draw(triangles("polygons/test", TEST_IMAGES)),
        test_labels=np.zeros(TEST_IMAGES, dtype=np.int64),
    )


def _load(_workload: Workload, data_dir: Path, _on_progress: OnProgress | None) -> Arrays:
    # The pin is in the name: what another version of this program drew is another file.
    return decoded(kept_sets(data_dir), f"polygons-{CONTENT_HASH[:16]}", _draw_all)


FAMILY: Final = Family(
    workloads=(
        Workload(
            name="polygons",
            summary="70,000 white triangles on black, uniformly rotated, 32x32; no download",
            content_hash=CONTENT_HASH,
            network="dcgan-v2",
            width=64,
            latent_size=100,
            steps=20_000,
            evaluate_every=1000,
            samples=10_000,
            modes=0,
            extractor="random-conv-v1",
        ),
    ),
    load=_load,
)
