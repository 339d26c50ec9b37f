"""What a criterion survives: networks that are assigned, cells run twice, copies, and losses that went wrong."""

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

import losses

LATENT = 5
BATCH = 4


def discriminator() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 1))


def generator() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(LATENT, 12), nn.Unflatten(1, (3, 2, 2)))


def images(number: int) -> Tensor:
    return torch.randn(BATCH, 3, 2, 2, generator=torch.Generator().manual_seed(number))


def latents(number: int) -> Tensor:
    return torch.randn(BATCH, LATENT, generator=torch.Generator().manual_seed(1000 + number))


Loop = tuple[losses.Criterion, Optimizer, Optimizer]


def loop(method: str, **options: object) -> Loop:
    """A criterion and the optimizers of its players, which it does not follow yet."""
    criterion = losses.Criterion(method, discriminator(), generator(), seed=0, **options)
    players = (criterion.discriminator, criterion.generator)
    d_optimizer, g_optimizer = (SGD(player.parameters(), lr=0.01) for player in players)
    return criterion, d_optimizer, g_optimizer


def update_discriminator(criterion: losses.Criterion, optimizer: Optimizer, number: int) -> losses.LossParts:
    optimizer.zero_grad()
    parts = criterion.discriminator_loss(images(number), latents(number))
    parts.total.backward()
    optimizer.step()
    return parts


# --- networks that are assigned ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_network_that_is_assigned_is_the_one_that_is_called(player: str) -> None:
    criterion = losses.Criterion("hinge", discriminator(), generator(), seed=0)
    before = getattr(criterion, player)
    wrapped = nn.Sequential(before)
    setattr(criterion, player, wrapped)
    assert getattr(criterion, player) is wrapped
    assert list(criterion.parameters()) == []
    assert list(criterion.state_dict()) == ["_extra_state"]
    calls: list[nn.Module] = []
    wrapped.register_forward_hook(lambda module, *_: calls.append(module))
    criterion.generator_loss(latents(0))
    assert calls == [wrapped]
    with pytest.raises(ValueError, match=f"the {player} is a function: expected a torch.nn.Module"):
        setattr(criterion, player, lambda inputs: inputs)
    with pytest.raises(ValueError, match=f"the {player} is a function: expected a torch.nn.Module"):
        criterion.use(**{player: lambda inputs: inputs})
    assert getattr(criterion, player) is wrapped


def test_other_weights_that_are_assigned_are_not_taken_for_updates_that_nobody_counts() -> None:
    criterion, d_optimizer, _ = loop("hinge")
    update_discriminator(criterion, d_optimizer, 0)
    criterion.discriminator = discriminator()
    assert criterion.discriminator_loss(images(1), latents(1)).total.isfinite()


def test_a_frozen_network_is_no_submodule_and_stays_in_its_mode() -> None:
    frozen = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval()
    criterion = losses.Criterion("nsgan", discriminator(), generator(), frozen=frozen)
    criterion.train()
    assert not frozen.training
    assert list(criterion.parameters()) == []
