"""Slope penalties are what autograd says they are, whatever the discriminator is made of: value and every gradient.

The reference is a training loop as anybody would write it, on a copy of the discriminator: it knows of no library.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Final, final

import pytest
import torch
from odd_discriminators import IMAGE, ZOO, Kind, Watching
from torch import Tensor, nn
from torch.nn import functional

import losses
from losses.context import Context
from losses.parts import Regularizer
from losses.types import Need, Phase

GAMMA, WEIGHT, EVERY = 3.0, 2.0, 4
PENALTIES: Final = {
    "r1": f"bce_ns + r1(gamma={GAMMA})",
    "r1 + r2": f"bce_ns + r1(gamma={GAMMA}) + r2(gamma={GAMMA})",
    "gp1": f"bce_ns + gp1(weight={WEIGHT})",
    "lazy r1": f"bce_ns + r1(gamma={GAMMA}, every={EVERY})",
}


COMPILED: Final = "compiled, aot_eager"
CASES: Final = [
    pytest.param(*case, marks=mark)
    for number, name in enumerate(ZOO)
    for case in product([name], PENALTIES)
    for mark in [pytest.mark.slow if number % 4 or name == COMPILED else ()]
]
"""Every fourth kind of discriminator is tested at every change, but for the compiled one."""


def built(kind: Kind) -> nn.Module:
    """Return the discriminator in double precision, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = kind.build().double()
    rng = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=rng, dtype=torch.float64))
    return network


