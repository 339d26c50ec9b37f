"""The SHA-256 of tensors, by which cached files and trained weights are known. It imports no torch."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def digest(tensors: "Mapping[str, Tensor]") -> str:
    """Return the SHA-256 of tensors: their names, types, shapes and values."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {[*tensor.shape]}\n".encode())
        total.update(tensor.contiguous().numpy().tobytes())
    return total.hexdigest()
