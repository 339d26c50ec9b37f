"""What a discriminator is shown of given images, and losses of logits that a test writes down."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import losses

State = dict[str, dict[str, Tensor]]


@pytest.fixture
def shown() -> Callable[..., Tensor]:
    """Return what a discriminator sees of real images: shown(expression, images, state=, step=, seed=, fake=)."""

    def show(
        expression: str,
        images: Tensor,
        *,
        fake: Tensor | None = None,
        state: State | None = None,
        step: int = 0,
        seed: int = 0,
    ) -> Tensor:
        seen: list[Tensor] = []

        def critic(x: Tensor) -> Tensor:
            seen.append(x.detach())
            return x.flatten(1).sum(1)

        losses.get(f"hinge + {expression}").discriminator_loss(
            critic,
            images,
            images if fake is None else fake,
            rng=torch.Generator().manual_seed(seed),
            step=step,
            state={} if state is None else state,
        )
        return seen[0]

    return show


@pytest.fixture
def scripted() -> Callable[..., tuple[losses.LossParts, Tensor, Tensor]]:
    """Run a discriminator's phase on logits written down: (loss, gradient by the real ones, by the fake ones)."""

    def run(
        method: str | losses.Method, real: list, fake: list, state: State
    ) -> tuple[losses.LossParts, Tensor, Tensor]:
        a, b = (torch.tensor(logits, dtype=torch.float64, requires_grad=True) for logits in (real, fake))
        method = losses.get(method) if isinstance(method, str) else method
        turns = iter((a, b))  # the discriminator sees the reals first
        parts = method.discriminator_loss(
            lambda x: next(turns),
            torch.ones(len(real), 1, 2, 2),
            torch.zeros(len(fake), 1, 2, 2),
            rng=torch.Generator().manual_seed(0),
            state=state,
        )
        gradients = torch.autograd.grad(parts.total, (a, b), allow_unused=True)
        return parts, *(torch.zeros_like(a) if gradient is None else gradient for gradient in gradients)

    return run
