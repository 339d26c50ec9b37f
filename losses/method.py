"""A method: one objective and any parts, as two functions that turn networks and batches into named loss terms."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Literal

from torch import Tensor

from losses.context import Context, State
from losses.evaluation import Discriminator, Evaluation, Features, Generator, Rng
from losses.kinds import (
    BATCH_NORM_ORDER,
    INPUT_GRADIENTS,
    BatchNorm,
    Constraint,
    InputTransform,
    LogitTransform,
    Need,
    Objective,
    Part,
    Phase,
    Regularizer,
    spelled,
)
from losses.ranges import G_FAKE, OBJECTIVE, PENALTY, mark


@dataclass(frozen=True)
class Recipe:
    """How the paper trained its method. A recommendation: the controlled track ignores it."""

    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    """(momentum, decay of squares); RMSprop reads the second only, as its smoothing constant."""
    critic_steps: int = 1
    """Discriminator steps for one generator step."""
    d_norm: Literal["ln", "none", "sn", "bn"] = "bn"
    """The normalisation in the paper's discriminator."""
    batch_size: int | None = None
    """None where no source at hand states it."""


@dataclass(frozen=True, eq=False)
class LossPart:
    """One term of a loss: its plain value, and what of it entered the total. Both are scalars with their graph."""

    value: Tensor
    weighted: Tensor


@dataclass(frozen=True, eq=False)
class LossParts(Mapping[str, LossPart]):
    """The terms of one phase by part name, their sum, and the tensors a training loop wants to look at.

    A lazy term is absent on its off steps. `fake_images` is what the discriminator's input was made from: in the
    generator's phase it carries the generator's graph, so a hook on it sees the signal the generator receives.
    """

    total: Tensor
    parts: Mapping[str, LossPart]
    fake_images: Tensor
    fake_logits: Tensor
    real_logits: Tensor | None
    """None in a generator phase whose objective did not look at real images."""
    reads_step: bool = False
    """Whether a term or a transform read the count of steps, and so differs from step to step for the same inputs."""

    def __getitem__(self, name: str) -> LossPart:
        return self.parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True)
