"""The criterion: what a loop need not keep, and what it is told when it forgets."""

import copy
import io
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import losses
from losses.streams import PartGenerators

LATENT = 5


class D(nn.Module):
    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 6, 4, 2, 1), nn.Linear(6 * 16, outputs)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(nn.functional.leaky_relu(self.body(images), 0.2).flatten(1))
        return logits


class G(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Linear(LATENT, 192)

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(self.only(latents)).view(-1, 3, 8, 8)


def networks(seed: int = 0) -> tuple[D, G]:
    torch.manual_seed(seed)
    return D(), G()


def images(step: int, count: int = 6) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(step))


def latents(step: int, count: int = 6) -> Tensor:
    return torch.randn(count, LATENT, generator=torch.Generator().manual_seed(1000 + step))


class Loop:
    """The loop of the criterion's docstring, with batches that depend on the step alone."""

    def __init__(self, method: str, seed: int | None = 0, **options: object) -> None:
        self.criterion = losses.Criterion(method, *networks(), seed=seed, **options)
        factor = self.criterion.learning_rate_factor
        self.d_optimizer = torch.optim.Adam(self.criterion.discriminator.parameters(), lr=1e-2 * factor)
        self.g_optimizer = torch.optim.Adam(self.criterion.generator.parameters(), lr=1e-2)
        self.criterion.follow(self.d_optimizer, self.g_optimizer)
        self.due: list[set[str]] = []

    def step(self, number: int) -> list[float]:
        self.d_optimizer.zero_grad()
        parts = self.criterion.discriminator_loss(images(number), latents(number))
        self.due.append(set(parts))
        found = [parts.total.item()]
        parts.total.backward()
        self.d_optimizer.step()
        if self.criterion.generator_is_due:
            self.g_optimizer.zero_grad()
            total = self.criterion.generator_loss(latents(-number), images(number)).total
            found.append(total.item())
            total.backward()
            self.g_optimizer.step()
        return found

    def run(self, first: int, last: int) -> list[float]:
        return [value for number in range(first, last) for value in self.step(number)]


def plain_loop(expression: str, steps: int) -> list[float]:
    """The same as `Loop`, written with a method's two functions and everything kept by hand."""
    method = losses.get(expression)
    d, g = networks()
    d = method.wrap(d)
    d_optimizer = torch.optim.Adam(d.parameters(), lr=1e-2 * method.learning_rate_factor)
    g_optimizer = torch.optim.Adam(g.parameters(), lr=1e-2)
    streams = PartGenerators(0, [part.name for part in method.parts], "cpu")
    state: dict[str, dict[str, Tensor]] = {}
    found = []
    updates = 0
    for number in range(steps):
        d_optimizer.zero_grad()
        with torch.no_grad():
            fakes = g(latents(number))
        total = method.discriminator_loss(
            d, images(number), fakes, latents=latents(number), generator=g, rng=streams.at("discriminator", number),
            step=updates, update=number, state=state,
        ).total  # fmt: skip
        found.append(total.item())
        total.backward()
        d_optimizer.step()
        method.after_step(d)
        if (number + 1) % method.critic_steps == 0:
            g_optimizer.zero_grad()
            total = method.generator_loss(
                d, g, latents(-number), images(number), rng=streams.at("generator", updates), step=updates, state=state
            ).total
            found.append(total.item())
            total.backward()
            g_optimizer.step()
            updates += 1
    return found


