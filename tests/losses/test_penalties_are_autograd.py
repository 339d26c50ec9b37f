"""Slope penalties are what autograd says they are, whatever the discriminator is made of: value and every gradient.

The reference is a training loop as anybody would write it, on a copy of the discriminator: it knows of no library.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, final

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

import losses
from losses.context import Context
from losses.parts import Regularizer
from losses.types import Need, Phase

IMAGE = (3, 8, 8)
GAMMA, WEIGHT, EVERY = 3.0, 2.0, 4


class Dynamic(nn.Module):
    """A kernel for each image, made from the image, as in dynamic filters and mixtures of experts."""

    def __init__(self, *, of: Callable[[Tensor], Tensor], bias: bool = False) -> None:
        super().__init__()
        self.of, self.bias = of, bias
        self.first, self.kernels = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 36)
        self.last = nn.Linear(256, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images).tanh()
        batch, channels, height, width = maps.shape
        kernels = self.kernels(self.of(maps).mean((2, 3))).reshape(batch * channels, 1, *self._area())
        bias = maps.mean((2, 3)).flatten() if self.bias else None
        together = maps.reshape(1, batch * channels, height, width)
        found = functional.conv2d(together, kernels, bias, padding=1, groups=batch * channels)
        return self.last(found.tanh().reshape(batch, -1))

    def _area(self) -> tuple[int, int]:
        return 3, 3


class BiasOfTheImage(nn.Module):
    """The kernel is a parameter; the bias is computed from the images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 1)

    def forward(self, images: Tensor) -> Tensor:
        bias = images.mean((1, 2, 3)).repeat_interleave(4)
        kernel = self.first.weight.repeat(len(images), 1, 1, 1)
        maps = functional.conv2d(images.reshape(1, -1, 8, 8), kernel, bias, padding=1, groups=len(images))
        return self.last(maps.tanh().reshape(len(images), -1))


class CorrelatedWithItself(nn.Module):
    """Each image is correlated with its own center, and so is itself the kernel: a leaf that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 1)

    def forward(self, images: Tensor) -> Tensor:
        center = images[:, :, 3:6, 3:6]
        maps = functional.conv2d(images.reshape(1, -1, 8, 8), center, padding=1, groups=len(images))
        whole = functional.conv2d(images, images).mean(1)  # each with each, but the mean is each one's own
        return self.last(maps.tanh().reshape(len(images), -1)) + 0.01 * whole.flatten(1)


class Shared(nn.Module):
    """One kernel in two layers, and once more at half the size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3), nn.Linear(3 * 36, 1)
        self.again.weight = self.first.weight

    def forward(self, images: Tensor) -> Tensor:
        maps = self.again(self.first(images).tanh()).tanh()
        small = functional.conv2d(functional.avg_pool2d(images, 2), self.first.weight * 0.5, padding=1)
        return self.last(maps.flatten(1)) + small.tanh().mean((1, 2, 3))[:, None]


class Made(nn.Module):
    """A kernel made by a network from a vector that is learned: it knows no images, but has a long way behind it."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.ones(5))
        self.hyper = nn.Sequential(*[nn.Sequential(nn.Linear(5, 5), nn.Tanh()) for _ in range(depth)])
        self.head, self.last = nn.Linear(5, 4 * 3 * 9), nn.Linear(4 * 36, 1)

    def forward(self, images: Tensor) -> Tensor:
        kernel = self.head(self.hyper(self.code)).view(4, 3, 3, 3)
        return self.last(functional.conv2d(images, kernel).tanh().flatten(1))


class Checkpointed(nn.Module):
    """Blocks whose activations are computed again in the backward pass."""

    def __init__(self, *, dynamic: bool = False) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Tanh()), nn.Conv2d(4, 4, 3, 1, 1)])
        self.dynamic, self.last = dynamic, nn.Linear(64, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = images
        for block in self.blocks:
            maps = checkpoint(block, maps, use_reentrant=False)
        if self.dynamic:
            maps = checkpoint(lambda x: functional.conv2d(x, x.mean((0, 2, 3), keepdim=True).expand(4, 4, 1, 1)), maps,
                              use_reentrant=False)  # fmt: skip
        return self.last(maps.tanh().flatten(1))


class Mapped(nn.Module):
    """Each image goes through the layers by itself, under torch.vmap; in an ensemble each member of it does."""

    def __init__(self, *, ensemble: bool = False) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 1)

    def forward(self, images: Tensor) -> Tensor:
        if self.ensemble:
            kernels = torch.stack([self.first.weight, self.first.weight.tanh()])
            maps = torch.vmap(lambda kernel: functional.conv2d(images, kernel, padding=1))(kernels).mean(0)
        else:
            maps = torch.vmap(lambda image: self.first(image[None])[0])(images)
        return self.last(maps.tanh().flatten(1))


class Hooked(nn.Module):
    """Gradients are looked at and changed on their way, by hooks of tensors and of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(64, 1)
        self.second.register_full_backward_hook(lambda module, received, sent: (received[0] * 0.7,))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images).tanh()
        if maps.requires_grad:
            maps.register_hook(lambda gradient: gradient * 1.5)
        kernel = self.second.weight * 1.25
        if kernel.requires_grad:
            kernel.register_hook(lambda gradient: gradient * 0.5)
        return self.last((self.second(maps) + functional.conv2d(maps, kernel)).tanh().flatten(1))


