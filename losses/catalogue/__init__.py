"""The named methods: an expression, the recipe its paper trained with, and where it comes from.

Recipes are recommendations. What could not be confirmed in a public configuration or the authors' own code is marked
"recalled" in the citation: check it against the paper before printing it as the paper's.
"""

from dataclasses import replace
from functools import cache
from typing import Final

from losses import grammar
from losses.catalogue import adversarial, bounded, divergences, diversity
from losses.catalogue.entry import Entry
from losses.method import Method
from losses.parts import Part
from losses.registry import parts, reserve
from losses.types import Kind

CATALOGUE: Final[dict[str, Entry]] = {
    **adversarial.METHODS,
    **bounded.METHODS,
    **divergences.METHODS,
    **diversity.METHODS,
}
reserve({name: entry.expression for name, entry in CATALOGUE.items()})


@cache
def methods() -> dict[str, Method]:
    """Return the catalogue's methods by name, in its order."""
    return {
        name: replace(grammar.parse(entry.expression, {}), name=name, recipe=entry.recipe, citation=entry.citation)
        for name, entry in CATALOGUE.items()
    }


@cache
def _by_spelling() -> dict[str, Method]:
    return {str(method): method for method in methods().values()}


def get(expression: str | Method) -> Method:
    """Return the method of a catalogue name or an expression; a regularizer's name gives a method of it alone.

    An expression equal to a catalogue method gives that method, with its name, recipe and citation. A method is
    returned as it is.

    Raises:
        ValueError: for anything that cannot be read, naming the nearest valid spelling.
    """
    if isinstance(expression, Method):
        return expression
    _check_text(expression)
    method = grammar.parse(expression, methods())
    return _by_spelling().get(str(method), method)


def _check_text(expression: object) -> None:
    """Raise ValueError for what is no text, such as a part by itself."""
    if not isinstance(expression, str):
        text = expression.name if isinstance(expression, Part) else "hinge + r1(gamma=1)"
        raise ValueError(  # noqa: TRY004 - the library's one kind of error for a user's mistake
            f"expected a name, an expression or a Method, got {type(expression).__name__}: write it as text, {text!r}"
        )


def game(expression: str | Method) -> Method:
    """Return the method of a catalogue name or an expression, which has an objective and so can be trained.

    Raises:
        ValueError: as `get` does, and for regularizers without an objective.
    """
    method = get(expression)
    if method.alone:
        raise ValueError(f"{expression} has no objective to train: begin with one, such as 'nsgan + {expression}'")
    return method


def names(kind: Kind | None = None) -> list[str]:
    """Return the sorted names of one kind, or of all parts and methods. One name can be both (`hinge`)."""
    if kind == "method":
        return sorted(CATALOGUE)
    known = parts(kind)
    return sorted(known if kind else {*known, *CATALOGUE})
