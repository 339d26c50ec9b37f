"""One named method, as the catalogue writes it."""

from dataclasses import dataclass

from losses.recipe import Recipe


@dataclass(frozen=True)
class Entry:
    """An expression, what it is in a sentence, how its paper trained it, and where it comes from."""

    expression: str
    summary: str
    recipe: Recipe
    citation: str
