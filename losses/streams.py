"""A random stream for each part of a method, which depends on a seed, the part, the phase and the update alone."""

import hashlib
from collections.abc import Iterable, Mapping

import torch


def derive(seed: int, name: str) -> int:
    """Return the 64-bit key of the stream `name` under `seed`."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")


class PartGenerators:
    """A torch generator for each part of a method, reseeded at every update, so that no part shifts another's numbers.

    `label` is one more word in every stream's name, so that processes or micro-batches draw numbers of their own.
    """

    def __init__(self, seed: int, names: Iterable[str], device: torch.device | str) -> None:
        self._seed = seed
        self._generators = {name: torch.Generator(device) for name in names}

    def seed(self, phase: str, step: int, label: str = "") -> None:
        """Set every generator to its state at this update of this phase."""
        for name, generator in self._generators.items():
            # torch takes seeds of 63 bits without a sign.
            generator.manual_seed(derive(self._seed, f"part/{name}/{phase}/{step}{label}") >> 1)

    @property
    def generators(self) -> Mapping[str, torch.Generator]:
        """The generators as they are."""
        return self._generators

    def at(self, phase: str, step: int) -> Mapping[str, torch.Generator]:
        """Return the generators, set to their state at this update of this phase."""
        self.seed(phase, step)
        return self._generators
