"""What a criterion survives: networks that are assigned, cells run twice, copies, and losses that went wrong."""

import copy
import pickle
from collections.abc import Callable

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


def following(method: str, **options: object) -> Loop:
    parts = loop(method, **options)
    parts[0].follow(*parts[1:])
    return parts


def update_discriminator(criterion: losses.Criterion, optimizer: Optimizer, number: int) -> losses.LossParts:
    optimizer.zero_grad()
    parts = criterion.discriminator_loss(images(number), latents(number))
    parts.total.backward()
    optimizer.step()
    return parts


def update_generator(criterion: losses.Criterion, optimizer: Optimizer, number: int) -> losses.LossParts:
    optimizer.zero_grad()
    parts = criterion.generator_loss(latents(-number), images(number))
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


# --- who counts updates -----------------------------------------------------------------------------------------------


def test_a_criterion_that_follows_twice_counts_a_step_once() -> None:
    criterion, d_optimizer, g_optimizer = following("hinge + r1(every=4)")
    criterion.follow(d_optimizer, g_optimizer)
    due = ["r1" in update_discriminator(criterion, d_optimizer, number) for number in range(8)]
    assert due == [number % 4 == 0 for number in range(8)]
    update_generator(criterion, g_optimizer, 0)
    assert (criterion.discriminator_updates, criterion.generator_updates) == (8, 1)


def test_a_criterion_that_follows_other_optimizers_counts_those_alone() -> None:
    criterion, d_optimizer, g_optimizer = following("hinge")
    players = (criterion.discriminator, criterion.generator)
    criterion.follow(*(SGD(player.parameters(), lr=0.01) for player in players))
    update_discriminator(criterion, d_optimizer, 0)
    update_generator(criterion, g_optimizer, 0)
    assert (criterion.discriminator_updates, criterion.generator_updates) == (0, 0)


def test_updates_of_one_player_alone_that_are_counted_do_not_hide_those_of_the_other() -> None:
    criterion, d_optimizer, g_optimizer = loop("hinge + lecam(start=2)")
    for number in range(2):
        update_discriminator(criterion, d_optimizer, number)
        criterion.discriminator_updated()
    update_generator(criterion, g_optimizer, 0)
    with pytest.raises(ValueError, match=r"the generator's weights have changed .* criterion.generator_updated\(\)"):
        update_generator(criterion, g_optimizer, 1)
    criterion.generator_updated()
    update_generator(criterion, g_optimizer, 1)
    criterion, d_optimizer, _ = loop("hinge")
    criterion.generator_updated()
    update_discriminator(criterion, d_optimizer, 0)
    with pytest.raises(ValueError, match=r"the discriminator's weights have changed"):
        update_discriminator(criterion, d_optimizer, 1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda parts: pickle.loads(pickle.dumps(parts))])
def test_a_copy_says_that_nobody_counts_for_it(copied: Callable[[Loop], Loop]) -> None:
    original = following("hinge + r1(every=4)")
    update_discriminator(*original[:2], 0)
    criterion, d_optimizer, g_optimizer = copied(original)
    update_discriminator(criterion, d_optimizer, 1)
    with pytest.raises(ValueError, match=r"no update was counted: call criterion.follow\(d_optimizer, g_optimizer\)"):
        update_discriminator(criterion, d_optimizer, 2)
    criterion.follow(d_optimizer, g_optimizer)
    due = ["r1" in update_discriminator(criterion, d_optimizer, number) for number in range(1, 5)]
    assert due == [False, False, False, True]
    update_discriminator(*original[:2], 1)
    assert (criterion.discriminator_updates, original[0].discriminator_updates) == (5, 2)


def test_the_generators_loss_can_be_looked_at_before_it_is_due() -> None:
    criterion, d_optimizer, _ = following("wasserstein + critic_steps(3)")
    criterion.eval()
    looked = criterion.generator_loss(latents(0)).total
    criterion.train()
    with pytest.raises(ValueError, match=r"train it where criterion.generator_is_due"):
        criterion.generator_loss(latents(0))
    for number in range(3):
        update_discriminator(criterion, d_optimizer, number)
    assert criterion.generator_loss(latents(0)).total.isfinite()
    assert looked.isfinite()
