"""What a value on the command line must be, beyond what click asks: numbers are finite, and paths are given."""

import math
import os
from pathlib import Path
from typing import Final

import click

from bench.files.places import expanded

EMPTY: Final = "it is empty, as an unset variable is; write . for the current folder"


def from_home(text: str) -> str:
    """Return a path with the home that its `~` stands for; every other text as it is.

    Raises:
        ValueError: there is no such user, or no home is known.
    """
    if not text.startswith("~"):
        return text
    try:
        return str(expanded(text))
    except ValueError as error:
        raise ValueError(f"{error}, or ./{text}") from error


class FiniteRange(click.FloatRange):
    """A finite number in a range. For click nan lies in every range, and inf in any that has no end."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number; give one in the range {self._describe_range()}", param, ctx)
        return number


class GivenPath(click.Path[Path]):
    """A path that is not empty, as "$FOLDER" is where nobody has set it: it would mean the current folder.

    `~` stands for a home, also where no shell has seen to it, as behind the equals sign of an option, or in a variable.
    """

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not os.fspath(value):
            self.fail(EMPTY, param, ctx)
        try:
            home = from_home(os.fspath(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return super().convert(home, param, ctx)
