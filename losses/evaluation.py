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

from losses.context import Context, PartState, State, input_gradients
from losses.convolution import InputGradients
from losses.frozen import random_features
from losses.kinds import INPUT_GRADIENTS, InputTransform, Need, Objective, Phase, Role
from losses.numerics import autocast_dtype, refuse_float16
from losses.outputs import DiscriminatorOutput, Judged, Layout, Scales, check_layout, described, is_its_own_critic, read
from losses.ranges import D_BOTH, D_FAKE, D_REAL, G_FAKE, G_OTHER, mark
from losses.whole_batch import WholeBatch

Discriminator = Callable[..., object]
"""Images, and labels where there are any, to raw logits in the layout that the caller names, with features or without.
"""
Generator = Callable[..., object]
"""Latents, and labels where there are any, to images, or to a tuple whose first element they are."""
Features = Callable[[Tensor], Tensor]
Rng = torch.Generator | Mapping[str, torch.Generator] | None
"""One generator for everything, or one for each part name, or None for torch's global generator."""


class Evaluation:
    """One phase of one step: its images, and the discriminator's outputs on them, each computed once on demand.

    In the discriminator's phase the images are cut off from whatever made them, and are leaves that require gradients
    where `needs` says so. In the generator's phase the fakes keep their graph, and the reals are looked at without one:
    they do not depend on the generator. What the discriminator returns is kept a scale, of which most have one.

    `joint` says that the discriminator judges each image alone: both batches then share a forward, and both input
    gradients a backward pass. Not so where only one of them is due an input gradient, which would cost that of both.

    Raises:
        ValueError: for images that are not floats, labels that are not one a sample, and for input gradients in
            float16, whose range they leave.
    """

    def __init__(
        self,
        *,
        phase: Phase,
        step: int | None,
        needs: frozenset[Need],
        objective: Objective,
        discriminator: Discriminator,
        real_images: Tensor | None,
        fake_images: Tensor | None,
        transforms: Sequence[InputTransform] = (),
        latents: Tensor | None = None,
        generator: Generator | None = None,
        frozen: Features | None = None,
        rng: Rng = None,
        state: State | None = None,
        joint: bool = False,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
        logits: Layout = "per_image",
        whole: WholeBatch | None = None,
    ) -> None:
        check_layout(logits)
        self.phase = phase
        self._step = step
        self.step_was_read = False
        self.objective = objective
        self.latents = latents
        self.frozen = frozen or random_features
        self.whole = whole
        self._discriminator = discriminator
        self._generator = generator
        self._transforms = transforms
        self._rng = rng
        self._state = state
        self._layout = logits
        self._real_labels, self._fake_labels = real_labels, fake_labels
        some = fake_images if real_images is None else real_images
        assert some is not None
        # Losses are computed in full precision; only the networks run in whatever the caller's autocast says.
        self.device = (some if fake_images is None else fake_images).device
        kind = self.device.type
        ambient = autocast_dtype(kind)
        self._networks_precision = functools.partial(torch.autocast, kind, dtype=ambient, enabled=ambient is not None)
        self.losses_precision = functools.partial(torch.autocast, kind, enabled=False)
        self._twice: InputGradients | None = None
        if needs & INPUT_GRADIENTS:
            refuse_float16(some if fake_images is None else fake_images)
            self._twice = InputGradients()
        self._input_dtype = some.dtype
        self.real_images = None if real_images is None else _images("real", real_images.detach())
        self.fake_images = fake_images
        if fake_images is not None:
            self.fake_images = _images("fake", fake_images if phase == "generator" else fake_images.detach())
        for which, images, labels in (
            ("real", self.real_images, real_labels),
            ("fake", self.fake_images, fake_labels),
        ):
            _check_labels(which, images, labels)
        if real_images is not None and fake_images is not None and (real_labels is None) != (fake_labels is None):
            given, missing = ("real", "fake") if fake_labels is None else ("fake", "real")
            raise ValueError(f"{given} labels and no {missing} labels: a conditional discriminator takes both")
        if phase == "discriminator":
            for need, images in (("real_gradient", self.real_images), ("fake_gradient", self.fake_images)):
                if images is not None and real_images is not None:
                    images.requires_grad_(need in needs)
        self._gradients: dict[tuple[Role, int], Tensor] = {}
        self._joint = joint and self._fit_together()

    def step(self, part: str) -> int:
        """The count of generator updates so far; that a part asked for it is remembered."""
        self.step_was_read = True
        if self._step is None:
            raise ValueError(f"{part} reads the count of steps: pass step=, or use losses.Criterion, which counts")
        return self._step

    @cached_property
    def real(self) -> Scales:
        """The discriminator on the real images; in the generator's phase without a graph."""
        if self.real_images is None:
            raise ValueError("this method looks at real images in the generator's step: pass real_images")
        if self._joint:
            return self._both[0]
        with torch.set_grad_enabled(self.phase == "discriminator" and torch.is_grad_enabled()), mark(D_REAL):
            return self.judge(self.real_images, "real")

    @cached_property
    def fake(self) -> Scales:
        """The discriminator on the generated images."""
        if self._joint:
            return self._both[1]
        with mark(D_FAKE):
            return self.judge(_required(self.fake_images, "fake"), "fake")

    @cached_property
    def _both(self) -> Sequence[Scales]:
        """The discriminator on the real and on the generated images, in one forward."""
        real, fake = _required(self.real_images, "real"), _required(self.fake_images, "fake")
        with mark(D_BOTH):
            shown = [self._transformed(real, "real"), self._transformed(fake, "fake")]
            return self._judge(shown, [self._real_labels, self._fake_labels])

    def gradient(self, role: Role, scale: int) -> Tensor:
        """The gradient of the critic at a scale by the real or by the fake images, of this process alone."""
        if (role, scale) not in self._gradients:
            roles: list[Role] = ["real", "fake"] if self._joint else [role]
            for each, gradient in zip(roles, self._own_gradients(roles, scale), strict=True):
                self._gradients[each, scale] = gradient
        return self._gradients[role, scale]

    def _own_gradients(self, roles: Sequence[Role], scale: int) -> Sequence[Tensor]:
        """Differentiate the critic at the batches it is measured against, which count as constants meanwhile."""
        batches = {"real": self.real_images, "fake": self.fake_images}
        judged = {role: (self.real if role == "real" else self.fake)[scale].own.logits for role in roles}
        critics = [self.objective.critic(logits, *self.reference(logits, scale)) for logits in judged.values()]
        return self.input_gradients([_required(batches[role], role) for role in roles], critics)

    def reference(self, logits: Tensor, scale: int) -> tuple[Tensor, Tensor]:
        """The logits of the whole real and fake batch, as constants, against which a critic is measured.

        A critic that is the logit itself has no reference, and a batch that nobody showed is not asked for.
        """
        if is_its_own_critic(self.objective):
            return logits, logits
        return self.real[scale].logits.detach(), self.fake[scale].logits.detach()

    def input_gradients(self, batches: Sequence[Tensor], critics: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return `input_gradients`, without what the discriminator's weights would be owed on the way."""
        with self._twice.taking(batches) if self._twice else nullcontext():
            return input_gradients(batches, critics)

    def settle(self) -> None:
        """Say that all terms are there: no gradient by the images themselves will be asked for from here on."""
        if self._twice:
            self._twice.settled = True

    def judge(self, images: Tensor, role: Role, part: str | None = None) -> Scales:
        """Run the discriminator on the transformed images, in the mode it is in.

        A call made by a part draws the transforms' random numbers from that part's own stream, so that it shifts nobody
        else's. The shared calls draw from the transforms' streams.
        """
        return self._judge([self._transformed(images, role, part)], [self._labels(images, role)])[0]

    def _labels(self, images: Tensor, role: Role) -> Tensor | None:
        """The labels of a batch: points between reals and fakes go by the real ones, reals and fakes joined by both."""
        real, fake = self._real_labels, self._fake_labels
        if role == "fake" or real is None or fake is None:
            return fake if role == "fake" else real
        joined = role == "other" and len(images) == len(real) + len(fake)
        return torch.cat([real, fake]) if joined else real

    def _transformed(self, images: Tensor, role: Role, part: str | None = None) -> Tensor:
        for transform in self._transforms:
            images = transform(images, Context(self, transform.name, stream=part), role)
        return images

    def _judge(self, shown: Sequence[Tensor], labels: Sequence[Tensor | None]) -> Sequence[Scales]:
        """Run the discriminator once on the batches it is shown, and return its outputs on each, scale by scale."""
        cast = [images.to(self._input_dtype) for images in shown]
        images = torch.cat(cast) if len(cast) > 1 else cast[0]
        given = [each for each in labels if each is not None]
        if given and sum(map(len, given)) != len(images):
            packing = next((part.name for part in self._transforms if part.pack > 1), "a transform")
            raise ValueError(f"{packing} joins samples, and there is a label for each: leave one of them out")
        conditions = [] if not given else [torch.cat(given)] if len(given) > 1 else given
        twice = self._twice if images.requires_grad and self.phase == "discriminator" else None
        # What leaves have only been cast and joined to leads to nothing else, so that its gradient can be left out.
        bare = all(each.is_leaf and not isinstance(each, nn.Parameter) for each in shown)
        with self._networks_precision(), twice.judging(images, bare=bare) if twice else nullcontext():
            output = self._discriminator(images, *conditions)
        found = read(output, images.shape[0], self.objective, self._layout)
        pieces = [_split(scale, [len(each) for each in shown]) for scale in found]
        return [[Judged(own, self.whole) for own in scales] for scales in zip(*pieces, strict=True)]

    def _fit_together(self) -> bool:
        """Whether both batches can share a forward, and none pays there for an input gradient of the other."""
        real, fake = self.real_images, self.fake_images
        if real is None or fake is None or (self._real_labels is None) != (self._fake_labels is None):
            return False
        return real.shape[1:] == fake.shape[1:] and real.requires_grad == fake.requires_grad

    @property
    def shown_fakes(self) -> Tensor | None:
        """The fakes for the caller: with their graph in the generator's phase, and without in the discriminator's.

        There they have been leaves for the penalties, and what they are owed has not been computed in full.
        """
        fakes = self.fake_images
        return fakes if fakes is None or self.phase == "generator" else fakes.detach()

    @property
    def has_patches(self) -> bool:
        """Whether some scale has several logits a sample."""
        return any(len(judged.own.logits) > len(_required(self.fake_images, "fake")) for judged in self.fake)

    def generate(self, latents: Tensor, part: str) -> Tensor:
        """Run the generator; in the discriminator's phase without a graph."""
        if self._generator is None:
            raise ValueError(
                f"{part} runs the generator in the discriminator's phase: pass generator= and latents= to "
                f"discriminator_loss"
            )
        trained = self.phase == "generator" and torch.is_grad_enabled()
        labels = None if self._fake_labels is None else self._fake_labels[: len(latents)]
        with torch.set_grad_enabled(trained), self._networks_precision(), mark(G_OTHER):
            return generated(self._generator, latents, labels)

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

    def state_of(self, part: str, scale: int) -> PartState:
        if self._state is None:
            raise ValueError(
                f"{part} remembers something between steps: pass state={{}}, the same object every step, or use "
                f"losses.Criterion, which keeps it"
            )
        return self._state.setdefault(part if scale == 0 else f"{part} at scale {scale}", {})


def generated(generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Run a generator, and return its images: what it returns, or the first element of it.

    Raises:
        ValueError: where that is no tensor.
    """
    output = generator(latents) if labels is None else generator(latents, labels)
    images = output[0] if isinstance(output, list | tuple) and output else output
    if not isinstance(images, Tensor):
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"the generator returned {described(output)}: expected images, or a tuple that begins with them"
        )
    return images


def generate_fakes(generator: Generator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Run the generator for the images that the discriminator is shown."""
    with mark(G_FAKE):
        return generated(generator, latents, labels)


def _split(output: DiscriminatorOutput, sizes: list[int]) -> Sequence[DiscriminatorOutput]:
    """Cut an output along the batch; per patch, a sample has several logits."""
    if len(sizes) == 1:
        return [output]
    patches = len(output.logits) // sum(sizes)
    logits = output.logits.split([patches * size for size in sizes])
    features = [None] * len(sizes) if output.features is None else output.features.split(sizes)
    return [DiscriminatorOutput(*each) for each in zip(logits, features, strict=True)]


def _images(which: str, images: Tensor) -> Tensor:
    if not images.is_floating_point():
        raise ValueError(f"{which} images are {images.dtype}: expected floats, such as uint8 / 127.5 - 1")
    return images


def _check_labels(which: str, images: Tensor | None, labels: Tensor | None) -> None:
    if images is not None and labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(labels)} {which} labels for {len(images)} {which} images: expected one a sample")


def _required(images: Tensor | None, which: str) -> Tensor:
    if images is None:
        raise ValueError(f"this method looks at {which} images: pass {which}_images")
    return images