class Reused(nn.Module):
    """The features of one call make the kernel of the next, with their graph: memory between batches."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 1)
        self.kept: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        maps = self.first(images).tanh()
        mean = maps.mean((0, 2, 3))
        kernel = torch.eye(4, dtype=maps.dtype) if self.kept is None else torch.outer(self.kept, mean)
        self.kept = mean
        return self.last(functional.conv2d(maps, kernel[:, :, None, None]).tanh().flatten(1))


class Watching(nn.Module):
    """It keeps the gradients that arrive at its images."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(144, 1)
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        if images.requires_grad:
            images.register_hook(lambda gradient: self.seen.append(gradient.detach()))
        return self.last(self.first(images).tanh().flatten(1))


def chain(*layers: nn.Module, shape: tuple[int, ...] = IMAGE) -> nn.Module:
    """Return layers and one logit after them."""
    body = nn.Sequential(*layers, nn.Tanh(), nn.Flatten())
    with torch.no_grad():
        size = body(torch.zeros(1, *shape)).shape[1]
    return nn.Sequential(body, nn.Linear(size, 1))


def frozen(network: nn.Module, *names: str) -> nn.Module:
    for name in names:
        network.get_parameter(name).requires_grad_(False)
    return network


def normed(norm: Callable[[nn.Module], nn.Module]) -> nn.Module:
    return chain(norm(nn.Conv2d(3, 4, 3)), nn.Softplus(), norm(nn.Conv2d(4, 4, 3)))


def compiled(backend: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return chain(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3))

    def build_compiled() -> nn.Module:
        torch.compiler.reset()  # or else torch gives up on code that it has compiled often, and runs it as it is
        network = build()
        network.compile(backend=backend)  # in place, so that copies and names of parameters stay what they are
        return network

    return build_compiled


@dataclass(frozen=True)
class Kind:
    build: Callable[[], nn.Module]
    shape: tuple[int, ...] = IMAGE
    alone: bool = True
    """Whether each image is judged alone, by the same function each time, so that batches may share a forward."""


ZOO: Final = {
    "plain": Kind(lambda: chain(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 4, 3))),
    "no bias": Kind(lambda: chain(nn.Conv2d(3, 4, 3, bias=False), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3, bias=False))),
    "kernel of the image": Kind(lambda: Dynamic(of=lambda maps: maps)),
    "kernel of the image, detached": Kind(lambda: Dynamic(of=lambda maps: maps.detach())),
    "kernel and bias of the image": Kind(lambda: Dynamic(of=lambda maps: maps, bias=True)),
    "bias of the image": Kind(BiasOfTheImage),
    "image as kernel": Kind(CorrelatedWithItself, alone=False),
    "kernel of the last batch": Kind(Reused, alone=False),
    "shared kernel": Kind(Shared),
    "made kernel": Kind(lambda: Made(2)),
    "kernel made by a long way": Kind(lambda: Made(200)),
    "weight norm": Kind(lambda: normed(parametrizations.weight_norm)),
    "old weight norm": Kind(lambda: normed(torch.nn.utils.weight_norm)),
    "spectral norm": Kind(lambda: normed(parametrizations.spectral_norm), alone=False),
    "old spectral norm": Kind(lambda: normed(torch.nn.utils.spectral_norm), alone=False),
    "orthogonal": Kind(lambda: normed(parametrizations.orthogonal)),
    "checkpointed": Kind(Checkpointed),
    "checkpointed, kernel of the image": Kind(lambda: Checkpointed(dynamic=True), alone=False),
    "checkpointed, frozen in part": Kind(lambda: frozen(Checkpointed(), "blocks.0.0.weight", "blocks.1.bias")),
    "compiled, eager": Kind(compiled("eager")),
    "compiled, aot_eager": Kind(compiled("aot_eager")),
    "mapped": Kind(Mapped),
    "mapped ensemble": Kind(lambda: Mapped(ensemble=True)),
    "first layer frozen": Kind(lambda: frozen(chain(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3)), "0.0.weight")),
    "last layers frozen": Kind(
        lambda: frozen(chain(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3)), "0.2.weight", "0.2.bias", "1.weight")
    ),
    "in place": Kind(
        lambda: chain(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2, inplace=True), nn.Conv2d(4, 4, 3), nn.ELU(inplace=True))
    ),
    "hooked": Kind(Hooked),
    "grouped": Kind(lambda: chain(nn.Conv2d(3, 6, 3, groups=3), nn.Tanh(), nn.Conv2d(6, 4, 3, groups=2))),
    "dilated": Kind(lambda: chain(nn.Conv2d(3, 4, (3, 2), (2, 1), (1, 2), (1, 2)), nn.Tanh(), nn.Conv2d(4, 2, 2))),
    "transposed": Kind(lambda: chain(nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.Tanh(), nn.Conv2d(4, 4, 4, 2, 1))),
    "1-D": Kind(lambda: chain(nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Conv1d(4, 4, 3), shape=(3, 12)), shape=(3, 12)),
    "3-D": Kind(lambda: chain(nn.Conv3d(2, 3, 3), nn.Tanh(), nn.Conv3d(3, 2, 2), shape=(2, 5, 5, 5)), (2, 5, 5, 5)),
    "padded to the same size": Kind(
        lambda: chain(nn.Conv2d(3, 4, (1, 3), padding="same"), nn.Tanh(), nn.Conv2d(4, 2, 3, padding="valid"))
    ),
    "reflected": Kind(
        lambda: chain(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.Tanh(), nn.Conv2d(4, 2, 3))
    ),
}
PENALTIES: Final = {
    "r1": f"bce_ns + r1(gamma={GAMMA})",
    "r1 + r2": f"bce_ns + r1(gamma={GAMMA}) + r2(gamma={GAMMA})",
    "gp1": f"bce_ns + gp1(weight={WEIGHT})",
    "lazy r1": f"bce_ns + r1(gamma={GAMMA}, every={EVERY})",
}


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
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", ZOO)
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

    if name == "compiled, aot_eager":  # torch says itself that it cannot; what must not be is another number
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
