"""The generator's terms on tensors chosen by hand: the latents are the images, and the images are the features."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import losses


def value(
    expression: str,
    real: Tensor | None,
    latents: Tensor,
    *,
    generator: Callable[[Tensor], Tensor] = lambda latents: latents,
    seed: int = 0,
    **options,
) -> Tensor:
    """Return the unweighted term of a regularizer of the generator."""
    method = losses.get(f"bce_ns + {expression}")
    found = method.generator_loss(
        lambda x: (0 * x.flatten(1).sum(1), x),
        generator,
        latents,
        real,
        rng=torch.Generator().manual_seed(seed),
        **{"step": 0, "frozen": lambda x: x.flatten(1), **options},
    )
    return found[method.regularizers[0].name].value


@pytest.fixture
def generator_value() -> Callable[..., Tensor]:
    return value


@pytest.fixture
def trained() -> Callable[..., None]:
    """Check that a term's weighted value trains the generator, with D frozen as in training: trained(name, ...)."""

    def check(expression: str, critic: torch.nn.Module, generator: torch.nn.Module, latents: Tensor, real: Tensor):
        method = losses.get(f"bce_ns + {expression}")
        critic.requires_grad_(False)
        part = method.regularizers[0]
        found = method.generator_loss(
            critic, generator, latents, real, rng=torch.Generator().manual_seed(0), step=0, state={}
        )[part.name]
        found.weighted.backward()
        assert found.weighted.item() == pytest.approx(part.coefficient * part.every * found.value.item(), rel=1e-12)
        for parameter in generator.parameters():
            assert parameter.grad is not None
            assert parameter.grad.isfinite().all()
            assert parameter.grad.abs().sum() > 0
        assert all(parameter.grad is None for parameter in critic.parameters())

    return check
