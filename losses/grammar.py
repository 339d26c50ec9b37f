"""Reading expressions such as "hinge + r1(gamma=1, every=16)".

expression = term { "+" term } ; term = name [ "(" [ argument { "," argument } ] ")" ] ; argument = [ name "=" ] value.
A value is an integer, a decimal or True/False. Positional arguments come first, in the order of the parameters. The
first term is an objective or a catalogue method, every later one a part that is no objective. Without an objective the
first term is a regularizer, and the others may join it alone. Writing is
`str(method)`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from losses import registry
from losses.method import Method, NoObjective
from losses.parts import Constraint, InputTransform, LogitTransform, Objective, Part, Regularizer

_TERM: Final = re.compile(r"\s*([A-Za-z][\w-]*)\s*(?:\(([^()]*)\))?\s*")
_ARGUMENT: Final = re.compile(r"\s*(?:([A-Za-z_]\w*)\s*=\s*)?(.*?)\s*", re.DOTALL)
_INTEGER: Final = re.compile(r"[+-]?\d+")
_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BOOLEANS: Final = {"True": True, "true": True, "False": False, "false": False}


@dataclass(frozen=True)
class Term:
    """One term as written: positional arguments have None for their name."""

    name: str
    arguments: tuple[tuple[str | None, object], ...]


def parse(expression: str, methods: Mapping[str, Method]) -> Method:
    """Read an expression to a method, unnamed unless it is a catalogue method's name alone.

    Args:
        expression: the text.
        methods: the catalogue's methods by name, allowed as the first term.

    Raises:
        ValueError: for a text that is no expression, an unknown name or parameter, an ill-typed value, a part given
            twice or a second objective; the message names the nearest valid spelling.
    """
    first, *rest = (_read_term(text) for text in _split(expression))
    base = _base(first, methods)
    later = [_later(term, methods) for term in rest]
    if not later:
        return base
    return Method(
        objective=base.objective,
        regularizers=(*base.regularizers, *(part for part in later if isinstance(part, Regularizer))),
        transforms=(*base.transforms, *(part for part in later if isinstance(part, InputTransform | LogitTransform))),
        constraints=(*base.constraints, *(part for part in later if isinstance(part, Constraint))),
    )


def _split(expression: str) -> list[str]:
    """Split at the plus signs outside parentheses: 1e+3 has one inside."""
    terms, depth = [""], 0
    for character in expression:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "+" and depth == 0:
            terms.append("")
        else:
            terms[-1] += character
    return terms


def _read_term(text: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        what = f"cannot read {text.strip()!r}" if text.strip() else "a term is empty"
        raise ValueError(
            f"{what}: expected name or name(parameter=value, ...), joined by +, such as 'hinge + r1(gamma=1)'"
        )
    name, body = match.groups()
    written = body.split(",") if body and body.strip() else []
    arguments = tuple(_read_argument(name, argument) for argument in written)
    keys = [key for key, _ in arguments]
    if None in keys[next((i for i, key in enumerate(keys) if key is not None), len(keys)) :]:
        raise ValueError(f"{name}: a positional argument follows a named one in ({body})")
    return Term(name, arguments)


def _read_argument(name: str, text: str) -> tuple[str | None, object]:
    match = _ARGUMENT.fullmatch(text)
    assert match is not None, "the pattern matches any text"
    key, value = match.groups()
    if value in _BOOLEANS:
        return key, _BOOLEANS[value]
    if _INTEGER.fullmatch(value):
        return key, int(value)
    if _DECIMAL.fullmatch(value):
        return key, float(value)
    raise ValueError(
        f"{name}: cannot read the argument {text.strip()!r}: expected parameter=value with a number or True/False"
    )


def _base(term: Term, methods: Mapping[str, Method]) -> Method:
    if term.name in methods and not term.arguments:
        return methods[term.name]
    objectives = registry.parts("objective")
    if term.name in objectives:
        objective = _build(term)
        assert isinstance(objective, Objective)
        return Method(objective=objective)
    if term.name in methods:
        raise ValueError(f"{term.name} is a method and takes no arguments: write out {str(methods[term.name])!r}")
    if term.name in registry.parts():
        kind = registry.part(term.name).kind
        if kind == "regularizer":
            alone = _build(term)
            assert isinstance(alone, Regularizer)
            return Method(objective=NoObjective(), regularizers=(alone,))
        raise ValueError(
            f"{term.name} is a {kind}; an expression starts with an objective or a method: 'nsgan + {term.name}'"
        )
    first = sorted({*methods, *objectives})
    raise registry.unknown("loss", term.name, first)


def _later(term: Term, methods: Mapping[str, Method]) -> Part:
    known = registry.parts()
    if term.name in known and known[term.name].kind != "objective":
        return _build(term)
    if term.name in known or term.name in methods:
        raise ValueError(f"{term.name} would be a second objective: an expression has one, and it stands first")
    addable = [name for name, part in known.items() if part.kind != "objective"]
    raise registry.unknown("part", term.name, addable)


def _build(term: Term) -> Part:
    part = registry.part(term.name)
    names = [spec.name for spec in fields(part)]
    positional = sum(key is None for key, _ in term.arguments)
    if positional > len(names):
        takes = f"takes {', '.join(names)}" if names else "takes no parameters"
        raise ValueError(f"{term.name} {takes}: {positional} given by position")
    arguments: dict[str, object] = {}
    for position, (key, value) in enumerate(term.arguments):
        name = names[position] if key is None else key
        if name in arguments:
            raise ValueError(f"{term.name}: the parameter {name!r} is given twice")
        arguments[name] = value
    return part.build(arguments)