class Method:
    """An objective with its parts. Methods are equal when their parts are; name, recipe and citation do not count.

    The regularisers are kept sorted by name, because a sum has no order. Transforms and constraints are kept as given,
    because they act one after the other. `str(method)` is the canonical spelling: objective + regularisers + transforms
    + constraints, every parameter written out; `losses.get` reads it back to an equal method.

    Raises:
        ValueError: when the same part is given twice, or two parts cannot work together.
    """

    objective: Objective
    regularizers: tuple[Regularizer, ...] = ()
    transforms: tuple[InputTransform | LogitTransform, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    name: str = field(default="", compare=False)
    """The catalogue name, or the canonical spelling of a method the catalogue does not have."""
    recipe: Recipe | None = field(default=None, compare=False)
    """The paper's training recipe; None for a combination that no paper has published."""
    citation: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regularizers", tuple(sorted(self.regularizers, key=lambda part: part.name)))
        twice = [name for name, count in Counter(part.name for part in self.parts).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]} is given twice: a method has each part once")
        _refuse_packing(self)
        if not self.name:
            object.__setattr__(self, "name", str(self))

    def __str__(self) -> str:
        return " + ".join(_spell(part, full=True) for part in self.parts)

    @property
    def short(self) -> str:
        """The compact spelling, for tables: only the parameters that differ from their defaults."""
        return " + ".join(_spell(part, full=False) for part in self.parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, in the order of the canonical spelling."""
        return (self.objective, *self.regularizers, *self.transforms, *self.constraints)

    @property
    def batch_norm(self) -> BatchNorm:
        """What BatchNorm in the discriminator does to this method: the worst of what it does to a part."""
        return max((part.batch_norm for part in self.parts), key=BATCH_NORM_ORDER.index)

    @property
    def needs(self) -> frozenset[Need]:
        """Everything that some part declares to need."""
        return frozenset().union(*(part.needs for part in self.parts))

    @property
    def takes_input_gradients(self) -> bool:
        """Whether some part differentiates a network by its input, and so is itself differentiated twice."""
        return bool(self.needs & INPUT_GRADIENTS)

    @property
    def needs_real_in_generator(self) -> bool:
        """Whether `generator_loss` must be given real images."""
        if any(part.needs_real_in_generator for part in self.regularizers if part.phase == "generator"):
            return True
        # The critic of a vector head, by which logits are ranked, is measured against the real batch.
        ranked = any(isinstance(part, LogitTransform) and part.phase == "generator" for part in self.transforms)
        return self.objective.needs_real_in_generator or (ranked and self.outputs > 1)

    @property
    def input_transforms(self) -> tuple[InputTransform, ...]:
        """The transforms of the discriminator's input, in order."""
        return tuple(part for part in self.transforms if isinstance(part, InputTransform))

    @property
    def outputs(self) -> int:
        """How many numbers a sample the discriminator must give: the width of its last layer."""
        return self.objective.outputs

    @property
    def pack(self) -> int:
        """How many samples make one input: the factor on the channels of the discriminator's first layer."""
        return math.prod(part.pack for part in self.input_transforms)

    @property
    def critic_steps(self) -> int:
        """The factor on the discriminator's updates for one of the generator, which the training loop reads."""
        return math.prod(part.critic_steps for part in self.constraints)

    @property
    def learning_rate_factor(self) -> float:
        """The factor on the discriminator's learning rate, which the training loop reads."""
        return math.prod(part.learning_rate_factor for part in self.constraints)

    @property
    def judges_alone(self) -> bool:
        """Whether a discriminator that judges each image alone still does so under this method's constraints."""
        return all(part.judges_alone for part in self.constraints)

    @property
    def resolved(self) -> "Method":
        """The method that trains exactly like this one and goes by no other name: an alias is replaced by its original.

        It is itself wherever there is no alias.
        """
        alias = self.objective.alias
        return self if alias is None else replace(self, objective=alias, name="", recipe=None, citation="")

    def discriminator_loss(
        self,
        discriminator: Discriminator,
        real_images: Tensor,
        fake_images: Tensor,
        *,
        latents: Tensor | None = None,
        generator: Generator | None = None,
        frozen: Features | None = None,
        rng: Rng = None,
        step: int = 0,
        state: State | None = None,
        joint: bool = False,
    ) -> LossParts:
        """Compute the discriminator's loss on a batch; nothing flows back into the generator.

        Args:
            discriminator: returns raw logits, [B], [B, 1] or [B, 1, 1, 1], or the pair (logits, features); with a
                vector head [B, outputs].
            real_images: floats [B, ...].
            fake_images: floats [B, ...]; detached here.
            latents: what the fakes were made from; read only by parts that need "generator".
            generator: run without a graph, and only by parts that need "generator".
            frozen: a fixed network, images to features [B, d], for parts that need "frozen_features"; the library's
                random features by default.
            rng: one generator for each part name, one for all, or None for torch's global one. They live on the device
                of the images. Give each part its own, derived afresh from (seed, part, step, phase), and no part ever
                shifts the random numbers of another.
            step: the count of generator updates so far; lazy terms and annealing read it.
            state: what stateful parts remember, kept by the caller between steps.
            joint: says that the discriminator judges each image alone and is the same after a forward, so that reals
                and fakes may share one: no BatchNorm, no statistics of a minibatch, no power iteration. Equal but for
                the rounding of sums. They still go apart where only one of them is due an input gradient, which
                would cost that of the other, and where their images differ in shape.

        Raises:
            ValueError: for images that are not floats, logits that are not one a sample, features or state that a part
                needs and does not get, or an `rng` without a generator for a part that draws.
        """
        due = self._due("discriminator", step)
        evaluation = Evaluation(
            phase="discriminator",
            step=step,
            needs=frozenset().union(*(part.needs for part in due)),
            objective=self.objective,
            discriminator=discriminator,
            real_images=real_images,
            fake_images=fake_images,
            transforms=self.input_transforms,
            latents=latents,
            generator=generator,
            frozen=frozen,
            rng=rng,
            state=state,
            joint=joint,
        )
        with evaluation.losses_precision():
            plain_real, plain_fake = evaluation.real.logits, evaluation.fake.logits
            with mark(OBJECTIVE):
                real, fake = self._read_by_objective(evaluation, plain_real, plain_fake)
                assert real is not None
                value = self.objective.discriminator(real, fake)
            parts = _collect(evaluation, self.objective, value, due, plain_real)
            evaluation.settle()
            for transform in self.input_transforms:
                transform.observe(plain_real.detach(), plain_fake.detach(), Context(evaluation, transform.name))
        return replace(parts, reads_step=evaluation.step_was_read)

    def generator_loss(
        self,
        discriminator: Discriminator,
        generator: Generator,
        latents: Tensor,
        real_images: Tensor | None = None,
        *,
        frozen: Features | None = None,
        rng: Rng = None,
        step: int = 0,
        state: State | None = None,
    ) -> LossParts:
        """Compute the generator's loss on a batch of latents.

        Gradients reach the discriminator's parameters too unless the caller has frozen them; the generator's are right
        either way. `real_images` is looked at, without a graph, only where `needs_real_in_generator`. The other
        arguments and errors are those of `discriminator_loss`.
        """
        due = self._due("generator", step)
        with mark(G_FAKE):
            fake_images = generator(latents)
        evaluation = Evaluation(
            phase="generator",
            step=step,
            needs=frozenset().union(*(part.needs for part in due)),
            objective=self.objective,
            discriminator=discriminator,
            real_images=real_images,
            fake_images=fake_images,
            transforms=self.input_transforms,
            latents=latents,
            generator=generator,
            frozen=frozen,
            rng=rng,
            state=state,
        )
        with evaluation.losses_precision():
            plain_fake = evaluation.fake.logits
            plain_real = evaluation.real.logits if self.objective.needs_real_in_generator else None
            with mark(OBJECTIVE):
                real, fake = self._read_by_objective(evaluation, plain_real, plain_fake)
                value = self.objective.generator(fake, real)
            parts = _collect(evaluation, self.objective, value, due, plain_real)
        return replace(parts, reads_step=evaluation.step_was_read)

    def _due(self, phase: Phase, step: int) -> list[Regularizer]:
        return [part for part in self.regularizers if part.phase == phase and step % part.every == 0]

    def _read_by_objective(
        self, evaluation: Evaluation, real: Tensor | None, fake: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        for transform in self.transforms:
            if isinstance(transform, LogitTransform) and transform.phase == evaluation.phase:
                real, fake = transform(real, fake, Context(evaluation, transform.name))
        return real, fake


def _refuse_packing(method: Method) -> None:
    """Raise ValueError where several samples share a logit and a part needs one of each sample's own."""
    if method.pack == 1:
        return
    packing = next(part.name for part in method.input_transforms if part.pack > 1)
    if method.outputs > 1:
        raise ValueError(
            f"{packing} joins {method.pack} samples to one input, but {method.objective.name} reads {method.outputs} "
            f"outputs of each sample: leave one of them out"
        )
    for part in method.parts:
        if "logit_per_image" in part.needs:
            raise ValueError(
                f"{packing} joins {method.pack} samples to one logit, but {part.name} needs the logit of each image: "
                f"leave one of them out"
            )


def _collect(
    evaluation: Evaluation, objective: Objective, value: Tensor, due: list[Regularizer], real_logits: Tensor | None
) -> LossParts:
    parts = {objective.name: LossPart(value=value, weighted=value)}
    total = value
    for regularizer in due:
        with mark(f"{PENALTY} {regularizer.name}"):
            value = regularizer(Context(evaluation, regularizer.name))
        weighted = regularizer.coefficient * regularizer.every * value
        parts[regularizer.name] = LossPart(value=value, weighted=weighted)
        total = total + weighted
    return LossParts(
        total=total,
        parts=parts,
        fake_images=evaluation.fake_images,
        fake_logits=evaluation.fake.logits,
        real_logits=real_logits,
    )


def _spell(part: Part, *, full: bool) -> str:
    written = [
        f"{spec.name}={spelled(getattr(part, spec.name))}"
        for spec in fields(part)
        if full or spec.default is MISSING or getattr(part, spec.name) != spec.default
    ]
    return f"{part.name}({', '.join(written)})" if written else part.name
