"""The four kinds of part a method is made of, and what every part has in common.

A part is a final frozen dataclass whose fields are its hyper-parameters. It is pure: no optimiser, no network of its
own, no hidden state, no global random numbers, no reading of a device value from Python.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from torch import Tensor, nn

from losses.suggest import did_you_mean

if TYPE_CHECKING:  # a regulariser sees the context; the context knows the kinds
    import torch

    from losses.context import Context

Kind = Literal["objective", "regularizer", "transform", "constraint", "method"]
Phase = Literal["discriminator", "generator"]
Need = Literal["real_gradient", "fake_gradient", "features", "second_latents", "state"]
BatchNorm = Literal["ok", "degraded", "invalid"]

BATCH_NORM_ORDER: Final[tuple[BatchNorm, ...]] = ("ok", "degraded", "invalid")
"""From harmless to ill-posed: what BatchNorm inside the discriminator does to a part."""

_MINIMUM: Final = "minimum"
_ABOVE: Final = "above"


def parameter(default: float, *, minimum: float | None = None, above: float | None = None) -> Any:  # noqa: ANN401 - a dataclass field specifier is typed by its annotation
    """Declare a hyper-parameter: its default, and the least value (`minimum`) or one it must exceed (`above`)."""
    return field(default=default, metadata={_MINIMUM: minimum, _ABOVE: above})


@dataclass(frozen=True)
class Part(ABC):
    """What all parts share: a registered name, checked hyper-parameters, and what BatchNorm does to them.

    Raises:
        ValueError: on construction, when a hyper-parameter has the wrong type or lies outside its range.
    """

    kind: ClassVar[Kind]
    name: ClassVar[str] = ""
    """The catalogue name; `losses.register` sets it."""
    batch_norm: ClassVar[BatchNorm] = "ok"

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

    Logits have shape [B] and are large on real images; there is no sigmoid in the discriminator.
    """

    kind: ClassVar[Kind] = "objective"
    needs_real_in_generator: ClassVar[bool] = False
    """Whether the generator's loss compares with logits of real images."""

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return the discriminator's loss, a scalar."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a scalar. `real_logits` is read only where `needs_real_in_generator`."""


class Regularizer(Part):
    """A term added to the loss of one phase. It enters the total as `coefficient * every * value` on due steps."""

    kind: ClassVar[Kind] = "regularizer"
    phase: ClassVar[Phase]
    needs: ClassVar[frozenset[Need]] = frozenset()
    needs_real_in_generator: ClassVar[bool] = False
    """Whether a generator-phase term looks at real images."""

    @property
    @abstractmethod
    def every(self) -> int:
        """The term is computed on steps divisible by this, and multiplied by it, so that its mean push is equal."""

    @property
    @abstractmethod
    def coefficient(self) -> float:
        """The factor in front of the value: `weight`, or `gamma / 2` where the paper's term is (gamma/2) E n^2."""

    @abstractmethod
    def __call__(self, context: "Context") -> Tensor:
        """Return the unweighted term, a scalar."""


class InputTransform(Part):
    """What is done to every input of the discriminator, real and fake, in both phases."""

    kind: ClassVar[Kind] = "transform"

    @abstractmethod
    def __call__(self, images: Tensor, rng: "torch.Generator | None", step: int) -> Tensor:
        """Return the transformed images, differentiable in `images`; `rng` None is torch's global generator."""


class Constraint(Part):
    """What is done to the discriminator's weights: once when it is built, and after each of its optimiser steps."""

    kind: ClassVar[Kind] = "constraint"

    @abstractmethod
    def wrap(self, discriminator: nn.Module) -> nn.Module:
        """Return the discriminator to train, called once before the optimiser is made."""

    @abstractmethod
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
    minimum, above = spec.metadata.get(_MINIMUM), spec.metadata.get(_ABOVE)
    if not math.isfinite(value):
        raise ValueError(f"{label}: expected a finite number")
    if minimum is not None and value < minimum:
        raise ValueError(f"{label}: expected at least {spelled(minimum)}")
    if above is not None and value <= above:
        raise ValueError(f"{label}: expected more than {spelled(above)}")


def _article(kind: type) -> str:
    return {int: "an int", float: "a float", bool: "True or False"}[kind]


def spelled(value: float) -> str:
    """Return the one spelling of a hyper-parameter: shortest form, so that 10 and 10.0 are the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)
