"""The four kinds of part a method is made of, and what every part has in common.

A part is a final frozen dataclass whose fields are its hyper-parameters. It is pure: no optimizer, no network of its
own, no hidden state, no global random numbers, and it never reads a value from the device in Python.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor, nn

from losses.context import Context
from losses.hyperparameters import checked
from losses.suggest import did_you_mean
from losses.types import BatchNorm, Kind, Need, Phase, Role


@dataclass(frozen=True)
class Part(ABC):
    """What all parts share: a registered name, checked hyper-parameters, and what BatchNorm does to them.

    Raises:
        ValueError: on construction, when a hyper-parameter has the wrong type or lies outside its range.
    """

    kind: ClassVar[Kind]
    name: ClassVar[str] = ""
    """The catalogue name; `losses.register` sets it."""
    revision: ClassVar[int] = 1
    """Raised by 1 whenever any number that the part computes changes: trials that contain it are other trials then.

    A class raises its own, whatever its base class has; see `losses.revisions`. A new default needs no raise, because
    the canonical spelling writes every parameter out. Code that all parts share has its own version, `losses.VERSION`.
    """
    batch_norm: ClassVar[BatchNorm] = "ok"
    needs: ClassVar[frozenset[Need]] = frozenset()
    requires: ClassVar[tuple[str, ...]] = ()
    """The names of constraints without which the part refuses to work: whoever tries or times it alone adds them."""
    waived: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The checks of `losses.contract` that this part does not pass by nature, each with the reason."""

    @property
    def reads_step(self) -> bool:
        """Whether the part computes with the count of steps, so that it differs from step to step for equal inputs.

        A part that needs "step" for some of its parameters' values only says here for which.
        """
        return "step" in self.needs

    def __post_init__(self) -> None:
        owner = self.name or type(self).__name__
        for spec in fields(self):
            object.__setattr__(self, spec.name, checked(owner, spec, getattr(self, spec.name)))

    @classmethod
    def build(cls, arguments: dict[str, object]) -> "Part":
        """Construct the part from keyword arguments; an unknown one raises ValueError with the nearest valid name."""
        known = [spec.name for spec in fields(cls)]
        for unknown in [key for key in arguments if key not in known]:
            takes = f"takes {', '.join(known)}" if known else "takes no parameters"
            raise ValueError(f"{cls.name} has no parameter {unknown!r}{did_you_mean(unknown, known)}; it {takes}")
        return cls(**arguments)


class Objective(Part):
    """The adversarial game: two pure functions of the raw logits, both minimized, reduced by the batch mean.

    Logits have shape [B] and are large on real images; there is no sigmoid in the discriminator. An objective with a
    vector head asks for `outputs` numbers a sample and reads [B, outputs].
    """

    kind: ClassVar[Kind] = "objective"
    needs_real_in_generator: ClassVar[bool] = False
    """Whether the generator's loss compares with logits of real images."""

    @property
    def outputs(self) -> int:
        """How many numbers the discriminator gives for a sample: the width of its last layer."""
        return 1

    @property
    def alias(self) -> "Objective | None":
        """The objective with the same gradients, if this one differs only in its name or in a constant."""
        return None

    @property
    def critic_is_logit(self) -> bool:
        """Whether the critic is the logit itself, so that no batch is needed to measure it against."""
        return type(self).critic is Objective.critic

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss, a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a scalar. `real_logits` is read only where `needs_real_in_generator`."""

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return one number a sample, [B], large on real: which gradient penalties differentiate and monitors compare.

        By default the logits themselves. A vector head overrides it, and may measure logits against both batches.
        """
        return logits

    def critics(self, real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the critic on the reals and on the fakes, measured against each other."""
        return (
            self.critic(real_logits, real_logits, fake_logits),
            self.critic(fake_logits, real_logits, fake_logits),
        )


class Regularizer(Part):
    """A term added to the loss of one phase. It enters the total as `coefficient * every * value` on due steps."""

    kind: ClassVar[Kind] = "regularizer"
    phase: ClassVar[Phase]
    needs_real_in_generator: ClassVar[bool] = False
    """Whether a generator-phase term looks at real images."""

    @property
    @abstractmethod
    def every(self) -> int:
        """The term is computed on updates divisible by this, and multiplied by it, which keeps its mean effect."""

    def is_due(self, update: int) -> bool:
        """Whether the term is computed at this update of its phase's player, counted from 0."""
        return update % self.every == 0

    @property
    def coefficient(self) -> float:
        """The factor in front of the value: the field `weight` where there is one, else 1.

        A part overrides it to follow its paper: `gamma / 2` where the term is (gamma/2) E n^2.
        """
        return float(getattr(self, "weight", 1.0))

    @abstractmethod
    def __call__(self, context: Context) -> Tensor:
        """Return the unweighted term, a scalar."""


class InputTransform(Part):
    """What is done to every input of the discriminator, real and fake, in both phases."""

    kind: ClassVar[Kind] = "transform"

    @property
    def pack(self) -> int:
        """How many samples it joins to one input along the channels."""
        return 1

    @abstractmethod
    def __call__(self, images: Tensor, context: Context, role: Role) -> Tensor:
        """Return the transformed images, differentiable in `images`, drawing from `context.rng` alone.

        There are no logits yet: the discriminator has seen neither batch.
        """

    def observe(self, real_logits: Tensor, fake_logits: Tensor, context: Context) -> None:
        """Adapt `context.state` after a forward of the discriminator's phase; the logits come without a graph."""


class LogitTransform(Part):
    """A change of the logits that the objective reads in one phase: which of them, and with what gradient.

    The loss of the other phase, the regularizers and the monitors see the plain logits.
    """

    kind: ClassVar[Kind] = "transform"
    phase: ClassVar[Phase]

    @abstractmethod
    def __call__(self, real: Tensor | None, fake: Tensor, context: Context) -> tuple[Tensor | None, Tensor]:
        """Return what the objective reads in place of the logits; `real` is None where it reads no real ones."""


class Constraint(Part):
    """A constraint on the discriminator's weights, or on how often and how fast they are updated.

    It wraps the discriminator once when it is built, changes its weights after each of its optimizer steps, or
    declares how often and how fast the discriminator is updated, which the training loop reads from the method.
    """

    kind: ClassVar[Kind] = "constraint"

    @property
    def critic_steps(self) -> int:
        """The factor on the number of discriminator updates for one of the generator."""
        return 1

    @property
    def learning_rate_factor(self) -> float:
        """The factor on the discriminator's learning rate."""
        return 1.0

    @property
    def samplewise(self) -> bool:
        """Whether a discriminator that treats each sample by itself still does so when wrapped.

        Its outputs must not change from one forward to the next either. A constraint that wraps has to say so itself.
        """
        return type(self).wrap is Constraint.wrap

    @property
    def can_be_seen(self) -> bool:
        """Whether `check` can tell if a discriminator is under this constraint."""
        return type(self).check is not Constraint.check

    def check(self, discriminator: nn.Module) -> None:
        """Raise ValueError where a discriminator is not under this constraint, before a loss is computed with it.

        A constraint that wraps the discriminator or changes its weights overrides this, because a method without its
        constraint is another method. In a correct loop it reads no value from the device.
        """

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        """Return the discriminator to train, called once before the optimizer is made."""
        return discriminator

    def after_step(self, discriminator: nn.Module) -> None:
        """Change the weights in place, outside autograd, after an optimizer step of the discriminator."""
