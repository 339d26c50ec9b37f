"""Counter-based random numbers that are the same in every release of numpy.

numpy keeps the output of its bit generators stable, but not the distributions of `Generator` (NEP 19). So random
numbers that belong to the definition of a workload are made here from the raw words of Philox.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def uniforms(stream: str, count: int) -> "NDArray[np.float64]":
    """Return the first `count` numbers in [0, 1) of the named stream, with 53 random bits each."""
    import numpy as np

    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:16], "little")
    words = np.random.Philox(key=key).random_raw(count)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def integers(stream: str, count: int, high: int) -> "NDArray[np.int64]":
    """Return `count` integers in [0, high). The bias of flooring is below high / 2^53."""
    import numpy as np

    return np.floor(uniforms(stream, count) * high).astype(np.int64)


def normals(stream: str, count: int) -> "NDArray[np.float64]":
    """Return `count` standard normal pairs [count, 2], by Box and Muller."""
    import numpy as np

    pairs = uniforms(stream, 2 * count).reshape(count, 2)
    radius = np.sqrt(-2.0 * np.log1p(-pairs[:, 0]))
    angle = 2.0 * np.pi * pairs[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
