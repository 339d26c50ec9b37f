"""What a name means, for people: read from the docstrings, which have one strict shape.

A part's docstring is a summary, any paragraphs of remarks, then the sections Formula, Parameters (only if it has any,
one entry a field), BatchNorm (starting with its verdict) and Source, in this order, each with an indented body.
"""

import inspect
import re
from dataclasses import asdict, dataclass, fields
from typing import Final

from losses import registry
from losses.catalogue import CATALOGUE, get, methods, names
from losses.hyperparameters import format_value
from losses.method import Method
from losses.parts import Objective, Part
from losses.recipe import Recipe
from losses.revisions import revision_of
from losses.types import Kind

_SECTION: Final = re.compile(r"^(Formula|Parameters|BatchNorm|Source):$", re.MULTILINE)
_ENTRY: Final = re.compile(r"^(\w+): ", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter of a part."""

    name: str
    type: str
    default: float
    meaning: str


@dataclass(frozen=True)
class Description:
    """What a name means. `str()` lays it out for a terminal."""

    name: str
    kind: Kind
    summary: str
    formula: str
    parameters: tuple[Parameter, ...]
    batch_norm: str
    """The verdict and its reason; for a method, those of its worst part."""
    citation: str
    remarks: str = ""
    """What its author adds to the summary; parts only."""
    expression: str | None = None
    """The canonical spelling; methods only."""
    recipe: Recipe | None = None
    """Methods only."""
    revision: int = 1
    """How often the part's numbers have changed, plus 1; parts only."""
    alias: str = ""
    """The spelling of the objective or method whose gradients these are, if only the name or a constant differs."""

    def __str__(self) -> str:
        rows = [("expression", self.expression or ""), ("formula", self.formula)]
        rows += [("parameter", f"{p.name}: {p.type} = {format_value(p.default)}  {p.meaning}") for p in self.parameters]
        rows += [("alias of", self.alias), ("revision", str(self.revision) if self.revision > 1 else "")]
        rows += [("BatchNorm", self.batch_norm), ("recipe", _recipe(self.recipe)), ("source", self.citation)]
        lines = [f"{self.name} ({self.kind})", "", self.summary, ""]
        lines += [*self.remarks.splitlines(), ""] if self.remarks else []
        for label, text in rows:
            if text:
                first, *more = text.splitlines()
                lines += [f"  {label:<12}{first}", *(f"  {'':<12}{line}" for line in more)]
        return "\n".join(lines)


def describe(name: str, kind: Kind | None = None) -> Description:
    """Return what a name means. Where it is both a method and a part, the method is meant unless `kind` says otherwise.

    Raises:
        ValueError: for an unknown name or one that is not of the kind asked for, naming the nearest.
    """
    _check_name(name)
    known = names(kind)
    if name not in known:
        what = kind or "name"
        raise registry.unknown(what, name, known)
    if name in CATALOGUE and kind in (None, "method"):
        return _describe_method(name, methods()[name])
    return _describe_part(registry.part(name))


def _check_name(name: object) -> None:
    """Raise ValueError for what is no text, such as a part or a method by itself."""
    if not isinstance(name, str):
        text = getattr(name, "name", "hinge")
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"expected a name, got {type(name).__name__}: write it as text, {text!r}"
        )


def _describe_method(name: str, method: Method) -> Description:
    parts = [_describe_part(type(part)) for part in method.parts]
    entry = CATALOGUE[name]
    return Description(
        name=name,
        kind="method",
        summary=entry.summary,
        formula="\n".join(part.formula for part in parts),
        parameters=(),
        batch_norm=next(part.batch_norm for part in parts if part.batch_norm.startswith(method.batch_norm)),
        citation=entry.citation,
        expression=str(method),
        recipe=entry.recipe,
        alias="" if method.resolved is method else get(str(method.resolved)).name,
    )


def _describe_part(part: type[Part]) -> Description:
    text, sections = _read(part)
    summary, _, remarks = text.partition("\n\n")
    return Description(
        name=part.name,
        kind=part.kind,
        summary=_joined(summary),
        remarks=remarks.strip(),
        formula=sections["Formula"],
        parameters=_parameters(part, sections.get("Parameters", "")),
        batch_norm=_joined(sections["BatchNorm"]),
        citation=_joined(sections["Source"]),
        revision=revision_of(part),
        alias=_alias(part),
    )


def _alias(part: type[Part]) -> str:
    alias = part().alias if issubclass(part, Objective) else None
    return "" if alias is None else alias.name


def _read(part: type[Part]) -> tuple[str, dict[str, str]]:
    """Return what stands before the sections, and the sections; ValueError when the docstring's shape is wrong."""
    text = inspect.cleandoc(part.__doc__ or "")
    summary, *pieces = _SECTION.split(text)
    sections = dict(zip(pieces[::2], (inspect.cleandoc(body) for body in pieces[1::2]), strict=True))
    expected = ["Formula", *(["Parameters"] if fields(part) else []), "BatchNorm", "Source"]
    if pieces[::2] != expected or not summary.strip() or not all(sections.values()):
        raise ValueError(f"the docstring of {part.name} needs a summary and the sections {', '.join(expected)}")
    if not sections["BatchNorm"].startswith(f"{part.batch_norm}: "):
        raise ValueError(f"the docstring of {part.name} needs BatchNorm to start with '{part.batch_norm}: '")
    return summary.strip(), sections


def _parameters(part: type[Part], section: str) -> tuple[Parameter, ...]:
    _, *pieces = _ENTRY.split(section)
    meanings = dict(zip(pieces[::2], map(_joined, pieces[1::2]), strict=True))
    wanted = [spec.name for spec in fields(part)]
    if pieces[::2] != wanted:
        raise ValueError(
            f"the docstring of {part.name} needs one entry a parameter, in the order of the fields: {', '.join(wanted)}"
            f"; it has {', '.join(pieces[::2]) or 'none'}"
        )
    return tuple(
        Parameter(name=name, type=type(default).__name__, default=default, meaning=meanings[name])
        for name, default in asdict(part()).items()
    )


def _joined(text: str) -> str:
    return " ".join(text.split())


def _recipe(recipe: Recipe | None) -> str:
    if recipe is None:
        return ""
    batch = "" if recipe.batch_size is None else f", batch {recipe.batch_size}"
    return (
        f"{recipe.optimizer}, learning rates {recipe.lr_generator:g} (G) and {recipe.lr_discriminator:g} (D), "
        f"betas {recipe.betas}, {recipe.critic_steps} D steps, d_norm {recipe.d_norm}{batch}"
    )
