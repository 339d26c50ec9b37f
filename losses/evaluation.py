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

from losses.context import Context, DiscriminatorOutput, PartState, State, input_gradients
from losses.convolution import InputGradients
from losses.frozen import random_features
from losses.kinds import INPUT_GRADIENTS, InputTransform, Need, Objective, Phase, Role
from losses.numerics import autocast_dtype, in_full_precision, refuse_float16
from losses.ranges import D_BOTH, D_FAKE, D_REAL, G_OTHER, mark

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

    `joint` says that the discriminator judges each image alone: both batches then share a forward, and both input
    gradients a backward pass. Not so where only one of them is due an input gradient, which would cost that of both.

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
        joint: bool = False,
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
        self._joint = joint and self._fit_together()

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
        if self._joint:
            return self._both[0]
        with torch.set_grad_enabled(self.phase == "discriminator" and torch.is_grad_enabled()), mark(D_REAL):
            return self.judge(self.real_images, "real")

    @cached_property
    def fake(self) -> DiscriminatorOutput:
        """The discriminator on the generated images."""
        if self._joint:
            return self._both[1]
        with mark(D_FAKE):
            return self.judge(self.fake_images, "fake")

    @cached_property
    def _both(self) -> Sequence[DiscriminatorOutput]:
        """The discriminator on the real and on the generated images, in one forward."""
        with mark(D_BOTH):
            shown = [
                self._transformed(_required(self.real_images), "real"),
                self._transformed(self.fake_images, "fake"),
            ]
            return self._judge(*shown)

    @cached_property
    def real_gradient(self) -> Tensor:
        if self._joint:
            return self._both_gradients[0]
        return self._own_gradients((_required(self.real_images), self.real))[0]

    @cached_property
    def fake_gradient(self) -> Tensor:
        if self._joint:
            return self._both_gradients[1]
        return self._own_gradients((self.fake_images, self.fake))[0]

    @cached_property
    def _both_gradients(self) -> Sequence[Tensor]:
        return self._own_gradients((_required(self.real_images), self.real), (self.fake_images, self.fake))

    def _own_gradients(self, *judged: tuple[Tensor, DiscriminatorOutput]) -> Sequence[Tensor]:
        """Differentiate the critic at the batches it is measured against, which count as constants meanwhile."""
        reference = (self.real.logits.detach(), self.fake.logits.detach())
        critics = [self.objective.critic(output.logits, *reference) for _, output in judged]
        return self.input_gradients([images for images, _ in judged], critics)

    def input_gradients(self, batches: Sequence[Tensor], critics: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return `input_gradients`, without what the discriminator's weights would be owed on the way."""
        with self._twice.taking() if self._twice else nullcontext():
            return input_gradients(batches, critics)

    def settle(self) -> None:
        """Say that all terms are there: no gradient by the images themselves will be asked for from here on."""
        if self._twice:
            self._twice.settled = True

    def judge(self, images: Tensor, role: Role, part: str | None = None) -> DiscriminatorOutput:
        """Run the discriminator on the transformed images, in the mode it is in.

        A call made by a part draws the transforms' random numbers from that part's own stream, so that it shifts nobody
        else's. The shared calls draw from the transforms' streams.
        """
        return self._judge(self._transformed(images, role, part))[0]

    def _transformed(self, images: Tensor, role: Role, part: str | None = None) -> Tensor:
        for transform in self._transforms:
            images = transform(images, Context(self, transform.name, stream=part), role)
        return images

    def _judge(self, *shown: Tensor) -> Sequence[DiscriminatorOutput]:
        """Run the discriminator once on the batches it is shown, and return its outputs on each."""
        cast = [images.to(self._input_dtype) for images in shown]
        images = torch.cat(cast) if len(cast) > 1 else cast[0]
        twice = self._twice if images.requires_grad and self.phase == "discriminator" else None
        # What leaves have only been cast and joined to leads to nothing else, so that its gradient can be left out.
        bare = all(each.is_leaf for each in shown)
        with self._networks_precision(), twice.judging(images, bare=bare) if twice else nullcontext():
            output = self._discriminator(images)
        logits, features = output if isinstance(output, tuple) else (output, None)
        found = DiscriminatorOutput(
            _shaped(in_full_precision(logits), images.shape[0], self.objective),
            None if features is None else in_full_precision(features),
        )
        return _split(found, [len(each) for each in shown])

    def _fit_together(self) -> bool:
        """Whether both batches can share a forward, and none pays there for an input gradient of the other."""
        real, fake = self.real_images, self.fake_images
        return real is not None and real.shape[1:] == fake.shape[1:] and real.requires_grad == fake.requires_grad

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


def _split(output: DiscriminatorOutput, sizes: list[int]) -> Sequence[DiscriminatorOutput]:
    """Cut an output along the batch."""
    if len(sizes) == 1:
        return [output]
    logits = output.logits.split(sizes)
    features = [None] * len(sizes) if output.features is None else output.features.split(sizes)
    return [DiscriminatorOutput(*each) for each in zip(logits, features, strict=True)]


def _images(which: str, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        raise ValueError(f"{which} images are {images.dtype}: expected floats, such as uint8 / 127.5 - 1")
    return images


def _required(images: Tensor | None) -> Tensor:
    assert images is not None
    return images