EXPRESSIONS = [
    "hinge + r1(every=4) + lecam(start=2)", "wgan", "sngan", "gn-gan", "wgan-gp", "nsgan + ada + topk",
    "nsgan + msgan + zcr", "wasserstein + sobolev + critic_steps(count=3)", "nsgan + ttur + r2(every=3)",
    "ralsgan + instance_noise(anneal_steps=5)", "nsgan + began_balance + accuracy_gate + ortho + diffaug",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_loop_with_it_is_the_loop_written_out_to_the_bit(expression: str) -> None:
    assert Loop(expression).run(0, 8) == plain_loop(expression, 8)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_loop_that_stops_goes_on_from_its_state_to_the_bit(expression: str) -> None:
    whole = Loop(expression).run(0, 8)
    stopped = Loop(expression)
    first = stopped.run(0, 5)
    file = io.BytesIO()
    kept = [stopped.criterion.discriminator, stopped.criterion.generator, stopped.d_optimizer, stopped.g_optimizer]
    torch.save([each.state_dict() for each in [stopped.criterion, *kept]], file)
    file.seek(0)
    criterion, *saved = torch.load(file, weights_only=True)
    resumed = Loop(expression, seed=None)
    resumed.criterion.load_state_dict(criterion)
    fresh = [resumed.criterion.discriminator, resumed.criterion.generator, resumed.d_optimizer, resumed.g_optimizer]
    for each, state in zip(fresh, saved, strict=True):
        each.load_state_dict(state)
    assert first + resumed.run(5, 8) == whole


def test_the_state_of_another_method_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kept by 'hinge': this criterion is 'bce_ns'"):
        losses.Criterion("nsgan", *networks()).load_state_dict(losses.Criterion("hinge", *networks()).state_dict())


def test_its_state_is_not_the_networks_and_its_parameters_are_none() -> None:
    criterion = losses.Criterion("sngan", *networks())
    assert list(criterion.state_dict()) == ["_extra_state"]
    assert list(criterion.parameters()) == []


@pytest.mark.parametrize("critic_steps", [1, 2, 5])
def test_lazy_terms_of_the_discriminator_are_due_evenly_whatever_its_steps(critic_steps: int) -> None:
    """By the count of the generator, every=4 with five critic steps is due five times and then off fifteen times."""
    loop = Loop(f"hinge + r1(every=4) + critic_steps(count={critic_steps})")
    loop.run(0, 20)
    assert ["r1" in due for due in loop.due] == [number % 4 == 0 for number in range(20)]
    assert loop.criterion.generator_updates == 20 // critic_steps


def test_the_generator_waits_for_the_discriminators_updates() -> None:
    loop = Loop("wasserstein + critic_steps(count=3)")
    loop.criterion.discriminator_loss(images(0), latents(0)).total.backward()
    loop.d_optimizer.step()
    assert not loop.criterion.generator_is_due
    with pytest.raises(ValueError, match=r"makes 3 updates of the discriminator .* there have been 1"):
        loop.criterion.generator_loss(latents(0))


def test_clipping_is_applied_after_each_step_of_the_optimizer() -> None:
    loop = Loop("wgan")
    loop.step(0)
    assert max(weights.abs().max().item() for weights in loop.criterion.discriminator.parameters()) <= 0.01 + 1e-9


def test_a_skipped_step_of_a_scaled_loss_counts_as_none() -> None:
    loop = Loop("hinge + r1(every=2)")
    loop.criterion.discriminator_loss(images(0), latents(0)).total.backward()
    assert loop.criterion.discriminator_updates == 0
    loop.d_optimizer.step()
    assert loop.criterion.discriminator_updates == 1


# --- what nobody may forget -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["discriminator", "generator"])
def test_updates_that_nobody_counts_are_noticed(phase: str) -> None:
    criterion = losses.Criterion("hinge + r1(every=16)", *networks())
    player = getattr(criterion, phase)
    optimizer = torch.optim.SGD(player.parameters(), lr=0.1)
    loss: Callable[[], losses.LossParts] = (
        (lambda: criterion.discriminator_loss(images(0), latents(0)))
        if phase == "discriminator"
        else (lambda: criterion.generator_loss(latents(0)))
    )
    loss().total.backward()
    optimizer.step()
    with pytest.raises(ValueError, match=rf"the {phase}'s weights have changed .* criterion.follow"):
        loss()
    getattr(criterion, f"{phase}_updated")()
    assert loss().total.isfinite()


def test_the_optimizers_must_hold_the_weights_and_the_rates_their_factor() -> None:
    d, g = networks()
    criterion = losses.Criterion("nsgan + ttur(ratio=4)", d, g)
    with pytest.raises(ValueError, match="the discriminator's optimizer holds none of its weights"):
        criterion.follow(torch.optim.SGD(g.parameters(), lr=0.1), torch.optim.SGD(g.parameters(), lr=0.1))
    with pytest.raises(ValueError, match="declares a factor of 4"):
        criterion.follow(torch.optim.SGD(d.parameters(), lr=0.1), torch.optim.SGD(g.parameters(), lr=0.1))
    criterion.follow(torch.optim.SGD(d.parameters(), lr=0.4), torch.optim.SGD(g.parameters(), lr=0.1))


def test_fakes_or_latents_are_asked_for() -> None:
    criterion = losses.Criterion("hinge", *networks())
    with pytest.raises(ValueError, match="pass latents, or fake_images"):
        criterion.discriminator_loss(images(0))
    given = criterion.discriminator_loss(images(0), fake_images=criterion.generator(latents(0)).detach())
    drawn = criterion.discriminator_loss(images(0), latents(0))
    assert given.total.item() == drawn.total.item()


def test_images_and_latents_that_are_no_tensor_are_refused() -> None:
    criterion = losses.Criterion("hinge", *networks())
    for value, told in ((None, "there are no"), ([0.5], r"of type list: expected a tensor")):
        with pytest.raises(ValueError, match=told):
            criterion.discriminator_loss(value, latents(0))
        with pytest.raises(ValueError, match=told):
            criterion.generator_loss(value, images(0))
    with pytest.raises(ValueError, match=r"latents are of type ndarray: expected a tensor, as torch\.as_tensor"):
        criterion.generator_loss(latents(0).numpy())


def test_a_function_is_no_discriminator_of_a_criterion() -> None:
    d, g = networks()
    with pytest.raises(ValueError, match="the discriminator is a function: expected a"):
        losses.Criterion("hinge", lambda x: d(x), g)


@pytest.mark.parametrize("expression", ["sngan", "wgan", "gn-gan", "hinge + spectral_norm + weight_clip"])
def test_a_method_refuses_a_discriminator_that_its_constraints_have_not_seen(expression: str) -> None:
    method = losses.get(expression)
    d, g = networks()
    for call in (
        lambda d: method.discriminator_loss(d, images(0), images(1)),
        lambda d: method.generator_loss(d, g, latents(0)),
    ):
        with pytest.raises(ValueError, match=r"method\.wrap\(discriminator\).*losses\.Criterion"):
            call(d)
        with pytest.raises(ValueError, match="acts on the discriminator's weights: pass it as"):
            call(lambda x: d(x))
        wrapped = method.wrap(copy.deepcopy(d))
        assert call(wrapped).total.isfinite()
        assert call(nn.Sequential(wrapped)).total.isfinite(), "inside another module it can still be seen"
        assert call(copy.deepcopy(wrapped)).total.isfinite()


def test_weights_that_have_left_the_box_are_noticed_and_those_in_it_are_not() -> None:
    method = losses.get("wgan")
    d, _ = networks()
    d = method.wrap(d)
    optimizer = torch.optim.SGD(d.parameters(), lr=1.0)
    method.discriminator_loss(d, images(0), images(1)).total.backward()
    optimizer.step()
    with pytest.raises(ValueError, match=r"weights have left the box .* method\.after_step"):
        method.discriminator_loss(d, images(0), images(1))
    method.after_step(d)
    kept = copy.deepcopy(d.state_dict())
    method.discriminator_loss(d, images(0), images(1))
    d.load_state_dict(kept)  # changes every weight in place, to what lies in the box
    assert method.discriminator_loss(d, images(0), images(1)).total.isfinite()


def test_weights_that_are_set_by_hand_are_put_into_the_box_as_the_error_says() -> None:
    loop = Loop("wgan")
    nn.init.normal_(loop.criterion.discriminator.head.weight)
    with pytest.raises(ValueError, match=r"after you have set weights yourself, call criterion\.constrain\(\)"):
        loop.step(0)
    loop.criterion.constrain()
    assert all(map(math.isfinite, loop.step(0)))
    assert loop.criterion.discriminator_updates == 1


def test_a_method_that_reads_the_count_of_steps_is_given_it() -> None:
    d, g = networks()
    for expression, phase in {
        "hinge + r1(every=16)": "discriminator",
        "nsgan + lecam": "discriminator",
        "nsgan + instance_noise(anneal_steps=10)": "discriminator",
        "nsgan + topk": "generator",
        "nsgan + gp_pathlen": "generator",
    }.items():
        method, state = losses.get(expression), {}
        call = (
            (lambda m=method, **k: m.discriminator_loss(d, images(0), images(1), **k))
            if phase == "discriminator"
            else (lambda m=method, **k: m.generator_loss(d, g, latents(0), **k))
        )
        with pytest.raises(ValueError, match=r"pass step=, or use losses\.Criterion"):
            call(state=state)
        assert call(state=state, step=0).total.isfinite()


def test_what_reads_no_count_needs_none() -> None:
    d, g = networks()
    for name in ("nsgan-r1", "wgan-gp", "r3gan", "diffaug-gan"):
        assert losses.get(name).discriminator_loss(d, images(0), images(1)).total.isfinite()
        assert losses.get(name).generator_loss(d, g, latents(0), images(0)).total.isfinite()


# --- micro-batches --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    ["hinge + lecam(start=0)", "nsgan + ada", "nsgan + apa", "wasserstein + fisher", "wasserstein + sobolev(rho=0.1)",
     "hinge + began_balance", "lsgan + lecam(start=0) + ada(interval=1)"],
)  # fmt: skip
def test_running_means_see_a_batch_once_however_it_is_cut(expression: str) -> None:
    """A batch in three pieces leaves the memory that the whole batch leaves, and not that of three batches."""
    found = []
    for pieces in (1, 3):
        criterion = losses.Criterion(expression, *(network.double() for network in networks()), seed=0)
        optimizer = torch.optim.SGD(criterion.discriminator.parameters(), lr=0.0)
        for update in range(3):
            real, noise = images(update, 12).double(), latents(update, 12).double()
            for part, z in zip(real.chunk(pieces), noise.chunk(pieces), strict=True):
                (criterion.discriminator_loss(part, z).total / pieces).backward()
            optimizer.step()
            criterion.discriminator_updated()
        found.append(criterion.state)
    assert found[0].keys() == found[1].keys() != set()
    for part, own in found[0].items():
        for name, value in own.items():
            torch.testing.assert_close(found[1][part][name], value, rtol=1e-12, atol=1e-12)


