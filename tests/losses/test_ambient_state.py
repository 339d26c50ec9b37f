"""No part depends on torch's state around it: defaults, global random numbers, and the mode it was first called in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from slow_cases import sampled
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import losses
from losses import random_features as features_module
from losses import registry
from losses.contract.toy_problem import ToyProblem, gradients, method_with
from losses.loss_parts import LossPart, LossParts
from losses.method import Method
from losses.modes import _detached
from losses.outputs import DiscriminatorOutput
from losses.parts import Constraint
from losses.random_features import random_features
from losses.types import PHASES, Phase

METHODS = {name: method_with(part()) for name, part in registry.parts().items() if not issubclass(part, Constraint)}


@contextmanager
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def another_seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(12345)
        before = torch.get_rng_state()
        yield
        assert torch.equal(torch.get_rng_state(), before), "nothing is drawn from the global generator"


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        return func(*args, **(kwargs or {}))


STATES: dict[str, Callable] = {
    "float64 by default": float64_by_default,
    # Whatever is made on the default device has no values there, and cannot meet the images.
    "another device by default": lambda: torch.device("meta"),
    "another seed": another_seed,
    "deterministic": deterministic,
}
MODES: dict[str, Callable] = {
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "a mode that watches operators": Watching,
}


@pytest.fixture(autouse=True)
def _nothing_is_kept_from_before() -> None:
    features_module._weights.cache_clear()


def made(method: Method) -> ToyProblem:
    return ToyProblem(method, dtype=torch.float32)


def numbers(problem: ToyProblem, phase: Phase, found: LossParts) -> list[Tensor]:
    """Return the terms and all gradients of the player that is trained."""
    terms = [found.total, *(each for part in found.values() for each in (part.value, part.weighted))]
    return [*(each.detach() for each in terms), *gradients(found.total, problem.player(phase))]


def assert_equal_to_the_bit(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", sampled(METHODS, every=4))
def test_in_another_state_the_numbers_are_the_same(name: str, state: str) -> None:
    problem = made(METHODS[name])
    for phase in PHASES:
        seen = []
        for around in (torch.enable_grad, STATES[state]):
            features_module._weights.cache_clear()
            batch, rng, kept = problem.batch(), problem.streams(phase), {}
            with around():
                found = problem.run(phase, batch, rng=rng, state=kept)
                seen.append(numbers(problem, phase, found) + [each for part in kept.values() for each in part.values()])
        assert_equal_to_the_bit(*seen)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sampled(METHODS, every=4))
def test_training_after_a_first_call_in_a_mode_is_as_if_there_had_been_none(name: str, mode: str) -> None:
    problem = made(METHODS[name])
    batch = problem.batch()
    for phase in PHASES:
        states: list[dict] = [{}, {}]
        for state, first in zip(states, (torch.enable_grad, MODES[mode]), strict=True):
            features_module._weights.cache_clear()
            rng = problem.streams(phase)
            with first():
                problem.run(phase, batch, state=state, rng=rng)
        if mode == "autocast":  # what is remembered is of logits in bfloat16
            states[1] = {part: {key: each.clone() for key, each in kept.items()} for part, kept in states[0].items()}
        expected, found = (
            numbers(problem, phase, problem.run(phase, problem.batch(1), state=state)) for state in states
        )
        assert_equal_to_the_bit(found, expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", sampled(METHODS, every=4))
def test_where_gradients_are_off_the_value_is_the_same_and_has_no_graph(
    name: str, mode: type[torch.no_grad | torch.inference_mode]
) -> None:
    problem = made(METHODS[name])
    for phase in PHASES:
        expected = problem.run(phase)
        with mode():  # the images are made in it too
            found = problem.run(phase)
            assert torch.is_grad_enabled() is False
        assert list(found) == list(expected)
        for one, other in (
            (found.total, expected.total),
            (found.fake_logits, expected.fake_logits),
            *((found[key].value, expected[key].value) for key in found),
            *((found[key].weighted, expected[key].weighted) for key in found),
        ):
            torch.testing.assert_close(one, other.detach(), rtol=0, atol=0)
            assert not one.requires_grad
        assert not found.fake_images.requires_grad
        assert not found.total.is_inference()


def test_images_made_in_inference_mode_can_be_trained_on() -> None:
    problem = made(losses.get("bce_ns + r1 + r2 + gp1"))
    expected = numbers(problem, "discriminator", problem.run("discriminator"))
    with torch.inference_mode():
        real, latents = problem.batch()
        fake = problem.generator(latents)
    assert real.is_inference()
    rng = problem.streams("discriminator")
    found = problem.method.discriminator_loss(problem.critic, real, fake, rng=rng)
    assert_equal_to_the_bit(numbers(problem, "discriminator", found), expected)


def test_whatever_a_loss_is_made_of_leaves_no_graph() -> None:
    x = torch.ones((), requires_grad=True) * 2
    pair = DiscriminatorOutput(logits=x, features=None)
    found = _detached(LossParts(x, {"a": LossPart(x, x)}, x, [x, (x, pair)], None))  # logits of several scales
    total, part, images, (first, (second, again)) = found.total, found["a"], found.fake_images, found.fake_logits
    assert not any(
        each.requires_grad for each in (total, part.value, part.weighted, images, first, second, again.logits)
    )
    assert type(again) is DiscriminatorOutput
    assert found.real_logits is again.features is None


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_graph_is_made_only_for_a_term_that_is_due(mode: type[torch.no_grad | torch.inference_mode]) -> None:
    problem, seen = made(losses.get("bce_ns + r1(every=4)")), []
    problem.critic.register_forward_hook(lambda module, given, output: seen.append(output[0].requires_grad))
    with mode():
        for step in (0, 1):
            problem.run("discriminator", step=step)
    assert seen == [True, True, False, False]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("constraint", ["grad_norm", "spectral_norm"])
def test_a_constrained_critic_is_the_same_where_gradients_are_off(
    constraint: str, mode: type[torch.no_grad | torch.inference_mode]
) -> None:
    method = losses.get(f"hinge + r1 + {constraint}")
    for wrapped_inside in (False, True):
        values = []
        for around in (torch.enable_grad, mode):
            problem = made(losses.get("hinge + r1"))  # whose critic no constraint has wrapped yet
            problem.critic.gives = "none"
            with around() if wrapped_inside else torch.enable_grad():
                critic = method.constraints[0].wrap(problem.critic)
            with around():
                real, latents = problem.batch()
                fake = problem.generator(latents)
                values += [
                    critic(real),
                    method.discriminator_loss(critic, real, fake, rng=problem.streams("discriminator")).total,
                ]
            method.discriminator_loss(critic, *map(torch.clone, (real, fake))).total.backward()  # and can be trained
        for plain, off in zip(values[:2], values[2:], strict=True):
            torch.testing.assert_close(off, plain.detach(), rtol=0, atol=0)
            assert not off.requires_grad


@pytest.mark.parametrize("state", [*STATES, "autocast"])
def test_spectral_norm_starts_alike_in_another_state(state: str) -> None:
    found = []
    for around in (torch.enable_grad, (STATES | MODES)[state]):
        problem = made(losses.get("hinge"))
        with around():
            found.append(losses.get("hinge + spectral_norm").constraints[0].wrap(problem.critic).state_dict())
    assert len(found[0]) > 6
    for key, value in found[0].items():
        torch.testing.assert_close(found[1][key], value, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (4, 2)])
def test_random_features_stay_what_they_are_whoever_asks_first(shape: tuple[int, ...]) -> None:
    images = torch.linspace(-1, 1, torch.Size(shape).numel()).reshape(shape)
    expected = random_features(images)

    def mapped() -> None:
        torch.testing.assert_close(torch.vmap(lambda image: random_features(image[None])[0])(images), expected)

    def faked() -> None:
        with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True):
            assert random_features(torch.empty(shape)).shape == expected.shape

    def differentiated() -> None:
        torch.func.vjp(random_features, images)

    def in_mode(mode: Callable) -> Callable[[], None]:
        def call() -> None:
            with mode():
                random_features(images)

        return call

    for first in (mapped, faked, differentiated, *map(in_mode, (STATES | MODES).values())):
        features_module._weights.cache_clear()
        first()
        leaf = images.clone().requires_grad_()
        found = random_features(leaf)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
        found.sum().backward()
        assert leaf.grad is not None
