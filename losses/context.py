"""What a part may look at. Every tensor is computed at most once a phase, and only if somebody asks.

One `Evaluation` is one phase of one step, shared by all parts. A `Context` is one part's view of it, with that part's
own random stream and its own state.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from losses.kinds import InputTransform, Need, Phase
from losses.numerics import in_full_precision

Discriminator = Callable[[Tensor], "Tensor | tuple[Tensor, Tensor]"]
Generator = Callable[[Tensor], Tensor]
Rng = torch.Generator | Mapping[str, torch.Generator] | None
"""One generator for everything, or one for each part name, or None for torch's global generator."""
PartState = dict[str, Tensor]
State = MutableMapping[str, PartState]


class DiscriminatorOutput(NamedTuple):
    """One forward of the discriminator: `logits` [B] in full precision, and `features` [B, ...] if it gives them."""

    logits: Tensor
    features: Tensor | None


class Evaluation:
    """One phase of one step: its images, and the discriminator's outputs on them, each computed once on demand.

    In the discriminator's phase the images are cut off from whatever made them, and are leaves that require gradients
    where `needs` says so. In the generator's phase the fakes keep their graph, and the reals are looked at without one:
    they do not depend on the generator.
    """

    def __init__(
        self,
        *,
        phase: Phase,
        step: int,
        needs: frozenset[Need],
        discriminator: Discriminator,
        real_images: Tensor | None,
        fake_images: Tensor,
        transforms: Sequence[InputTransform] = (),
        latents: Tensor | None = None,
        generator: Generator | None = None,
        rng: Rng = None,
        state: State | None = None,
    ) -> None:
        self.phase = phase
        self.step = step
        self.latents = latents
        self._discriminator = discriminator
        self._generator = generator
        self._transforms = transforms
        self._rng = rng
        self._state = state
        self.real_images = None if real_images is None else _images("real", real_images.detach())
        self.fake_images = _images("fake", fake_images if phase == "generator" else fake_images.detach())
        if phase == "discriminator" and self.real_images is not None:
            self.real_images.requires_grad_("real_gradient" in needs)
            self.fake_images.requires_grad_("fake_gradient" in needs)

    @cached_property
    def real(self) -> DiscriminatorOutput:
        """The discriminator on the real images; in the generator's phase without a graph."""
        if self.real_images is None:
            raise ValueError("this method looks at real images in the generator's step: pass real_images")
        with torch.set_grad_enabled(self.phase == "discriminator" and torch.is_grad_enabled()):
            return self.judge(self.real_images)

    @cached_property
    def fake(self) -> DiscriminatorOutput:
        """The discriminator on the generated images."""
        return self.judge(self.fake_images)

    @cached_property
    def real_gradient(self) -> Tensor:
        return input_gradient(_required(self.real_images), self.real.logits)

    @cached_property
    def fake_gradient(self) -> Tensor:
        return input_gradient(self.fake_images, self.fake.logits)

    def judge(self, images: Tensor, part: str | None = None) -> DiscriminatorOutput:
        """Run the discriminator on the transformed images, in the mode it is in.

        A call made by a part draws the transforms' random numbers from that part's own stream, so that it shifts nobody
        else's. The two shared calls draw from the transforms' streams.
        """
        for transform in self._transforms:
            images = transform(images, self.stream(part or transform.name), self.step)
        output = self._discriminator(images)
        logits, features = output if isinstance(output, tuple) else (output, None)
        return DiscriminatorOutput(
            _one_per_sample(in_full_precision(logits), images.shape[0]),
            None if features is None else in_full_precision(features),
        )

    def generate(self, latents: Tensor, part: str) -> Tensor:
        if self._generator is None:
            raise ValueError(f"{part} asks for the generator in the discriminator's phase: only the generator's has it")
        return self._generator(latents)

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