def test_micro_batches_draw_their_own_random_numbers_and_the_first_those_of_a_whole_batch() -> None:
    criterion = losses.Criterion("hinge + instance_noise(sigma=1)", *networks(), seed=0)
    first, second = (criterion.discriminator_loss(images(0), latents(0)).total.item() for _ in range(2))
    criterion.discriminator_updated()
    third = criterion.discriminator_loss(images(0), latents(0)).total.item()
    assert len({first, second, third}) == 3
    again = losses.Criterion("hinge + instance_noise(sigma=1)", *networks(), seed=0)
    assert again.discriminator_loss(images(0), latents(0)).total.item() == first


def test_looking_in_eval_mode_remembers_nothing() -> None:
    loop = Loop("hinge + lecam(start=0) + instance_noise(sigma=0.1)")
    loop.run(0, 2)
    before = copy.deepcopy(loop.criterion.state_dict()["_extra_state"])
    loop.criterion.eval()
    looked = [loop.criterion.discriminator_loss(images(9), latents(9)).total.item() for _ in range(2)]
    loop.criterion.train()
    assert looked[0] == looked[1]
    assert repr(loop.criterion.state_dict()["_extra_state"]) == repr(before)
    assert loop.run(2, 5) == Loop("hinge + lecam(start=0) + instance_noise(sigma=0.1)").run(0, 5)[4:]


