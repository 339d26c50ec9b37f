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
