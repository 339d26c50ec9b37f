"""One phase of one step: its images and what the networks make of them.

Every tensor is computed at most once a phase, and only if somebody asks. All parts share the evaluation, each through a
`Context` of its own.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property

import torch
from torch import Tensor, nn

from losses.context import Context, DiscriminatorOutput, PartState, State, input_gradient
from losses.convolution import InputGradients
from losses.frozen import random_features
from losses.kinds import INPUT_GRADIENTS, InputTransform, Need, Objective, Phase, Role
from losses.numerics import autocast_dtype, in_full_precision, refuse_float16
from losses.ranges import D_FAKE, D_REAL, G_OTHER, mark

Discriminator = Callable[[Tensor], "Tensor | tuple[Tensor, Tensor]"]
Generator = Callable[[Tensor], Tensor]
Features = Callable[[Tensor], Tensor]
Rng = torch.Generator | Mapping[str, torch.Generator] | None
"""One generator for everything, or one for each part name, or None for torch's global generator."""


class Evaluation:
    """One phase of one step: its images, and the discriminator's outputs on them, each computed once on demand.

    In the discriminator's phase the images are cut off from whatever made them, and are leaves that require gradients
    where `needs` says so. In the generator's phase the fakes keep their graph, and the reals are looked at without one:
    they do not depend on the generator.

    Raises:
        ValueError: for images that are not floats, and for input gradients in float16, whose range they leave.
    """

    def __init__(
        self,
        *,
        phase: Phase,
        step: int,
        needs: frozenset[Need],
        objective: Objective,
        discriminator: Discriminator,
        real_images: Tensor | None,
        fake_images: Tensor,
        transforms: Sequence[InputTransform] = (),
        latents: Tensor | None = None,
        generator: Generator | None = None,
        frozen: Features | None = None,
        rng: Rng = None,
        state: State | None = None,
    ) -> None:
        self.phase = phase
        self._step = step
        self.step_was_read = False
        self.objective = objective
        self.latents = latents
        self.frozen = frozen or random_features
        self._discriminator = discriminator
        self._generator = generator
        self._transforms = transforms
        self._rng = rng
        self._state = state
        # Losses are computed in full precision; only the networks run in whatever the caller's autocast says.
        kind = fake_images.device.type
        ambient = autocast_dtype(kind)
        self._networks_precision = functools.partial(torch.autocast, kind, dtype=ambient, enabled=ambient is not None)
        self.losses_precision = functools.partial(torch.autocast, kind, enabled=False)
        self._twice: InputGradients | None = None
        if needs & INPUT_GRADIENTS:
            refuse_float16(fake_images)
            self._twice = InputGradients()
        self._input_dtype = fake_images.dtype if real_images is None else real_images.dtype
        self.real_images = None if real_images is None else _images("real", real_images.detach())
        self.fake_images = _images("fake", fake_images if phase == "generator" else fake_images.detach())
        if phase == "discriminator" and self.real_images is not None:
            self.real_images.requires_grad_("real_gradient" in needs)
            self.fake_images.requires_grad_("fake_gradient" in needs)

    @property
    def step(self) -> int:
        """The count of generator updates so far; that a part asked for it is remembered."""
        self.step_was_read = True
        return self._step

    @cached_property
    def real(self) -> DiscriminatorOutput:
        """The discriminator on the real images; in the generator's phase without a graph."""
        if self.real_images is None:
            raise ValueError("this method looks at real images in the generator's step: pass real_images")
        with torch.set_grad_enabled(self.phase == "discriminator" and torch.is_grad_enabled()), mark(D_REAL):
            return self.judge(self.real_images, "real")

    @cached_property
    def fake(self) -> DiscriminatorOutput:
        """The discriminator on the generated images."""
        with mark(D_FAKE):
            return self.judge(self.fake_images, "fake")

    @cached_property
    def real_gradient(self) -> Tensor:
        return self._own_gradient(_required(self.real_images), self.real.logits)

    @cached_property
    def fake_gradient(self) -> Tensor:
        return self._own_gradient(self.fake_images, self.fake.logits)

    def _own_gradient(self, images: Tensor, logits: Tensor) -> Tensor:
        """Differentiate the critic at the batches it is measured against, which count as constants meanwhile."""
        reference = (self.real.logits.detach(), self.fake.logits.detach())
        return self.input_gradient(images, self.objective.critic(logits, *reference))

    def input_gradient(self, images: Tensor, critic: Tensor) -> Tensor:
        """Return `input_gradient`, without what the discriminator's weights would be owed on the way."""
        with self._twice.taking() if self._twice else nullcontext():
            return input_gradient(images, critic)

    def settle(self) -> None:
        """Say that all terms are there: no gradient by the images themselves will be asked for from here on."""
        if self._twice:
            self._twice.settled = True

    def judge(self, images: Tensor, role: Role, part: str | None = None) -> DiscriminatorOutput:
        """Run the discriminator on the transformed images, in the mode it is in.

        A call made by a part draws the transforms' random numbers from that part's own stream, so that it shifts nobody
        else's. The two shared calls draw from the transforms' streams.
        """
        for transform in self._transforms:
            images = transform(images, Context(self, transform.name, stream=part), role)
        images = images.to(self._input_dtype)
        twice = self._twice if images.requires_grad and self.phase == "discriminator" else None
        with self._networks_precision(), twice.judging(images) if twice else nullcontext():
            output = self._discriminator(images)
        logits, features = output if isinstance(output, tuple) else (output, None)
        return DiscriminatorOutput(
            _shaped(in_full_precision(logits), images.shape[0], self.objective),
            None if features is None else in_full_precision(features),
        )

    def generate(self, latents: Tensor, part: str) -> Tensor:
        """Run the generator; in the discriminator's phase without a graph."""
        if self._generator is None:
            raise ValueError(
                f"{part} runs the generator in the discriminator's phase: pass generator= and latents= to "
                f"discriminator_loss"
            )
        trained = self.phase == "generator" and torch.is_grad_enabled()
        with torch.set_grad_enabled(trained), self._networks_precision(), mark(G_OTHER):
            return self._generator(latents)

    def player(self, part: str) -> nn.Module:
        """The network that is trained in this phase, as a module."""
        network = self._discriminator if self.phase == "discriminator" else self._generator
        if isinstance(network, nn.Module):
            return network
        raise ValueError(f"{part} reads the {self.phase}'s weights: pass it as a torch.nn.Module")

    def stream(self, name: str) -> torch.Generator | None:
        if not isinstance(self._rng, Mapping):
            return self._rng
        if name not in self._rng:
            raise ValueError(f"no random generator for {name!r} in rng, which has {sorted(self._rng)}")
        return self._rng[name]

    def state_of(self, part: str) -> PartState:
        if self._state is None:
            raise ValueError(f"{part} remembers something between steps: pass state={{}}, the same object every step")
        return self._state.setdefault(part, {})


def _shaped(logits: Tensor, samples: int, objective: Objective) -> Tensor:
    """Bring logits to [B], or [B, outputs] for a vector head, from any of the usual shapes."""
    outputs = objective.outputs
    if logits.dim() == 0 or logits.shape[0] != samples or logits.numel() != samples * outputs:
        shapes = (
            f"one logit a sample, ({samples},), ({samples}, 1) or ({samples}, 1, 1, 1)"
            if outputs == 1
            else f"{outputs} numbers a sample for {objective.name}, ({samples}, {outputs}) or "
            f"({samples}, {outputs}, 1, 1)"
        )
        raise ValueError(
            f"the discriminator returned logits of shape {tuple(logits.shape)} for {samples} inputs: expected {shapes}"
        )
    return logits.reshape(samples) if outputs == 1 else logits.reshape(samples, outputs)


def _images(which: str, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        raise ValueError(f"{which} images are {images.dtype}: expected floats, such as uint8 / 127.5 - 1")
    return images


def _required(images: Tensor | None) -> Tensor:
    assert images is not None
    return images