# --- a discriminator's weights in the generator's phase ---------------------------------------------------------------


def test_the_generators_phase_owes_the_discriminator_nothing_and_leaves_it_as_it_was() -> None:
    criterion = losses.Criterion("hinge", *networks())
    criterion.discriminator.body.requires_grad_(False)
    criterion.generator_loss(latents(0)).total.backward()
    assert all(weights.grad is None for weights in criterion.discriminator.parameters())
    assert not criterion.discriminator.body.weight.requires_grad
    assert criterion.discriminator.head.weight.requires_grad
    assert criterion.generator.only.weight.grad.abs().sum() > 0


# --- regularizers alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", ["r1", "r1 + r2", "gp1(weight=1) + ortho", "r1(gamma=1, every=16)"])
def test_regularisers_alone_are_what_they_add_to_a_game(expression: str) -> None:
    d, _ = networks()
    options = {"step": 0}
    alone, game = losses.get(expression), losses.get(f"hinge + {expression}")
    rng = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    own = alone.discriminator_loss(d, images(0), images(1), rng=rng(), **options)
    with_game = game.discriminator_loss(d, images(0), images(1), rng=rng(), **options)
    assert dict(own).keys() == dict(with_game).keys() - {"hinge"}
    for name, part in own.items():
        assert part.weighted.item() == pytest.approx(with_game[name].weighted.item(), rel=1e-6)
    assert own.total.item() == pytest.approx((with_game.total - with_game["hinge"].value).item(), rel=1e-4)
    assert str(losses.get(str(alone))) == str(alone)


def test_a_phase_of_r1_alone_runs_the_discriminator_on_reals_alone() -> None:
    d, seen = networks()[0], []
    d.register_forward_hook(lambda _, given, __: seen.append(given[0].shape))
    found = losses.get("r1").discriminator_loss(d, images(0, 5), None)
    assert seen == [(5, 3, 8, 8)]
    assert found.fake_logits is None
    assert found.real_logits is None
    with pytest.raises(ValueError, match="pass fake_images"):
        losses.get("r2").discriminator_loss(d, images(0), None)


def test_an_off_step_of_a_regulariser_alone_can_be_differentiated_and_changes_nothing() -> None:
    d, _ = networks()
    losses.get("r1(every=4)").discriminator_loss(d, images(0), None, step=1).total.backward()
    assert all(weights.grad is None for weights in d.parameters())


def test_a_term_of_the_generator_alone_trains_the_generator() -> None:
    d, g = networks()
    found = losses.get("jacobian_clamp(lower=5)").generator_loss(d, g, latents(0))
    found.total.backward()
    assert g.only.weight.grad.abs().sum() > 0
    assert list(found) == ["jacobian_clamp"]
