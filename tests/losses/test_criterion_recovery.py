"""What a criterion survives: networks that are assigned, cells run twice, copies, and losses that went wrong."""

import copy
import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.utils.checkpoint import checkpoint

import losses

LATENT = 5
BATCH = 4


def discriminator() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 1))


def generator() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(LATENT, 12), nn.Tanh(), nn.Unflatten(1, (3, 2, 2)))


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


def values(state: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, float]]:
    return {part: {name: value.item() for name, value in own.items()} for part, own in state.items()}


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


# --- losses that go wrong ---------------------------------------------------------------------------------------------


class Interrupted(nn.Module):
    """A network whose user presses Ctrl-C in one of its forwards, the third of those to come."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.calls = network, 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return self.network(inputs)


@pytest.mark.parametrize("piece", [0, 1])
@pytest.mark.parametrize(
    ("phase", "method"),
    [("discriminator", "hinge + lecam(start=0) + wdiv"), ("generator", "nsgan + gp_pathlen(every=1) + msgan")],
)
def test_a_loss_that_is_interrupted_leaves_no_trace(phase: str, method: str, piece: int) -> None:
    """The third forward is that of the last term: by then the mean of the one before it has moved."""
    runs = []
    for is_interrupted in (False, True):
        criterion, *_ = loop(method)
        totals = []
        for number in range(6):
            arguments = (images(number), latents(number))
            compute = getattr(criterion, f"{phase}_loss")
            if is_interrupted and number == 2 + piece:
                player = getattr(criterion, phase)
                setattr(criterion, phase, Interrupted(player))
                with pytest.raises(KeyboardInterrupt):
                    compute(*(arguments if phase == "discriminator" else arguments[::-1]))
                setattr(criterion, phase, player)
            totals.append(compute(*(arguments if phase == "discriminator" else arguments[::-1])).total.item())
            if number % 2:
                getattr(criterion, f"{phase}_updated")()
        runs.append((totals, values(criterion.state)))
    assert runs[0] == runs[1]


def test_a_micro_batch_that_raises_takes_back_its_own_share_alone() -> None:
    runs = []
    for shapes in ([], [(BATCH, 2, 2, 2)]):
        criterion, *_ = loop("hinge + lecam(start=0)")
        criterion.discriminator_loss(images(0), latents(0))
        for shape in shapes:
            with pytest.raises(RuntimeError):
                criterion.discriminator_loss(torch.zeros(shape), latents(1))
        criterion.discriminator_updated()
        runs.append(values(criterion.state))
    assert runs[0] == runs[1]


REMEMBERING = [
    "hinge + lecam(start=0)", "hinge + began_balance(gamma=0.5)", "wasserstein + fisher",
    "wasserstein + sobolev(rho=0.1)",
]  # fmt: skip


def see(criterion: losses.Criterion, number: int | None) -> None:
    """Compute both losses on batches of that number, or on such as overflow."""
    real, noise = (torch.full((BATCH, 3, 2, 2), torch.inf), torch.full((BATCH, LATENT), torch.inf))
    if number is not None:
        real, noise = images(number), latents(number)
    criterion.discriminator_loss(real, noise)
    criterion.generator_loss(noise)


def count(criterion: losses.Criterion) -> None:
    criterion.discriminator_updated()
    criterion.generator_updated()


@pytest.mark.parametrize("method", REMEMBERING)
def test_a_batch_whose_loss_is_not_finite_and_whose_step_is_skipped_is_as_good_as_not_seen(method: str) -> None:
    memories = []
    for numbers in ([0, 1, 2], [None, 0, 1, None, None, 2]):
        criterion, *_ = loop(method)
        for number in numbers:
            see(criterion, number)
            if number is not None:
                count(criterion)
        memories.append(values(criterion.state))
    assert memories[0] == memories[1] != {}


@pytest.mark.parametrize("method", REMEMBERING)
def test_a_batch_whose_loss_is_not_finite_moves_no_memory_where_its_update_is_counted(method: str) -> None:
    """An optimizer that scales gradients by itself, a fused one, calls its hooks for a step that it skips."""
    criterion, *_ = loop(method)
    memories = []
    for number in (None, 0, None, 1):
        see(criterion, number)
        count(criterion)
        memories.append(values(criterion.state))
    assert memories[0] == {}
    assert memories[1] == memories[2]
    assert memories[2] != memories[3]
    assert all(math.isfinite(value) for own in memories[3].values() for value in own.values())


# --- activation checkpoints -------------------------------------------------------------------------------------------


class Checkpointed(nn.Module):
    """A discriminator whose middle is computed again in the backward pass, or kept where `reentrant` is None."""

    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = nn.Linear(12, 4), nn.Linear(4, 1)
        self.middle = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
        self.reentrant = reentrant

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs.flatten(1))
        if self.reentrant is None:
            return self.head(self.middle(hidden))
        return self.head(checkpoint(self.middle, hidden, use_reentrant=self.reentrant))


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_discriminator_with_checkpoints_that_is_frozen_as_the_page_says_gets_no_gradient(reentrant: bool) -> None:
    gradients = []
    for mode in (None, reentrant):
        criterion = losses.Criterion("nsgan", Checkpointed(mode), generator(), seed=0)
        criterion.discriminator.requires_grad_(False)
        criterion.generator_loss(latents(0)).total.backward()
        criterion.discriminator.requires_grad_(True)
        assert all(weights.grad is None for weights in criterion.discriminator.parameters())
        gradients.append(criterion.generator[0].weight.grad)
        criterion.discriminator_loss(images(0), latents(0)).total.backward()
        assert all(weights.grad is not None for weights in criterion.discriminator.parameters())
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=0)


# --- other devices and precisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_memory_that_is_loaded_goes_to_where_the_networks_are(phase: str) -> None:
    """The meta device stands in for a GPU, from which a run is resumed with map_location="cpu"."""
    method = "nsgan + lecam(start=0)" if phase == "discriminator" else "nsgan + gp_pathlen"
    kept, *_ = loop(method)
    see(kept, 0)
    criterion = losses.Criterion(method, discriminator(), generator())
    getattr(criterion, phase).to("meta")
    criterion.load_state_dict(kept.state_dict())
    devices = {value.device.type for own in criterion.state.values() for value in own.values()}
    assert devices == {"meta"}
    assert {value.device.type for own in kept.state.values() for value in own.values()} == {"cpu"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_criterion_that_is_cast_to_half_precision_keeps_its_memory_to_the_bit(dtype: torch.dtype) -> None:
    criterion, *_ = loop("hinge + lecam(start=0)")
    see(criterion, 0)
    count(criterion)
    before = values(criterion.state)
    criterion.to(dtype)
    assert values(criterion.state) == before
    see(criterion, 1)
    assert values(criterion.state) != before


def test_a_criterion_that_is_cast_to_double_precision_goes_on_with_networks_that_are() -> None:
    criterion, *_ = loop("hinge + lecam(start=0)")
    see(criterion, 0)
    count(criterion)
    for network in (criterion, criterion.discriminator, criterion.generator):
        network.double()
    criterion.discriminator_loss(images(1).double(), latents(1).double())
    assert {value.dtype for value in criterion.state["lecam"].values()} == {torch.float64}


def test_a_criterion_that_is_moved_takes_its_memory_along() -> None:
    criterion, *_ = loop("hinge + lecam(start=0)")
    see(criterion, 0)
    criterion.to("meta", torch.bfloat16)
    memory = criterion.state["lecam"].values()
    assert {(value.device.type, value.dtype) for value in memory} == {("meta", torch.float32)}