class Context:
    """One part's view of a phase: the only thing a regulariser sees.

    Images are those before the transforms, so input gradients are taken there; logits and features are of the
    transformed ones. `rng` and `state` belong to this part alone.
    """

    def __init__(self, evaluation: Evaluation, part: str) -> None:
        self._evaluation = evaluation
        self._part = part

    @property
    def phase(self) -> Phase:
        return self._evaluation.phase

    @property
    def step(self) -> int:
        return self._evaluation.step

    @property
    def real_images(self) -> Tensor:
        """The real batch [B, ...]; ValueError in a generator phase that was given none."""
        return self._given(self._evaluation.real_images, "real images in the generator's step: pass real_images")

    @property
    def fake_images(self) -> Tensor:
        """The generated batch [B, ...]: detached in the discriminator's phase, with its graph in the generator's."""
        return self._evaluation.fake_images

    @property
    def latents(self) -> Tensor:
        """What the fakes were made from; the generator's phase only."""
        return self._given(self._evaluation.latents, "latents, which only the generator's phase has")

    @property
    def second_latents(self) -> Tensor:
        """A fresh standard normal batch shaped like `latents`, from this part's stream; each access draws anew."""
        z = self.latents
        return torch.randn(z.shape, generator=self.rng, device=z.device, dtype=z.dtype)

    @property
    def real_logits(self) -> Tensor:
        """The discriminator on the reals, [B]; without a graph in the generator's phase."""
        return self._evaluation.real.logits

    @property
    def fake_logits(self) -> Tensor:
        """The discriminator on the fakes, [B]."""
        return self._evaluation.fake.logits

    @property
    def real_features(self) -> Tensor:
        """The features of the same forward as `real_logits`."""
        return self._features(self._evaluation.real)

    @property
    def fake_features(self) -> Tensor:
        """The features of the same forward as `fake_logits`."""
        return self._features(self._evaluation.fake)

    @property
    def real_gradient(self) -> Tensor:
        """The gradient of each real logit by its own image, shaped like the images; to be declared in `needs`."""
        self._check_declared("real_gradient", self.real_images)
        return self._evaluation.real_gradient

    @property
    def fake_gradient(self) -> Tensor:
        """The gradient of each fake logit by its own image, shaped like the images; to be declared in `needs`."""
        self._check_declared("fake_gradient", self.fake_images)
        return self._evaluation.fake_gradient

    @property
    def rng(self) -> torch.Generator | None:
        """This part's random stream; None is torch's global generator."""
        return self._evaluation.stream(self._part)

    @property
    def state(self) -> PartState:
        """What this part remembers between steps, kept and checkpointed by the caller."""
        return self._evaluation.state_of(self._part)

    def discriminator(self, images: Tensor) -> DiscriminatorOutput:
        """Run the discriminator once more, transforms included."""
        return self._evaluation.judge(images, self._part)

    def generator(self, latents: Tensor) -> Tensor:
        """Run the generator once more; ValueError in the discriminator's phase."""
        return self._evaluation.generate(latents, self._part)

    def input_gradient(self, images: Tensor, logits: Tensor) -> Tensor:
        """Return d logit_i / d images_i per sample, in full precision, itself differentiable."""
        return input_gradient(images, logits)

    def _features(self, output: DiscriminatorOutput) -> Tensor:
        return self._given(output.features, "features: let the discriminator return (logits, features)")

    def _given(self, tensor: Tensor | None, what: str) -> Tensor:
        if tensor is None:
            raise ValueError(f"{self._part} needs {what}")
        return tensor

    def _check_declared(self, need: Need, images: Tensor) -> None:
        if not images.requires_grad:
            raise ValueError(
                f"{self._part} reads {need} in the {self.phase}'s phase, where the images have none: "
                f"a discriminator-phase part declares it in `needs`"
            )


def input_gradient(images: Tensor, logits: Tensor) -> Tensor:
    """Return the gradient of each logit by its own image, shaped like the images, in full precision, differentiable.

    The gradient of the sum is the per-sample gradient as long as no sample looks at another (BatchNorm does).
    """
    with torch.autocast(images.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return in_full_precision(gradient)


def _one_per_sample(logits: Tensor, samples: int) -> Tensor:
    if logits.dim() == 0 or logits.shape[0] != samples or logits.numel() != samples:
        raise ValueError(
            f"the discriminator returned logits of shape {tuple(logits.shape)} for {samples} inputs: "
            f"expected one logit a sample, ({samples},), ({samples}, 1) or ({samples}, 1, 1, 1)"
        )
    return logits.reshape(samples)


def _images(which: str, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        raise ValueError(f"{which} images are {images.dtype}: expected floats, such as uint8 / 127.5 - 1")
    return images


def _required(images: Tensor | None) -> Tensor:
    assert images is not None
    return images
