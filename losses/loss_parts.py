"""What a loss is made of, for the training loop: its terms by name, their sum, and tensors for monitoring."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class LossPart:
    """One term of a loss: its plain value, and what of it entered the total. Both are scalars with their graph."""

    value: Tensor
    weighted: Tensor


@dataclass(frozen=True, eq=False)
class LossParts(Mapping[str, LossPart]):
    """The terms of one phase by part name, their sum, and the tensors a training loop wants to look at.

    A lazy term is absent on its off steps. `fake_images` is what the discriminator's input was made from: in the
    generator's phase it carries the generator's graph, so a hook on it sees the signal the generator receives.
    """

    total: Tensor
    parts: Mapping[str, LossPart]
    fake_images: Tensor | None
    """None where a regularizer stands alone and was given none."""
    fake_logits: Tensor | None
    """None where a regularizer stands alone. Of several scales, those of all one after the other."""
    real_logits: Tensor | None
    """None there, and in a generator phase whose objective did not look at real images."""

    def __getitem__(self, name: str) -> LossPart:
        return self.parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)
