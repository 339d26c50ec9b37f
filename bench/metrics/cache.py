"""How the content of what is cached is known. No torch."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bench.files.places import CACHE_VARIABLE as CACHE_VARIABLE
from bench.files.places import default_cache_dir as default_cache_dir

if TYPE_CHECKING:
    from torch import Tensor


def digest(tensors: "Mapping[str, Tensor]") -> str:
    """Return the SHA-256 of tensors: names, types, shapes and values."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {[*tensor.shape]}\n".encode())
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()
