"""The whole batch of an update, of which one call may see a part: other processes hold more, or micro-batches follow.

Data parallel training averages the gradients of the processes. That is right for a mean over samples, and wrong for
everything that compares samples: a mean of logits inside a loss, a kernel between all pairs, a running mean. These
look at the whole batch, which is gathered here with the one operation that is asked of the caller, a sum over all
processes.

Legend: R = processes; r = the number of this one; B = samples of each.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

AllReduce = Callable[[Tensor], object]
"""Adds up a tensor over all processes, in place: `torch.distributed.all_reduce` as it is."""


_Sums = dict[tuple[str, str, int], tuple[Tensor, Tensor]]
"""By phase, part and the part's how-manieth statistic: the sum of the finite ones, and how many there are."""


class WholeBatch:
    """What one process must know to see the batches of all, and one micro-batch those before it in the same update.

    Args:
        all_reduce: a sum over all processes, in place; None where there is one process.
        rank: the number of this process.
        processes: how many there are. Each holds equally many samples.

    Raises:
        ValueError: for a rank that is none of 0 to processes - 1.
    """

    def __init__(self, all_reduce: AllReduce | None = None, rank: int = 0, processes: int = 1) -> None:
        if not 0 <= rank < processes:
            raise ValueError(f"rank {rank} of {processes} processes: expected 0 to {processes - 1}")
        if all_reduce is None and processes > 1:
            raise ValueError(f"{processes} processes need all_reduce, such as torch.distributed.all_reduce")
        self.all_reduce = all_reduce if processes > 1 else None
        self.rank, self.processes = rank, processes
        self._sums: _Sums = {}
        self._earlier: _Sums = {}
        self._read: dict[str, int] = {}
        self._phase, self._micro_batch = "", 0

    def fresh(self) -> "WholeBatch":
        """Return one for a loss that belongs to no update."""
        return WholeBatch(self.all_reduce, self.rank, self.processes)

    @property
    def micro_batches(self) -> int:
        """How many micro-batches of this update there have been, the present one included."""
        return self._micro_batch + 1

    def begin(self, phase: str, micro_batch: int) -> None:
        """Say which micro-batch of its update the next call of a phase sees, from 0."""
        if micro_batch == 0:
            self._sums = {key: total for key, total in self._sums.items() if key[0] != phase}
        self._earlier = dict(self._sums)
        self._read.clear()
        self._phase, self._micro_batch = phase, micro_batch

    def take_back(self) -> None:
        """Forget what the present call has added: it has failed."""
        self._sums = self._earlier

    def gathered(self, values: Tensor) -> Tensor:
        """Return the values [B, ...] of all processes, [R B, ...], those of process 0 first.

        They are constants but for this process's own, whose gradient is multiplied by R: the mean over processes, which
        data parallel training takes of it, is then the gradient of a loss of the whole batch.
        """
        if self.all_reduce is None:
            return values
        gathered: Tensor = _Gather.apply(values, self)
        return gathered

    @torch.no_grad()
    def mean(self, value: Tensor, part: str) -> Tensor:
        """Return the mean of a statistic over the micro-batches of this update so far, without a graph.

        What is not finite does not enter it: in half precision one forward may overflow, and its step is skipped. It is
        NaN where there has been nothing else. Over the processes it is the same already, if it was computed from what
        was gathered.
        """
        call = self._read[part] = self._read.get(part, 0) + 1
        key = (self._phase, part, call)
        is_finite = value.isfinite()
        total, count = torch.where(is_finite, value, 0), is_finite.to(value.dtype)
        if self._micro_batch > 0:
            earlier_total, earlier_count = self._sums[key]
            total, count = earlier_total + total, earlier_count + count
        self._sums[key] = total, count
        return total / count

    def finite_statistics(self, phase: str) -> dict[str, Tensor]:
        """Return, for each part that has asked for a mean, whether all its means are finite; on the device."""
        finite: dict[str, Tensor] = {}
        for (own_phase, part, _), (_, count) in self._sums.items():
            if own_phase == phase:
                is_finite = (count > 0).all()
                finite[part] = finite[part] & is_finite if part in finite else is_finite
        return finite


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, whole: WholeBatch) -> Tensor:  # noqa: ANN401 - a FunctionCtx
        ctx.whole, ctx.own = whole, slice(whole.rank * len(values), (whole.rank + 1) * len(values))
        places = values.new_zeros(whole.processes * len(values), *values.shape[1:])
        places[ctx.own] = values
        assert whole.all_reduce is not None
        whole.all_reduce(places)
        return places

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return gradients[0][ctx.own] * ctx.whole.processes, None
