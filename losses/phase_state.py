"""One phase of one step: what the caller passed in, and what the networks make of it.

Every tensor is computed at most once a phase, and only if somebody asks. All parts share the phase's state, each
through a `Context` of its own.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property

import torch
from torch import Tensor, nn

from losses.convolution import InputGradients
from losses.gradients import input_gradients
from losses.numerics import autocast_dtype, refuse_float16
from losses.outputs import DiscriminatorOutput, ScaleOutput, Scales, check_layout, describe_output, read_output
from losses.phase_inputs import PhaseInputs, check_labels, check_tensor
from losses.profiling import D_BOTH, D_FAKE, D_REAL, G_FAKE, G_OTHER, mark
from losses.random_features import random_features
from losses.types import (
    INPUT_GRADIENTS,
    CriticHead,
    Generator,
    Need,
    PartState,
    Role,
)


class PhaseState:
    """One phase of one step: its images, and the discriminator's outputs on them, each computed once on demand.

    In the discriminator's phase the images are cut off from whatever made them, and are leaves that require gradients
    where `needs` says so. In the generator's phase the fakes keep their graph, and the reals are looked at without one:
    they do not depend on the generator. The discriminator's output is kept for each scale; most have one.

    Args:
        inputs: what the caller passed in. With `concat_batches` both batches share a forward, and both input gradients
            a backward pass; not where only one of them needs an input gradient, which would cost that of both.
        needs: of all parts that act in this phase.
        objective: what reads the discriminator's output.
        transform: what is done to images before the discriminator sees them, from (this state, the images, their role,
            the part that asks, if one does).

    Raises:
        ValueError: for images that are not floats, or none at all, labels that are not one a sample, and for input
            gradients in float16, whose range they leave.
    """

    def __init__(
        self,
        inputs: PhaseInputs,
        needs: frozenset[Need],
        objective: CriticHead,
        transform: "Callable[[PhaseState, Tensor, Role, str | None], Tensor]",
    ) -> None:
        check_layout(inputs.logits)
        self.inputs = inputs
        self.phase = inputs.phase
        self.objective = objective
        # Not by its truth: an empty nn.Sequential, which takes the pixels themselves for features, has the length 0.
        self.frozen = random_features if inputs.frozen is None else inputs.frozen
        self._transform = transform
        fakes = inputs.fake_images if self.phase == "discriminator" else _made_fakes(inputs)
        reals = inputs.real_images
        shown = _shown(reals, fakes)
        # Losses are computed in full precision; only the networks run in whatever the caller's autocast says.
        self.device = shown.device
        device_type = self.device.type
        ambient = autocast_dtype(device_type)
        self._networks_precision = functools.partial(
            torch.autocast, device_type, dtype=ambient, enabled=ambient is not None
        )
        self.losses_precision = functools.partial(torch.autocast, device_type, enabled=False)
        self._convolutions: InputGradients | None = None
        if needs & INPUT_GRADIENTS:
            refuse_float16(shown)
            self._convolutions = InputGradients()
        self._input_dtype = (shown if reals is None else reals).dtype
        self.real_images = None if reals is None else _check_images("real", reals.detach())
        self.fake_images = fakes
        if fakes is not None:
            self.fake_images = _check_images("fake", fakes if self.phase == "generator" else fakes.detach())
        check_labels(inputs, self.real_images, self.fake_images)
        if self.phase == "discriminator":
            for need, images in (("real_gradient", self.real_images), ("fake_gradient", self.fake_images)):
                if images is not None and reals is not None:
                    images.requires_grad_(need in needs)
        self._gradients: dict[tuple[Role, int], Tensor] = {}
        self._shares_forward = inputs.concat_batches and self._can_share_forward()

    @cached_property
    def real(self) -> Scales:
        """The discriminator on the real images; in the generator's phase without a graph."""
        if self.real_images is None:
            raise ValueError(f"this method looks at real images in the {self.phase}'s step: pass real_images")
        if self._shares_forward:
            return self._both[0]
        with torch.set_grad_enabled(self.phase == "discriminator" and torch.is_grad_enabled()), mark(D_REAL):
            return self.run_discriminator(self.real_images, "real")

    @cached_property
    def fake(self) -> Scales:
        """The discriminator on the generated images."""
        if self._shares_forward:
            return self._both[1]
        with mark(D_FAKE):
            return self.run_discriminator(_required(self.fake_images, "fake"), "fake")

    @cached_property
    def _both(self) -> Sequence[Scales]:
        """The discriminator on the real and on the generated images, in one forward."""
        real, fake = _required(self.real_images, "real"), _required(self.fake_images, "fake")
        with mark(D_BOTH):
            batches = [self._transform(self, real, "real", None), self._transform(self, fake, "fake", None)]
            return self._run_discriminator(batches, [self.inputs.real_labels, self.inputs.fake_labels])

    def gradient(self, role: Role, scale: int) -> Tensor:
        """The gradient of the critic at a scale by the real or by the fake images, of this process alone."""
        if (role, scale) not in self._gradients:
            roles: list[Role] = ["real", "fake"] if self._shares_forward else [role]
            for own_role, gradient in zip(roles, self._own_gradients(roles, scale), strict=True):
                self._gradients[own_role, scale] = gradient
        return self._gradients[role, scale]

    def _own_gradients(self, roles: Sequence[Role], scale: int) -> Sequence[Tensor]:
        """Differentiate the critic at the batches it is measured against, which count as constants meanwhile."""
        batches = {"real": self.real_images, "fake": self.fake_images}

        def reference() -> tuple[Tensor, Tensor]:
            return self.real[scale].logits.detach(), self.fake[scale].logits.detach()

        outputs = [(self.real if role == "real" else self.fake)[scale] for role in roles]
        critics = [self.critic(output.own.logits, reference) for output in outputs]
        return self.input_gradients([_required(batches[role], role) for role in roles], critics)

    def critic(self, logits: Tensor, reference: Callable[[], tuple[Tensor, Tensor]]) -> Tensor:
        """Return the objective's critic on logits, measured against the logits of a real and a fake batch.

        A critic that is the logit itself has no reference, and a batch that nobody showed is not asked for.
        """
        return logits if self.objective.critic_is_logit else self.objective.critic(logits, *reference())

    def input_gradients(self, batches: Sequence[Tensor], critics: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return `input_gradients`, without computing the gradients by the discriminator's weights on the way."""
        with self._convolutions.skipping_weight_gradients(batches) if self._convolutions else nullcontext():
            return input_gradients(batches, critics)

    def finish_input_gradients(self) -> None:
        """Say that all terms are there: no gradient by the images themselves will be asked for from here on."""
        if self._convolutions:
            self._convolutions.input_gradients_done = True

    def run_discriminator(self, images: Tensor, role: Role, part: str | None = None) -> Scales:
        """Run the discriminator on the transformed images, in the mode it is in.

        A call made by a part draws the transforms' random numbers from that part's own stream, so that it shifts nobody
        else's. The shared calls draw from the transforms' streams.
        """
        transformed = self._transform(self, images, role, part)
        return self._run_discriminator([transformed], [self._labels(images, role)])[0]

    def _labels(self, images: Tensor, role: Role) -> Tensor | None:
        """The labels of a batch: points between reals and fakes go by the real ones, reals and fakes joined by both."""
        real, fake = self.inputs.real_labels, self.inputs.fake_labels
        if role == "fake" or real is None or fake is None:
            return fake if role == "fake" else real
        joined = role == "other" and len(images) == len(real) + len(fake)
        return torch.cat([real, fake]) if joined else real

    def _run_discriminator(self, batches: Sequence[Tensor], labels: Sequence[Tensor | None]) -> Sequence[Scales]:
        """Run the discriminator once on the batches together; return its outputs on each, scale by scale."""
        cast = [images.to(self._input_dtype) for images in batches]
        images = torch.cat(cast) if len(cast) > 1 else cast[0]
        given = [own for own in labels if own is not None]
        if given and sum(map(len, given)) != len(images):
            raise ValueError("a transform joins samples, and there is a label for each: leave one of them out")
        conditions = [] if not given else [torch.cat(given)] if len(given) > 1 else given
        intercepts = self._convolutions if images.requires_grad and self.phase == "discriminator" else None
        # What leaves have only been cast and joined to leads to nothing else, so that its gradient can be left out.
        from_leaves = all(own.is_leaf and not isinstance(own, nn.Parameter) for own in batches)
        intercepted = intercepts.replacing_conv2d(images, from_leaves=from_leaves) if intercepts else nullcontext()
        with self._networks_precision(), intercepted:
            output = self.inputs.discriminator(images, *conditions)
        scales = read_output(output, images.shape[0], self.objective, self.inputs.logits)
        pieces = [_split(scale, [len(own) for own in batches]) for scale in scales]
        return [[ScaleOutput(own, self.inputs.whole) for own in piece] for piece in zip(*pieces, strict=True)]

    def _can_share_forward(self) -> bool:
        """Whether both batches can share a forward, and none pays there for an input gradient of the other."""
        real, fake = self.real_images, self.fake_images
        if real is None or fake is None or (self.inputs.real_labels is None) != (self.inputs.fake_labels is None):
            return False
        return real.shape[1:] == fake.shape[1:] and real.requires_grad == fake.requires_grad

    @property
    def fakes_for_caller(self) -> Tensor | None:
        """The fakes for the caller: with their graph in the generator's phase, and without in the discriminator's.

        There they have been leaves for the penalties, and their gradient has not been computed in full.
        """
        fakes = self.fake_images
        return fakes if fakes is None or self.phase == "generator" else fakes.detach()

    @property
    def has_patches(self) -> bool:
        """Whether some scale has several logits a sample."""
        return any(len(output.own.logits) > len(_required(self.fake_images, "fake")) for output in self.fake)

    def generate(self, latents: Tensor, part: str) -> Tensor:
        """Run the generator; in the discriminator's phase without a graph."""
        if self.inputs.generator is None:
            raise ValueError(
                f"{part} runs the generator in the discriminator's phase: pass generator= and latents= to "
                f"discriminator_loss"
            )
        trained = self.phase == "generator" and torch.is_grad_enabled()
        labels = None if self.inputs.fake_labels is None else self.inputs.fake_labels[: len(latents)]
        with torch.set_grad_enabled(trained), self._networks_precision(), mark(G_OTHER):
            return _run_generator(self.inputs.generator, latents, labels)

    def player(self, part: str) -> nn.Module:
        """The network that is trained in this phase, as a module."""
        network = self.inputs.discriminator if self.phase == "discriminator" else self.inputs.generator
        if isinstance(network, nn.Module):
            return network
        raise ValueError(f"{part} reads the {self.phase}'s weights: pass it as a torch.nn.Module")

    def stream(self, name: str) -> torch.Generator | None:
        """The random stream of that name."""
        rng = self.inputs.rng
        if not isinstance(rng, Mapping):
            return rng
        if name not in rng:
            raise ValueError(f"no random generator for {name!r} in rng, which has {sorted(rng)}")
        return rng[name]

    def state_of(self, part: str, scale: int) -> PartState:
        """What a part remembers between steps, at a scale of the discriminator."""
        if self.inputs.state is None:
            raise ValueError(
                f"{part} remembers something between steps: pass state={{}}, the same object every step, or use "
                f"losses.Criterion, which keeps it"
            )
        return self.inputs.state.setdefault(memory_key(part, scale), {})


def memory_key(part: str, scale: int) -> str:
    """Return the name under which the memory of a part is kept, at a scale of the discriminator."""
    return part if scale == 0 else f"{part} at scale {scale}"


def generate_fakes(generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Run the generator for the images that the discriminator is shown."""
    with mark(G_FAKE):
        return _run_generator(generator, latents, labels)


def _made_fakes(inputs: PhaseInputs) -> Tensor:
    """Return the images of the generator's phase, which it makes itself."""
    if inputs.generator is None:
        raise ValueError("the generator's loss runs the generator, and there is none: pass it")
    if inputs.latents is None:
        raise ValueError("the generator's loss makes images of latents, and there are none: pass them")
    return generate_fakes(inputs.generator, inputs.latents, inputs.fake_labels)


def _shown(reals: Tensor | None, fakes: Tensor | None) -> Tensor:
    """Return the batch by which device and precision are told: the fakes, or the reals where there are none."""
    for which, images in (("real", reals), ("fake", fakes)):
        if images is not None:
            check_tensor(f"{which} images", images)
    shown = reals if fakes is None else fakes
    if shown is None:
        raise ValueError("a loss looks at images, and there are none: pass real_images")
    return shown


def _run_generator(generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Run a generator, and return its images: what it returns, or the first element of it.

    Raises:
        ValueError: where that is no tensor.
    """
    output = generator(latents) if labels is None else generator(latents, labels)
    images = output[0] if isinstance(output, list | tuple) and output else output
    if not isinstance(images, Tensor):
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"the generator returned {describe_output(output)}: expected images, or a tuple that begins with them"
        )
    return images


def _split(output: DiscriminatorOutput, sizes: list[int]) -> Sequence[DiscriminatorOutput]:
    """Cut an output along the batch; per patch, a sample has several logits."""
    if len(sizes) == 1:
        return [output]
    patches = len(output.logits) // sum(sizes)
    logits = output.logits.split([patches * size for size in sizes])
    features = [None] * len(sizes) if output.features is None else output.features.split(sizes)
    return [DiscriminatorOutput(*piece) for piece in zip(logits, features, strict=True)]


def _check_images(which: str, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        raise ValueError(f"{which} images are {images.dtype}: expected floats, such as uint8 / 127.5 - 1")
    if images.dim() == 0 or len(images) == 0:
        raise ValueError(f"{which} images have the shape {tuple(images.shape)}: expected at least one, [B, ...]")
    return images


def _required(images: Tensor | None, which: str) -> Tensor:
    if images is None:
        raise ValueError(f"this method looks at {which} images: pass {which}_images")
    return images
