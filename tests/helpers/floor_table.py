"""Is the floor what fresh real images get? Subsets of many images, measured as data sets of their own.

`PYTHONPATH=.:tests/helpers python tests/helpers/floor_table.py FEATURES.npy...` prints the table for features [N, d].
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from bench import data
from bench.metrics.floors import distance_floors
from bench.metrics.frechet import frechet_distance, moments, square_root
from bench.metrics.reference import arranged

FOLDER = data.workload("imagefolder:photos")
SIZES = {500: 5, 1000: 5, 3000: 4, 10_000: 3}
"""How many images a data set has, a tenth of them held out, and how many such sets are drawn."""
COUNTS = (1000, 2000, 10_000)
_DRAWS = 3
"""How many sets of fresh images are held against each of them."""


@dataclass(frozen=True)
class Row:
    """Fresh images against one size of data set."""

    images: int
    count: int
    fresh: float
    """The distance of `count` fresh images to the reference, in the mean over the sets."""
    floor: float
    """The floor, in the mean."""
    worst: float
    """Of the single sets' floors, the one farthest from `fresh`, over `fresh`."""
    parts: float
    """The distance of the test part to the training part."""

    def __str__(self) -> str:
        sizes = f"{self.images:6,} images  {self.count:6,} samples"
        floor = f"floor {self.floor:8.3f}  {self.floor / self.fresh:5.2f} of it (worst {self.worst:.2f})"
        return f"{sizes}  fresh {self.fresh:8.3f}  {floor}  parts {self.parts:8.3f}"


def distance(first: Tensor, second: Tensor) -> float:
    fitted = moments(first)
    return frechet_distance(fitted, square_root(fitted.covariance), moments(second))


def table(features: Tensor, sizes: dict[int, int] = SIZES, counts: tuple[int, ...] = COUNTS) -> Iterator[Row]:
    """Yield a row for each size and count, given the features [N, d] of all images, N above size + count."""
    rng = np.random.default_rng(3)
    for images, sets in sizes.items():
        found: dict[int, list[tuple[float, float, float]]] = {count: [] for count in counts}
        for _ in range(sets):
            drawn = features[torch.from_numpy(rng.permutation(len(features)))]
            train, test, rest = drawn.split([images - images // 10, images // 10, len(features) - images])
            parts = distance(train, test)
            real = arranged(FOLDER, train, test)
            for count in counts:
                floor = distance_floors(real, FOLDER.kind, count, parts)[0]
                fresh = [distance(real.reference, drawn) for drawn in rest[: _DRAWS * count].split(count)]
                found[count].append((fmean(fresh), floor, parts))
        for count, rows in found.items():
            fresh, floor, parts = (fmean(column) for column in zip(*rows, strict=True))
            worst = max((row[1] / fresh for row in rows), key=lambda ratio: abs(np.log(ratio)))
            yield Row(images, count, fresh, floor, worst, parts)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        sys.stdout.write(f"{path.stem}\n")
        for row in table(torch.from_numpy(np.load(path))):
            sys.stdout.write(f"{row}\n")
