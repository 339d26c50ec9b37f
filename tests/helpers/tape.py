"""A recorder for the CPU that behaves as a CUDA graph does: operators on their memory, and no Python in a replay.

Every operator of a call is written down as it reaches the device, with the very tensors it read and wrote. A replay
runs them again in order and puts each result where it was the first time. So whatever a recording fixes on CUDA is
fixed here too: numbers that Python computed, memory that was replaced, a generator that was not seeded from outside.
"""

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITING = ("aten::_local_scalar_dense", "aten::_linalg_check_errors", "aten::nonzero")
"""Operators that wait for a value of the device, which no graph can hold."""


class Tape(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[Any, tuple, dict, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func.name().startswith(WAITING):
            raise RuntimeError(f"{func.name()} waits for the device, which a recording cannot")
        result = func(*args, **(kwargs or {}))
        self.written.append((func, args, kwargs or {}, tensors(result)))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, places in self.written:
            for place, value in zip(places, tensors(func(*args, **kwargs)), strict=True):
                if place.untyped_storage()._cdata != value.untyped_storage()._cdata:
                    place.copy_(value)


class Tapes:
    """Records by tapes; counts what it made."""

    def __init__(self) -> None:
        self.recordings = 0
        self.replays = 0

    def run(self, call: Callable[[], None]) -> None:
        call()

    def record(self, call: Callable[[], None], generators: Collection[torch.Generator]) -> Callable[[], None]:
        tape = Tape()
        with tape:
            call()
        self.recordings += 1

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return replay


def tensors(tree: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
