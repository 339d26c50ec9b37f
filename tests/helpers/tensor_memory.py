"""What a computation keeps in memory, counted operator by operator; on the device `meta` without having it."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class TensorMemory(TorchDispatchMode):
    """Inside it, everything that operators return is counted, views of something else not twice."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        """Elements of the largest tensor that an operator returned."""
        self.peak = 0
        """The most bytes that were alive at once."""
        self._live = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        elements, key = storage.nbytes() // tensor.element_size(), storage._cdata  # an expanded number is one number
        self.largest = max(self.largest, elements)
        if key not in self._known:
            self._known.add(key)
            self._live += storage.nbytes()
            self.peak = max(self.peak, self._live)
            weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size


class Kept(torch.autograd.graph.saved_tensors_hooks):
    """Inside it, what graphs keep for their backward passes is counted: `size` bytes in all, shared ones once."""

    def __init__(self) -> None:
        self._storages: dict[int, int] = {}
        super().__init__(self._pack, lambda tensor: tensor)

    def __enter__(self) -> "Kept":
        super().__enter__()
        return self

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        self._storages[storage._cdata] = storage.nbytes()
        return tensor

    @property
    def size(self) -> int:
        return sum(self._storages.values())
