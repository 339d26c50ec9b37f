"""Hyper-parameters: how a part declares them, what values they take, and how a value is written."""

import math
from dataclasses import MISSING, Field, field
from typing import Any, Final

LIMITS: Final = ("ge", "gt", "le", "lt", "choices")
"""The limits that `parameter` takes, under these names in the metadata of a part's field."""


_MOST_BITS: Final = 63
"""Of a whole number beside its sign: torch computes with no larger one, and every trial would end in an error."""


def parameter(
    default: float,
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    choices: tuple[float, ...] | None = None,
) -> Any:  # noqa: ANN401 - a dataclass field specifier is typed by its annotation
    """Declare a hyper-parameter: its default, and where its values must lie.

    Args:
        default: the value that a part has unless told otherwise.
        ge: the least value (greater or equal).
        gt: a bound below, itself excluded (greater than).
        le: the largest value (less or equal).
        lt: a bound above, itself excluded (less than).
        choices: the only values.
    """
    return field(default=default, metadata=dict(zip(LIMITS, (ge, gt, le, lt, choices), strict=True)))


def type_of(spec: "Field[Any]") -> type[float] | None:
    """Return the type of a part's field, or None where no hyper-parameter has it.

    Under `from __future__ import annotations` a field knows the name of its type alone.
    """
    return next((kind for kind in (int, float, bool) if spec.type in (kind, kind.__name__)), None)


def checked(owner: str, spec: "Field[Any]", value: object) -> object:
    """Return the value of a part's field in the field's own type.

    Raises:
        ValueError: the value has another type, is not finite, or lies outside the field's limits.
        TypeError: the field itself is no int, float or bool.
    """
    label = f"{owner}({spec.name}={value!r})"
    kind = type_of(spec)
    if kind is None:
        raise TypeError(f"{label}: a hyper-parameter is an int, a float or a bool, not {spec.type}")
    accepted = {float: (int, float), int: (int,), bool: (bool,)}[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        default = "" if spec.default is MISSING else f", such as {spec.name}={format_value(spec.default)}"
        raise ValueError(f"{label}: expected {_with_article(kind)}{default}")
    try:
        number = kind(value)
    except OverflowError as error:
        raise ValueError(f"{label}: expected a finite number") from error
    if isinstance(number, int) and number.bit_length() > _MOST_BITS:
        raise ValueError(f"{label}: expected a whole number of at most {_MOST_BITS} bits, as tensors have them")
    _check_limits(label, spec, number)
    return number


def format_value(value: float) -> str:
    """Return the one spelling of a hyper-parameter: shortest form, so that 10 and 10.0 are the same text."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)


def _check_limits(label: str, spec: "Field[Any]", value: float) -> None:
    ge, gt, le, lt, choices = (spec.metadata.get(limit) for limit in LIMITS)
    if not math.isfinite(value):
        raise ValueError(f"{label}: expected a finite number")
    if choices is not None and value not in choices:
        raise ValueError(f"{label}: expected one of {', '.join(map(format_value, choices))}")
    if ge is not None and value < ge:
        raise ValueError(f"{label}: expected at least {format_value(ge)}")
    if gt is not None and value <= gt:
        raise ValueError(f"{label}: expected more than {format_value(gt)}")
    if le is not None and value > le:
        raise ValueError(f"{label}: expected at most {format_value(le)}")
    if lt is not None and value >= lt:
        raise ValueError(f"{label}: expected less than {format_value(lt)}")


def _with_article(kind: type) -> str:
    return {int: "an int", float: "a float", bool: "True or False"}[kind]
