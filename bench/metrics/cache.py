"""The user's cache of what takes long to compute: where it is, and how its content is named. No torch."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.store.user_cache import CACHE_VARIABLE as CACHE_VARIABLE
from bench.store.user_cache import default_cache_dir as default_cache_dir
from bench.store.user_cache import write_whole as write_whole

if TYPE_CHECKING:
    from torch import Tensor


def digest(tensors: "Mapping[str, Tensor]") -> str:
    """Return the SHA-256 of tensors: names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {[*tensor.shape]}\n".encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()
