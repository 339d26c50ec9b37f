"""Tiny deterministic problems to try a part in: networks, batches and random streams, all from seeds of their own.

Nothing here touches torch's global random state.
"""

import zlib
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn

from losses import registry
from losses.loss_parts import LossParts
from losses.method import Method
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer
from losses.types import Need, Phase, State

IMAGE: Final = (3, 8, 8)
POINT: Final = (2,)
LATENT: Final = 7
SAMPLES: Final = 6
"""The batch, for each sample of a pack."""
STEEPNESS: Final = 3.0
"""The factor on the weights of a steep critic: slopes below 1 become slopes above 1, where one-sided terms act."""

_HIDDEN: Final = 6
_Features = Literal["none", "flat", "maps"]


def drawn(
    words: object, *shape: int, dtype: torch.dtype = torch.float64, device: str = "cpu", scale: float = 1.0
) -> Tensor:
    """Return standard normal numbers times `scale`, the same for the same words on every machine and device."""
    generator = torch.Generator().manual_seed(zlib.crc32(repr(words).encode()))
    return (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(device, dtype)


class Batch(NamedTuple):
    """Real images, and the latents of as many generated ones."""

    real: Tensor
    latents: Tensor

    def repeated(self) -> "Batch":
        """The batch twice over."""
        return Batch(*(torch.cat([tensor, tensor]) for tensor in self))

    def permuted(self) -> "Batch":
        """The same pairs of a real image and a latent in another order."""
        return Batch(*(tensor.roll(1, 0).flip(0) for tensor in self))


class Critic(nn.Module):
    """A smooth critic without coupling between samples, of any width at both ends. It gives features too."""

    def __init__(self, shape: tuple[int, ...], *, outputs: int, pack: int, words: object, dtype: torch.dtype) -> None:
        super().__init__()
        channels = shape[0] * pack
        # On the meta device the layers' own initialization draws nothing.
        if len(shape) == 1:
            self.first: nn.Module = nn.Linear(channels, 8, device="meta", dtype=dtype)
            flat = 8
        else:
            self.first = nn.Conv2d(channels, 4, 3, stride=2, padding=1, device="meta", dtype=dtype)
            flat = 4 * (shape[1] // 2) * (shape[2] // 2)
        self.hidden = nn.Linear(flat, _HIDDEN, device="meta", dtype=dtype)
        self.last = nn.Linear(_HIDDEN, outputs, device="meta", dtype=dtype)
        self.gives: _Features = "flat"
        _fill(self, ("critic", words))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        maps = torch.tanh(self.first(images))
        hidden = torch.tanh(self.hidden(maps.flatten(1)))
        logits: Tensor = self.last(hidden)
        return logits if self.gives == "none" else (logits, hidden if self.gives == "flat" else maps)


class LinearCritic(nn.Module):
    """A critic of the same slope everywhere, so that a penalty on it does not depend on where it looks."""

    def __init__(self, shape: tuple[int, ...], *, words: object, dtype: torch.dtype) -> None:
        super().__init__()
        self.last = nn.Linear(torch.Size(shape).numel(), 1, device="meta", dtype=dtype)
        _fill(self, ("linear critic", words))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        flat = images.flatten(1)
        logits: Tensor = self.last(flat)
        return logits, flat


class TinyGenerator(nn.Module):
    """Latents [B, 7] to images or points."""

    def __init__(self, shape: tuple[int, ...], *, words: object, dtype: torch.dtype) -> None:
        super().__init__()
        self.shape = shape
        self.only = nn.Linear(LATENT, torch.Size(shape).numel(), device="meta", dtype=dtype)
        _fill(self, ("generator", words))

    def forward(self, latents: Tensor) -> Tensor:
        images: Tensor = torch.tanh(self.only(latents)).unflatten(1, self.shape)
        return images


def _fill(network: nn.Module, words: object) -> None:
    network.to_empty(device="cpu")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.1
            parameter.copy_(drawn((words, name), *parameter.shape, scale=scale))


class ToyProblem:
    """Networks that fit a method, batches for them, and the method's two phases run on both."""

    def __init__(
        self,
        method: Method,
        seed: int = 0,
        *,
        dtype: torch.dtype = torch.float64,
        points: bool = False,
        linear: bool = False,
        steep: bool = False,
        device: str = "cpu",
    ) -> None:
        self.method, self.seed, self.dtype, self.device = method, seed, dtype, device
        self.shape: tuple[int, ...] = POINT if points else IMAGE
        self.critic: nn.Module = (
            LinearCritic(self.shape, words=seed, dtype=dtype)
            if linear
            else Critic(self.shape, outputs=method.outputs, pack=method.pack, words=seed, dtype=dtype)
        )
        if steep:
            with torch.no_grad():
                for parameter in self.critic.parameters():
                    parameter.mul_(STEEPNESS)
        self.critic = method.wrap(self.critic.to(device))
        for name in sorted({name for part in method.parts for name in part.requires}):
            constraint = registry.part(name)()
            assert isinstance(constraint, Constraint)
            self.critic = constraint.wrap(self.critic)
        self.critic.eval()  # no power iteration: equal calls are equal
        self.generator = TinyGenerator(self.shape, words=seed, dtype=dtype).to(device)

    def batch(self, number: int = 0) -> Batch:
        """Return the batch of a number."""
        samples = SAMPLES * self.method.pack
        return Batch(
            drawn((self.seed, "real", number), samples, *self.shape, dtype=self.dtype, device=self.device, scale=0.6),
            drawn((self.seed, "latents", number), samples, LATENT, dtype=self.dtype, device=self.device),
        )

    def streams(self, phase: Phase, step: int = 0, draw: int = 0) -> dict[str, torch.Generator]:
        """Return a fresh random generator for each part; another `draw` gives other numbers."""
        return {
            part.name: torch.Generator(self.device).manual_seed(
                zlib.crc32(repr((self.seed, part.name, phase, step, draw)).encode())
            )
            for part in self.method.parts
        }

    def run(
        self,
        phase: Phase,
        batch: Batch | None = None,
        *,
        step: int = 0,
        draw: int = 0,
        state: State | None = None,
        rng: dict[str, torch.Generator] | None = None,
        concat_batches: bool = False,
    ) -> LossParts:
        """Compute the loss of a phase; the parts are given everything there is, and fresh state unless told."""
        real, latents = batch or self.batch()
        state = {} if state is None else state
        rng = rng or self.streams(phase, step, draw)
        if phase == "generator":
            return self.method.generator_loss(
                self.critic, self.generator, latents, real, rng=rng, step=step, state=state
            )
        return self.method.discriminator_loss(
            self.critic, real, self.generator(latents), latents=latents, generator=self.generator,
            rng=rng, step=step, state=state, concat_batches=concat_batches,
        )  # fmt: skip

    def run_frugally(self, phase: Phase, needs: frozenset[Need]) -> LossParts:
        """Compute the loss of a phase, where the parts are given what they declare to need and no more."""
        real, latents = self.batch()
        state: State | None = {} if "state" in needs else None
        critic: Callable[[Tensor], Tensor | tuple[Tensor, Tensor]] = self.critic
        generator: Callable[[Tensor], Tensor] = self.generator
        if isinstance(self.critic, Critic) and "features" not in needs:
            self.critic.gives = "none"
        if "weights" not in needs:
            critic, generator = self.critic.forward, self.generator.forward
        rng = self.streams(phase)
        if phase == "generator":
            reals = real if self.method.needs_real_in_generator else None
            return self.method.generator_loss(critic, generator, latents, reals, rng=rng, step=0, state=state)
        lent = bool(needs & {"generator", "second_latents"})
        return self.method.discriminator_loss(
            critic, real, self.generator(latents), latents=latents if lent else None,
            generator=generator if lent else None, rng=rng, step=0, state=state,
        )  # fmt: skip

    def player(self, phase: Phase) -> nn.Module:
        """The network that the phase trains."""
        return self.critic if phase == "discriminator" else self.generator


def method_with(*parts: Part, objective: str = "bce_ns") -> Method:
    """Return a method of these parts; the objective is the named one unless there is one among them."""
    objectives = [part for part in parts if isinstance(part, Objective)]
    return Method(
        objective=objectives[0] if objectives else named_objective(objective),
        regularizers=tuple(part for part in parts if isinstance(part, Regularizer)),
        transforms=tuple(part for part in parts if isinstance(part, InputTransform | LogitTransform)),
        constraints=tuple(part for part in parts if isinstance(part, Constraint)),
    )


def named_objective(name: str) -> Objective:
    """Return the library's objective of that name, with its defaults."""
    objective = registry.part(name)()
    assert isinstance(objective, Objective)
    return objective


def gradients(value: Tensor, player: nn.Module, *, retain_graph: bool = False) -> list[Tensor]:
    """Return the gradients of a value that reach a network, one a parameter that it reaches."""
    if not value.requires_grad:
        return []
    reached = torch.autograd.grad(value, list(player.parameters()), allow_unused=True, retain_graph=retain_graph)
    return [gradient for gradient in reached if gradient is not None]


def is_close(left: Tensor, right: Tensor, relative: float = 1e-9, absolute: float = 1e-12) -> bool:
    """Whether two scalars agree; two that are not finite never do."""
    one, other = number(left), number(right)
    return abs(one - other) <= absolute + relative * max(abs(one), abs(other))


def number(value: Tensor) -> float:
    """Return a scalar as a Python number, for comparing and for messages."""
    return float(value.detach())
