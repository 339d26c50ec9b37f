"""The operations and bytes of a call, counted operator by operator while it runs."""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_ALLOCATIONS: Final = ("aten::empty", "aten::new_empty")


def count(call: Callable[[], object]) -> tuple[int, int]:
    """Return the floating-point operations and the bytes of a call.

    Operations are the multiplications and additions of matrix products and convolutions in every pass, by the formulas
    of `torch.utils.flop_counter`. Elementwise operators count by their bytes only. Bytes are what each operator reads
    and writes if it is launched on its own, as eager operators are. Views and allocations move nothing.
    """
    counter = _Counter()
    with counter:
        call()
    return counter.flops, counter.bytes


class _Counter(TorchDispatchMode):
    # torch's own FlopCounterMode puts hooks on modules, which fail for input gradients at leaves.
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        options = kwargs or {}
        result = func(*args, **options)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += int(formula(*args, **options, out_val=result))
        if not func.name().startswith(_ALLOCATIONS):
            self.bytes += _moved(_tensors((args, options)), _tensors(result), mutates=func._schema.is_mutable)
        return result


def _moved(read: list[Tensor], written: list[Tensor], *, mutates: bool) -> int:
    sources = {_storage(tensor) for tensor in read}
    if not mutates and written and all(_storage(tensor) in sources for tensor in written):
        return 0  # a view
    return sum(tensor.numel() * tensor.element_size() for tensor in [*read, *written])


def _tensors(arguments: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor)]


def _storage(tensor: Tensor) -> int:
    # Of some tensors the storage has no pointer that may be read; its identity always can.
    return int(tensor.untyped_storage()._cdata)
