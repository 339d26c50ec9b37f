"""A method: one objective and any parts, as two functions that turn networks and batches into named loss terms."""

import functools
import math
from collections import Counter
from dataclasses import MISSING, dataclass, field, fields, replace

from torch import Tensor, nn

from losses.hyperparameters import format_value
from losses.loss_parts import LossParts
from losses.modes import in_any_mode
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer
from losses.phase_inputs import PhaseInputs
from losses.phase_state import PhaseState
from losses.recipe import Recipe
from losses.terms import collect, transform_images
from losses.types import (
    BATCH_NORM_ORDER,
    DIFFERENTIATED,
    PHASES,
    BatchNorm,
    Discriminator,
    Features,
    Generator,
    Layout,
    Need,
    Phase,
    Rng,
    SampleLatents,
    State,
)
from losses.whole_batch import WholeBatch


@dataclass(frozen=True)
class NoObjective(Objective):
    """The placeholder for the objective of a method that has only regularizers. It is not a part and has no name."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        raise AssertionError("a method of regularizers alone has no objective")

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        raise AssertionError("a method of regularizers alone has no objective")


@dataclass(frozen=True)
class Method:
    """An objective with its parts. Methods with equal parts are equal, whatever their name, recipe and citation.

    Regularizers may also stand alone (`losses.get("r1")`), for a loop that applies them in a separate phase.
    Their losses then have no objective, and run only the networks that a regularizer asks for.

    The regularizers are kept sorted by name, because a sum has no order. Transforms and constraints are kept as given,
    because they act one after the other. `str(method)` is the canonical spelling: objective + regularizers + transforms
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
        _refuse_phases(self)
        _refuse_packing(self)
        _refuse_alone(self)
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
        objective = () if self.alone else (self.objective,)
        return (*objective, *self.regularizers, *self.transforms, *self.constraints)

    @property
    def alone(self) -> bool:
        """Whether these are regularizers without an objective."""
        return isinstance(self.objective, NoObjective)

    @property
    def batch_norm(self) -> BatchNorm:
        """What BatchNorm in the discriminator does to this method: the worst of what it does to a part."""
        return max((part.batch_norm for part in self.parts), key=BATCH_NORM_ORDER.index)

    @property
    def needs(self) -> frozenset[Need]:
        """Everything that any part declares in its `needs`."""
        return frozenset().union(*(part.needs for part in self.parts))

    def reads_step(self, phase: Phase) -> bool:
        """Whether a part computes with the count of steps in a phase: its update cannot be replayed as another one."""
        return any(part.reads_step and getattr(part, "phase", phase) == phase for part in self.parts)

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
    def samplewise(self) -> bool:
        """Whether a discriminator that judges each image alone still does so under this method's constraints."""
        return all(part.samplewise for part in self.constraints)

    @property
    def resolved(self) -> "Method":
        """The method that trains exactly like this one, with an alias replaced by its original.

        Where there is no alias, it is the method itself.
        """
        alias = self.objective.alias
        return self if alias is None else replace(self, objective=alias, name="", recipe=None, citation="")

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        """Return the discriminator to train, under all constraints. Call it once, before the optimizer is made."""
        for constraint in self.constraints:
            discriminator = constraint.wrap(discriminator)
        return discriminator

    def after_step(self, discriminator: nn.Module) -> None:
        """Apply all constraints to the weights. Call it after each step of the discriminator's optimizer."""
        for constraint in self.constraints:
            constraint.after_step(discriminator)

    def due_terms(self, phase: Phase, update: int | None) -> list[Regularizer]:
        """Return the terms of a phase that are computed at this update of its player; all of them where it is None."""
        terms = [part for part in self.regularizers if part.phase == phase]
        lazy = next((part for part in terms if part.every > 1), None)
        if update is None and lazy is not None:
            raise ValueError(
                f"{lazy.name} is due on one step in {lazy.every}: pass step=, or use losses.Criterion, which counts"
            )
        return [part for part in terms if update is None or part.is_due(update)]

    def discriminator_loss(
        self,
        discriminator: Discriminator,
        real_images: Tensor,
        fake_images: Tensor | None,
        *,
        latents: Tensor | None = None,
        generator: Generator | None = None,
        frozen: Features | None = None,
        sample_latents: SampleLatents | None = None,
        rng: Rng = None,
        step: int | None = None,
        update: int | None = None,
        state: State | None = None,
        concat_batches: bool = False,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
        logits: Layout = "per_image",
        whole: WholeBatch | None = None,
    ) -> LossParts:
        """Compute the discriminator's loss on a batch; nothing flows back into the generator.

        `losses.Criterion` calls it with the counts, the memory and the random streams that it keeps.

        Args:
            discriminator: returns raw logits, or the pair (logits, features). Logits are [B], [B, 1] or [B, 1, 1, 1],
                with a vector head [B, outputs]; in another layout as `logits` says.
            real_images: floats [B, ...].
            fake_images: floats [B, ...]; detached here. None for regularizers alone that use real images only.
            latents: what the fakes were made from; read only by parts that need "generator".
            generator: run without a graph, and only by parts that need "generator".
            frozen: a fixed network, images to features [B, d], for parts that need "frozen_features"; the library's
                random features by default.
            sample_latents: how fresh latents are drawn for parts that compare two batches of them, from (latents of the
                shape, a random generator or None); standard normal by default.
            rng: one generator for each part name, one for all, or None for torch's global one. They live on the device
                of the images. Give each part its own, derived afresh from (seed, part, step, phase), and no part ever
                shifts the random numbers of another.
            step: the count of generator updates so far, which annealing reads. A method that reads it must be given it.
            update: the count of the discriminator's own updates so far, by which lazy terms are due; `step` by
                default, which is right where both players make one update a step.
            state: what stateful parts remember, kept by the caller between steps.
            concat_batches: let reals and fakes share a forward. Right for a discriminator that looks at each sample by
                itself and is the same after a forward: no BatchNorm, no statistics of a minibatch, no power
                iteration. Equal but for the rounding of sums. They still go apart where only one of them needs an
                input gradient, which would cost that of the other, and where their images differ in shape.
            real_labels: labels [B, ...] of the reals, which make the call `discriminator(images, labels)`. Points that
                a part makes between reals and fakes get the labels of the reals.
            fake_labels: labels [B, ...] of the fakes; a generator is then called with (latents, labels).
            logits: "per_image"; "per_patch" for maps of logits [B, 1, H, W], each of which counts as a sample of the
                loss, while penalties differentiate the sum over a sample's patches; "per_scale" for a list of
                outputs, whose losses are averaged.
            whole: the batch of which this one is a part, where several processes or micro-batches share it.

        Raises:
            ValueError: for images that are not floats, or none at all, logits that are not in the layout; for features,
                labels, counts or state that a part needs and does not get; for a discriminator that the constraints
                have not wrapped; and for an `rng` without a generator for a part that draws.
        """
        return self.loss(
            PhaseInputs(
                phase="discriminator",
                discriminator=discriminator,
                generator=generator,
                real_images=real_images,
                fake_images=fake_images,
                latents=latents,
                real_labels=real_labels,
                fake_labels=fake_labels,
                frozen=frozen,
                sample_latents=sample_latents,
                rng=rng,
                step=step,
                update=step if update is None else update,
                state=state,
                concat_batches=concat_batches,
                logits=logits,
                whole=whole,
            )
        )

    def generator_loss(
        self,
        discriminator: Discriminator,
        generator: Generator,
        latents: Tensor,
        real_images: Tensor | None = None,
        *,
        frozen: Features | None = None,
        sample_latents: SampleLatents | None = None,
        rng: Rng = None,
        step: int | None = None,
        state: State | None = None,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
        logits: Layout = "per_image",
        whole: WholeBatch | None = None,
    ) -> LossParts:
        """Compute the generator's loss on a batch of latents.

        The generator returns images, or a tuple that begins with them. Gradients reach the discriminator's parameters
        too unless the caller has frozen them; the generator's are right either way. `real_images` is used, without
        a graph, only where `needs_real_in_generator`. The other arguments and errors are those of
        `discriminator_loss`.
        """
        return self.loss(
            PhaseInputs(
                phase="generator",
                discriminator=discriminator,
                generator=generator,
                real_images=real_images,
                latents=latents,
                real_labels=real_labels,
                fake_labels=fake_labels,
                frozen=frozen,
                sample_latents=sample_latents,
                rng=rng,
                step=step,
                update=step,
                state=state,
                logits=logits,
                whole=whole,
            )
        )

    def loss(self, inputs: PhaseInputs) -> LossParts:
        """Compute the loss of either phase from its inputs, for callers that keep them together.

        Raises:
            ValueError: as `discriminator_loss` does.
        """
        due = self.due_terms(inputs.phase, inputs.update)
        differentiates = any(part.needs & DIFFERENTIATED for part in due)
        return in_any_mode(functools.partial(self._loss, due), inputs, differentiates=differentiates)

    def _loss(self, due: list[Regularizer], inputs: PhaseInputs) -> LossParts:
        self._check_constraints(inputs.discriminator)
        self._check_labels(inputs)
        needs: frozenset[Need] = frozenset().union(*(part.needs for part in due))
        state = PhaseState(inputs, needs, self.objective, functools.partial(transform_images, self.input_transforms))
        with state.losses_precision():
            return collect(state, None if self.alone else self.objective, self.transforms, due)

    def _check_labels(self, inputs: PhaseInputs) -> None:
        packing = next((part.name for part in self.input_transforms if part.pack > 1), None)
        if packing and (inputs.real_labels is not None or inputs.fake_labels is not None):
            raise ValueError(f"{packing} joins samples, and there is a label for each: leave one of them out")

    def _check_constraints(self, discriminator: Discriminator) -> None:
        for constraint in self.constraints:
            if not constraint.can_be_seen:
                continue
            if not isinstance(discriminator, nn.Module):
                raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
                    f"{constraint.name} acts on the discriminator's weights: pass it as a torch.nn.Module (labels go "
                    f"into real_labels= and fake_labels=)"
                )
            constraint.check(discriminator)


def _refuse_phases(method: Method) -> None:
    """Raise ValueError for a part that would act in no phase, and so be left out of every loss without a word."""
    for part in method.parts:
        if isinstance(part, Regularizer | LogitTransform) and getattr(part, "phase", None) not in PHASES:
            given = f"the phase {part.phase!r}" if hasattr(part, "phase") else "no phase"
            raise ValueError(f'{part.name} has {given}: write `phase: ClassVar = "generator"`, or "discriminator"')


def _refuse_alone(method: Method) -> None:
    """Raise ValueError for parts without an objective that act through one."""
    if not method.alone:
        return
    for part in method.parts:
        if part.kind in {"transform", "constraint"} and not isinstance(part, InputTransform):
            raise ValueError(f"{part.name} acts on a game: begin with an objective, such as 'nsgan + {part.name}'")


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


def _spell(part: Part, *, full: bool) -> str:
    written = [
        f"{spec.name}={format_value(getattr(part, spec.name))}"
        for spec in fields(part)
        if full or spec.default is MISSING or getattr(part, spec.name) != spec.default
    ]
    return f"{part.name}({', '.join(written)})" if written else part.name
