"""The four kinds of part a method is made of, and what every part has in common.

A part is a final frozen dataclass whose fields are its hyper-parameters. It is pure: no optimiser, no network of its
own, no hidden state, no global random numbers, no reading of a device value from Python.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from torch import Tensor, nn

from losses.suggest import did_you_mean

if TYPE_CHECKING:  # a part sees the context; the context knows the kinds
    from losses.context import Context

Kind = Literal["objective", "regularizer", "transform", "constraint", "method"]
Phase = Literal["discriminator", "generator"]
Role = Literal["real", "fake", "other"]
"""What a batch is to the discriminator: the real one, the generated one, or points that some part made up."""
Need = Literal[
    "real_gradient",
    "fake_gradient",
    "input_gradient",
    "weight_gradient",
    "features",
    "frozen_features",
    "generator",
    "second_latents",
    "state",
    "weights",
    "logit_per_image",
    "image_shape",
]
"""What a part asks of the caller or of the networks, beyond logits and images.

- real_gradient, fake_gradient: the gradient of the critic at the real or the generated images (leaves are made for it).
- input_gradient: a gradient at points of the part's own.
- weight_gradient: a gradient of the logits by weights, on the way to the value.
- features: the discriminator returns (logits, features).
- frozen_features: a fixed network; the library has a default one.
- generator: in the discriminator's phase, the generator and the latents of the fakes.
- second_latents: one more forward of the generator.
- state: something is remembered between steps.
- weights: the player that is trained is a module whose weights can be listed.
- logit_per_image: logit i belongs to image i, which packing undoes.
- image_shape: inputs are images [B, C, H, W]; there is no such thing for points of the plane.
"""
BatchNorm = Literal["ok", "degraded", "invalid"]

INPUT_GRADIENTS: Final[frozenset[Need]] = frozenset({"real_gradient", "fake_gradient", "input_gradient"})
"""The needs that are differentiated twice: they are ill-posed under BatchNorm and overflow in float16."""

DIFFERENTIATED: Final[frozenset[Need]] = INPUT_GRADIENTS | {"weight_gradient"}
"""The needs of values that have gradients inside, and so a graph even where nobody trains."""

BATCH_NORM_ORDER: Final[tuple[BatchNorm, ...]] = ("ok", "degraded", "invalid")
"""From harmless to ill-posed: what BatchNorm inside the discriminator does to a part."""

_LIMITS: Final = ("minimum", "above", "maximum", "below", "choices")


def parameter(
    default: float,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    choices: tuple[float, ...] | None = None,
) -> Any:  # noqa: ANN401 - a dataclass field specifier is typed by its annotation
    """Declare a hyper-parameter: its default, and where its values must lie (`above` and `below` are excluded)."""
    return field(default=default, metadata=dict(zip(_LIMITS, (minimum, above, maximum, below, choices), strict=True)))


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

    A class raises its own, whatever its base says; see `losses.revisions`. A new default needs no raise, because the
    canonical spelling writes every parameter out. What all parts share has a version of its own, `losses.VERSION`.
    """
    batch_norm: ClassVar[BatchNorm] = "ok"
    needs: ClassVar[frozenset[Need]] = frozenset()
    beside: ClassVar[tuple[str, ...]] = ()
    """Constraints without which the part refuses to work: whoever tries, counts or times it alone puts them beside."""
    waived: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The checks of `losses.contract` that this part does not pass by nature, each with the reason."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            object.__setattr__(self, spec.name, _checked(self, spec, getattr(self, spec.name)))

    @classmethod
    def build(cls, arguments: dict[str, object]) -> "Part":
        """Construct the part from keyword arguments; an unknown one raises ValueError with the nearest valid name."""
        known = [spec.name for spec in fields(cls)]
        for unknown in [key for key in arguments if key not in known]:
            takes = f"takes {', '.join(known)}" if known else "takes no parameters"
            raise ValueError(f"{cls.name} has no parameter {unknown!r}{did_you_mean(unknown, known)}; it {takes}")
        return cls(**arguments)


