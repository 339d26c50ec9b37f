"""MNIST's four files, small: for tests of what reads them and of what fetches them."""

import struct
from pathlib import Path

import numpy as np

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def tiny_files() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    shapes = {name: (6, 28, 28) if "images" in name else (6,) for name in NAMES}
    return {name: idx(rng.integers(0, 10, shape, dtype=np.uint8)) for name, shape in shapes.items()}


def write_tiny_files(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in tiny_files().items():
        (folder / name).write_bytes(content)
    return folder


def striped(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [N, 28, 28] of ten classes that are easily told apart, by the row of a bright stripe; labels [N]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 10).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 + 2 * int(label) : 6 + 2 * int(label)] += 180
    return images, labels


def write_striped_files(folder: Path, train: int = 512, test: int = 120) -> Path:
    folder.mkdir(parents=True)
    parts = (*striped(train, 0), *striped(test, 1))
    for name, values in zip(NAMES, parts, strict=True):
        (folder / name).write_bytes(idx(values))
    return folder
