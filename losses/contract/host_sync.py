"""A guard that fails where the host would wait for the device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

READING: Final = frozenset(
    {
        "_local_scalar_dense",
        "item",
        "is_nonzero",
        "equal",
        "nonzero",
        "masked_select",
        "_unique",
        "_unique2",
        "unique_dim",
        "unique_consecutive",
        "bincount",
        "_linalg_check_errors",
        # These look at their own convergence, on a GPU, before they return.
        "_linalg_eigh",
        "_linalg_eigvals",
        "linalg_eig",
        "_linalg_svd",
        "linalg_lstsq",
    }
)
"""Operators whose result, or the shape of it, Python has to know before it can go on."""

_INDEXING: Final = ("index", "index_put", "index_put_", "_index_put_impl_")


class ForbidHostSync(TorchDispatchMode):
    """Raise AssertionError on every operator whose result or shape the host has to wait for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # so that ours is typed

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's signature
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's signature
        operator: Callable[..., Any] = func
        name = func.overloadpacket.__name__
        assert name not in READING, f"{name} reads a tensor from Python: a GPU would stand still meanwhile"
        assert name not in _INDEXING or not _by_mask(args[1]), (
            f"{name} by a boolean mask reads the mask from Python: use torch.where"
        )
        return operator(*args, **(kwargs or {}))


def _by_mask(indices: Sequence[Tensor | None]) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)
