"""Discriminators of every make: kernels of the image, weight norms, hooks, checkpoints, compiled and mapped ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

IMAGE = (3, 8, 8)


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
