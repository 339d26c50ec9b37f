"""What one phase of a method costs, counted while it runs on tiny networks.

Forwards are counted in batches, so two batches joined into one count as two. An input gradient counts as a double
backward if the phase's own backward pass goes through it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import torch
from torch import Tensor, nn

from losses import Method, Part
from losses.contract.toy_problem import SAMPLES, ToyProblem, method_with
from losses.types import Phase

BASELINE: Final = "bce_ns"
"""What a part's cost is added to."""


@dataclass(frozen=True)
class Cost:
    """The passes of one phase, in batches; `gradients` are input gradients that are not differentiated again."""

    d_forwards: float
    double_backwards: int
    g_forwards: float
    gradients: int = 0

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.d_forwards - other.d_forwards,
            self.double_backwards - other.double_backwards,
            self.g_forwards - other.g_forwards,
            self.gradients - other.gradients,
        )

    @property
    def compact(self) -> str:
        """D forwards / double backwards / G forwards."""
        return f"{self.d_forwards:g} / {self.double_backwards} / {self.g_forwards:g}"

    def __str__(self) -> str:
        counted = [
            (self.d_forwards, "D forward"),
            (self.double_backwards, "double backward"),
            (self.g_forwards, "G forward"),
            (self.gradients, "input gradient that is not differentiated again"),
        ]
        return ", ".join(f"{count:g} {what if count == 1 else _plural(what)}" for count, what in counted if count)


def count(method: Method) -> tuple[Cost, Cost]:
    """Return the costs of the discriminator's and the generator's phase in a step in which every lazy term is due.

    The discriminator's phase includes the forward that makes its fakes.
    """
    return _count(method, "discriminator"), _count(method, "generator")


def added(part: Part) -> tuple[Cost, Cost]:
    """Return what a part that is no objective adds to either phase."""
    with_it, without = count(method_with(part, objective=BASELINE)), count(method_with(objective=BASELINE))
    return with_it[0] - without[0], with_it[1] - without[1]


@cache
def _count(method: Method, phase: Phase) -> Cost:
    problem = ToyProblem(method)
    forwards = {"discriminator": 0, "generator": 0}
    _count_samples(problem.critic, "discriminator", forwards)
    _count_samples(problem.generator, "generator", forwards)
    other = problem.generator if phase == "discriminator" else problem.critic
    other.requires_grad_(False)  # as in training: an input gradient does not depend on it
    with _counted_gradients() as gradients:
        total = problem.run(phase).total
        if total.requires_grad:
            total.backward()
    return Cost(
        d_forwards=forwards["discriminator"] / SAMPLES,
        double_backwards=gradients["twice"],
        g_forwards=forwards["generator"] / (SAMPLES * method.pack),
        gradients=gradients["all"] - gradients["twice"],
    )


def _count_samples(network: nn.Module, name: str, forwards: dict[str, int]) -> None:
    def count_one(_: nn.Module, inputs: tuple[Tensor, ...], __: object) -> None:
        forwards[name] += inputs[0].shape[0]

    network.register_forward_hook(count_one)


@contextmanager
def _counted_gradients() -> Iterator[dict[str, int]]:
    """Count the gradients taken with a graph inside, and those among them that are differentiated again."""
    counts = {"all": 0, "twice": 0}
    plain = torch.autograd.grad

    def note_second_use(_: Tensor) -> None:
        counts["twice"] += 1

    def counting(*arguments: Any, **options: Any) -> tuple[Tensor, ...]:  # noqa: ANN401 - whatever torch takes
        gradients: tuple[Tensor, ...] = plain(*arguments, **options)
        if options.get("create_graph"):
            counts["all"] += 1
            if gradients[0].requires_grad:
                gradients[0].register_hook(note_second_use)
        return gradients

    with patch.object(torch.autograd, "grad", counting):
        yield counts


def _plural(what: str) -> str:
    noun, that, rest = what.partition(" that is ")
    return f"{noun}s that are {rest}" if that else f"{what}s"