def batches(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    real, fake = torch.randn((2, 4, *shape), generator=rng, dtype=torch.float64)
    return real, fake


def by_a_plain_loop(network: nn.Module, real: Tensor, fake: Tensor, penalty: str) -> tuple[Tensor, ...]:
    """Return the total and the penalties, without the library."""
    rng = torch.Generator().manual_seed(6)
    real, fake = real.clone().requires_grad_("r1" in penalty), fake.clone().requires_grad_("r2" in penalty)
    judged = {"r1": (real, network(real).flatten()), "r2": (fake, network(fake).flatten())}
    total = functional.softplus(-judged["r1"][1]).mean() + functional.softplus(judged["r2"][1]).mean()
    found = []
    if penalty == "gp1":
        share = torch.rand((len(real), *(1,) * (real.dim() - 1)), generator=rng, dtype=real.dtype)
        points = (fake.detach() + share * (real.detach() - fake.detach())).requires_grad_()
        (slope,) = torch.autograd.grad(network(points).sum(), points, create_graph=True)
        found.append((slope.flatten(1).norm(dim=1) - 1).square().mean())
        total = total + WEIGHT * found[-1]
    else:
        for name in [each for each in ("r1", "r2") if each in penalty]:
            points, logits = judged[name]
            (slope,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
            found.append(slope.flatten(1).square().sum(1).mean())
            total = total + GAMMA / 2 * (EVERY if "lazy" in penalty else 1) * found[-1]
    return total, *found


def with_gradients(network: nn.Module, values: tuple[Tensor, ...]) -> list[Tensor | None]:
    values[0].backward()
    return [*(value.detach() for value in values), *(parameter.grad for parameter in network.parameters())]


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # by torch.compile
@pytest.mark.parametrize("joint", [False, True], ids=["apart", "joint"])
@pytest.mark.parametrize(("name", "penalty"), CASES)
def test_value_and_gradients_are_those_of_a_plain_loop(name: str, penalty: str, joint: bool) -> None:
    kind = ZOO[name]
    if joint and not kind.alone:
        pytest.skip("its batches may not share a forward")
    ours, theirs = built(kind), built(kind)
    method = losses.get(PENALTIES[penalty])

    def by_the_library() -> list[Tensor | None]:
        parts = method.discriminator_loss(
            ours, *batches(kind.shape), rng=torch.Generator().manual_seed(6), step=0, concat_batches=joint
        )
        return with_gradients(ours, (parts.total, *(parts[part.name].value for part in method.regularizers)))

    if name == COMPILED:  # torch says itself that it cannot; what must not be is another number
        for either in (by_the_library, lambda: by_a_plain_loop(theirs, *batches(kind.shape), penalty)[0].backward()):
            with pytest.raises(RuntimeError, match=r"double backward|donated buffers"):
                either()
        return
    found = by_the_library()
    expected = with_gradients(theirs, by_a_plain_loop(theirs, *batches(kind.shape), penalty))
    assert len(found) == len(expected) > 3
    reached = 0
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * float(other.abs().max()))
            reached += bool(other.abs().max() > 1e-6)
    assert reached > 3, "the gradients that are compared are not all zero"


@pytest.mark.parametrize("penalty", ["r1", "r1 + r2", "gp1"])
def test_what_the_discriminator_itself_sees_of_its_images_gradients_is_whole(penalty: str) -> None:
    ours, theirs = built(Kind(Watching)), built(Kind(Watching))
    rng = torch.Generator().manual_seed(6)
    losses.get(PENALTIES[penalty]).discriminator_loss(ours, *batches(IMAGE), rng=rng, step=0).total.backward()
    by_a_plain_loop(theirs, *batches(IMAGE), penalty)[0].backward()
    assert isinstance(ours, Watching)
    assert isinstance(theirs, Watching)
    assert len(ours.seen) == len(theirs.seen) >= 2
    for one, other in zip(ours.seen, theirs.seen, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@final
@dataclass(frozen=True)
class SlopeByTheKernel(Regularizer):
    """E (dD/dw)^2 for the first layer's kernel w, or a number made of it: a slope, but by no images."""

    phase: ClassVar[Phase] = "discriminator"
    needs: ClassVar[frozenset[Need]] = frozenset({"input_gradient"})
    points: Callable[[], Tensor]
    every = 1

    def __post_init__(self) -> None:
        pass

    def __call__(self, context: Context) -> Tensor:
        critic = context.critic(context.real_images.detach().requires_grad_())
        return context.input_gradient(self.points(), critic).square().mean()


class Doubled(nn.Module):
    """The kernel is twice a parameter, and is kept with its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel, self.last = nn.Parameter(torch.ones(4, 3, 3, 3)), nn.Linear(144, 1)

    def forward(self, images: Tensor) -> Tensor:
        self.doubled = 2 * self.kernel
        return self.last(functional.conv2d(images, self.doubled).tanh().flatten(1))


@pytest.mark.parametrize("name", ["kernel", "doubled"])
def test_a_slope_by_something_else_than_images_is_whole_too(name: str) -> None:
    found = []
    for ours in (True, False):
        network = built(Kind(Doubled))
        real, fake = batches(IMAGE)
        if ours:
            part = SlopeByTheKernel(points=lambda network=network: getattr(network, name))
            method = losses.Method(losses.get("bce_ns").objective, regularizers=(part,))
            parts = method.discriminator_loss(network, real, fake)
            total, value = parts.total, parts[part.name].value
        else:
            total = functional.softplus(-network(real)).mean() + functional.softplus(network(fake)).mean()
            logits = network(real)
            (slope,) = torch.autograd.grad(logits.sum(), getattr(network, name), create_graph=True)
            value = slope.square().mean()
            total = total + value
        found.append(with_gradients(network, (total, value)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_images_that_are_learned_are_given_their_gradient() -> None:
    """A part may show the discriminator images of its own that somebody trains: they are parameters."""

    @final
    @dataclass(frozen=True)
    class Learned(Regularizer):
        phase: ClassVar[Phase] = "discriminator"
        needs: ClassVar[frozenset[Need]] = frozenset({"real_gradient"})
        images: nn.Parameter
        every = 1

        def __post_init__(self) -> None:
            pass

        def __call__(self, context: Context) -> Tensor:
            return context.critic(self.images).square().mean() + context.real_gradient.square().mean()

    images = nn.Parameter(torch.full((4, *IMAGE), 0.3, dtype=torch.float64))
    network = built(ZOO["plain"])
    method = losses.Method(losses.get("bce_ns").objective, regularizers=(Learned(images),))
    method.discriminator_loss(network, *batches(IMAGE)).total.backward()
    (expected,) = torch.autograd.grad(network(images).square().mean(), images)
    torch.testing.assert_close(images.grad, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("joint", [False, True])
def test_the_images_that_come_back_are_no_handle_on_a_gradient_that_was_left_out(joint: bool) -> None:
    """What the loss owes the discriminator's images is not computed in full, so nobody may ask for it by mistake."""
    parts = losses.get("bce_ns + r1 + r2").discriminator_loss(
        built(ZOO["plain"]), *batches(IMAGE), concat_batches=joint
    )
    assert parts.total.requires_grad
    assert not parts.fake_images.requires_grad