class Objective(Part):
    """The adversarial game: two pure functions of the raw logits, both minimised, reduced by the batch mean.

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
        """The objective whose gradients these are, if only the name or a constant differs."""
        return None

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss, a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a scalar. `real_logits` is read only where `needs_real_in_generator`."""

    def critic(self, logits: Tensor, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return one number a sample, [B], large on real: what slope penalties differentiate and monitors compare.

        The logits themselves, unless a vector head says otherwise; the real and fake batches are its reference.
        """
        return logits


class Regularizer(Part):
    """A term added to the loss of one phase. It enters the total as `coefficient * every * value` on due steps."""

    kind: ClassVar[Kind] = "regularizer"
    phase: ClassVar[Phase]
    needs_real_in_generator: ClassVar[bool] = False
    """Whether a generator-phase term looks at real images."""

    @property
    @abstractmethod
    def every(self) -> int:
        """The term is computed on steps divisible by this, and multiplied by it, so that its mean push is equal."""

    @property
    def coefficient(self) -> float:
        """The factor in front of the value: the field `weight` where there is one, else 1.

        A part says otherwise where its paper does: `gamma / 2` where the term is (gamma/2) E n^2.
        """
        return float(getattr(self, "weight", 1.0))

    @abstractmethod
    def __call__(self, context: "Context") -> Tensor:
        """Return the unweighted term, a scalar."""


class InputTransform(Part):
    """What is done to every input of the discriminator, real and fake, in both phases."""

    kind: ClassVar[Kind] = "transform"

    @property
    def pack(self) -> int:
        """How many samples it joins to one input along the channels."""
        return 1

    @abstractmethod
    def __call__(self, images: Tensor, context: "Context", role: Role) -> Tensor:
        """Return the transformed images, differentiable in `images`, drawing from `context.rng` alone.

        There are no logits yet: the discriminator has seen neither batch.
        """

    def observe(self, real_logits: Tensor, fake_logits: Tensor, context: "Context") -> None:
        """Adapt `context.state` after a forward of the discriminator's phase; the logits come without a graph."""


class LogitTransform(Part):
    """What stands between the discriminator and the objective in one phase: which logits it reads, how strongly.

    The loss of the other phase, the regularisers and the monitors see the plain logits.
    """

    kind: ClassVar[Kind] = "transform"
    phase: ClassVar[Phase]

    @abstractmethod
    def __call__(self, real: Tensor | None, fake: Tensor, context: "Context") -> tuple[Tensor | None, Tensor]:
        """Return what the objective reads in place of the logits; `real` is None where it reads no real ones."""


class Constraint(Part):
    """What is done to the discriminator's weights, and at what pace they move.

    It wraps the discriminator once when it is built, changes its weights after each of its optimiser steps, or
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
    def judges_alone(self) -> bool:
        """Whether what judged each image alone still does so when wrapped, and is the same after any forward.

        A constraint that wraps has to say so itself.
        """
        return type(self).wrap is Constraint.wrap

    @property
    def can_be_seen(self) -> bool:
        """Whether a discriminator shows that it is under this constraint, which `check` then looks at."""
        return type(self).check is not Constraint.check

    def check(self, discriminator: nn.Module) -> None:
        """Raise ValueError where a discriminator is not under this constraint, before a loss is computed with it.

        A constraint that wraps, or changes the weights, says here how that is seen: a method whose constraint is left
        out is another method. No tensor's value is read in a loop that does everything.
        """

    def wrap(self, discriminator: nn.Module) -> nn.Module:
        """Return the discriminator to train, called once before the optimiser is made."""
        return discriminator

    def after_step(self, discriminator: nn.Module) -> None:
        """Change the weights in place, outside autograd, after an optimiser step of the discriminator."""


def _checked(part: Part, spec: "Field[Any]", value: object) -> object:
    label = f"{part.name or type(part).__name__}({spec.name}={value!r})"
    if spec.type not in (int, float, bool):
        raise TypeError(f"{label}: a hyper-parameter is an int, a float or a bool, not {spec.type}")
    accepted = {float: (int, float), int: (int,), bool: (bool,)}[spec.type]
    if not isinstance(value, accepted) or (isinstance(value, bool) and spec.type is not bool):
        default = "" if spec.default is MISSING else f", such as {spec.name}={spelled(spec.default)}"
        raise ValueError(f"{label}: expected {_article(spec.type)}{default}")
    try:
        number = spec.type(value)
    except OverflowError as error:
        raise ValueError(f"{label}: expected a finite number") from error
    _check_range(label, spec, number)
    return number


def _check_range(label: str, spec: "Field[Any]", value: float) -> None:
    minimum, above, maximum, below, choices = (spec.metadata.get(limit) for limit in _LIMITS)
    if not math.isfinite(value):
        raise ValueError(f"{label}: expected a finite number")
    if choices is not None and value not in choices:
        raise ValueError(f"{label}: expected one of {', '.join(map(spelled, choices))}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{label}: expected at least {spelled(minimum)}")
    if above is not None and value <= above:
        raise ValueError(f"{label}: expected more than {spelled(above)}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{label}: expected at most {spelled(maximum)}")
    if below is not None and value >= below:
        raise ValueError(f"{label}: expected less than {spelled(below)}")


def _article(kind: type) -> str:
    return {int: "an int", float: "a float", bool: "True or False"}[kind]


def spelled(value: float) -> str:
    """Return the one spelling of a hyper-parameter: shortest form, so that 10 and 10.0 are the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)
