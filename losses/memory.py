"""What the stateful parts of a method remember from update to update, as a criterion keeps it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from losses.numerics import in_full_precision
from losses.parts import Part
from losses.types import Phase
from losses.whole_batch import WholeBatch

State = dict[str, dict[str, Tensor]]


class Memory:
    """The memory of a method's parts, which moves once an update however often the update's loss is asked for.

    A micro-batch after the first one is given the memory from before the update, and the first one's statistics. A loss
    that raises leaves everything as it was. So does one whose statistics are not finite: its step will be skipped, if
    the loss was scaled.

    Args:
        parts: those of the method.
        whole: the batch that a loss is part of, with the statistics of its micro-batches.
    """

    def __init__(self, parts: Iterable[Part], whole: WholeBatch) -> None:
        self.state: State = {}
        self.whole = whole
        self._phases: Mapping[str, Phase] = {part.name: getattr(part, "phase", "discriminator") for part in parts}
        self._losses: dict[Phase, int] = {"discriminator": 0, "generator": 0}
        self._before: dict[Phase, State] = {"discriminator": {}, "generator": {}}

    def losses(self, phase: Phase) -> int:
        """How many losses of the present update there have been."""
        return self._losses[phase]

    def end_update(self, phase: Phase) -> None:
        """Say that the next loss of a phase belongs to its next update."""
        self._losses[phase] = 0

    def begin_loss(self, phase: Phase) -> None:
        """Count a loss of an update, and put what its parts remember in order for it."""
        if self._losses[phase] == 0:
            self._before[phase] = copied(self._own(phase))
        else:
            self._remember(phase, self._before[phase])
        self.whole.begin(phase, self._losses[phase])
        self._losses[phase] += 1

    @contextmanager
    def one_loss(self, phase: Phase) -> Iterator[None]:
        """Take a loss back that raises after it began, and its statistics if they are not finite."""
        losses, own = self._losses[phase], self._own(phase)
        try:
            yield
        except BaseException:  # an interrupt, too: a notebook goes on with this criterion
            if self._losses[phase] > losses:
                self._losses[phase] = losses
                self._remember(phase, own if losses else self._before[phase])
                self.whole.take_back()
            raise
        if self._losses[phase] > losses:
            self._keep_finite(phase)

    def load(self, state: State, devices: Mapping[Phase, torch.device | None]) -> None:
        """Take up copies of a memory, on the device of the network whose phase each part acts in."""
        self.state = copied(state)
        for phase, device in devices.items():
            for own in self._own(phase).values():
                own.update({name: value.to(device=device) for name, value in own.items()})
            self.end_update(phase)

    def move(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Replace each value by what `fn` makes of it, but never by half precision, in which no loss is computed."""
        for own in self.state.values():
            own.update({name: _moved(value, fn) for name, value in own.items()})

    def _own(self, phase: Phase) -> State:
        """What the parts remember that act in a phase; at a scale beyond the first, under a longer name."""
        return {
            key: own for key, own in self.state.items() if self._phases.get(key.partition(" at scale ")[0]) == phase
        }

    def _remember(self, phase: Phase, memory: State) -> None:
        """Put copies of a memory in place of what the parts of a phase remember."""
        for part in self._own(phase):
            del self.state[part]
        self.state.update(copied(memory))

    @torch.no_grad()
    def _keep_finite(self, phase: Phase) -> None:
        """Give a part the memory from before the update if a statistic has been finite in none of its micro-batches."""
        for part, is_finite in self.whole.finite_statistics(phase).items():
            own, before = self.state.get(part, {}), self._before[phase].get(part, {})
            if own.keys() == before.keys():
                for name, value in own.items():
                    # By `.data`, since the graph of the loss may keep the value: where it is finite, it stays as it is.
                    value.data.copy_(torch.where(is_finite, value, before[name]))
            elif not is_finite:  # at the part's first update: the only time that the host waits for the device
                del self.state[part]


@torch.inference_mode(mode=False)
def copied(state: State) -> State:
    """Return a copy that training can go on with, whatever mode it is asked for in."""
    return {part: {name: value.clone() for name, value in own.items()} for part, own in state.items()}


def _moved(value: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    moved = fn(value)
    return moved if in_full_precision(moved).dtype == moved.dtype else value.to(moved.device)
