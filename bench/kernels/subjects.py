"""Which methods are measured: those that are named, or everything that the library has."""

from collections.abc import Sequence

import losses
from losses import Method, Part
from losses.registry import parts

_BASE = "bce_ns"
"""What a part alone is added to: the objective of the reference method."""


def everything() -> list[str]:
    """Return every method that is no alias, then one expression for each part that no name among them stands for."""
    methods = [name for name in losses.names("method") if not losses.describe(name, "method").alias]
    known = {str(losses.get(name)) for name in methods}
    alone = [
        _alone(part)
        for kind in ("objective", "regularizer", "transform", "constraint")
        for name, part in parts(kind).items()
        if not losses.describe(name, kind).alias
    ]
    return [*methods, *(each for each in alone if str(losses.get(each)) not in known)]


def resolve(names: Sequence[str]) -> list[Method]:
    """Return the methods of names, expressions or parts (which are measured alone), each once; all without any.

    Raises:
        ValueError: for a name or an expression that the library does not have.
    """
    found = [losses.game(_expression(name)).resolved for name in names or everything()]
    return list({str(method): method for method in found}.values())


def _expression(name: str) -> str:
    part = parts().get(name)
    return name if part is None or name in losses.names("method") else _alone(part)


def _alone(part: type[Part]) -> str:
    """Return the expression of a part alone: itself if it is an objective, else added to the reference's objective.

    With it comes what it refuses to work without.
    """
    return part.name if part.kind == "objective" else " + ".join((_BASE, part.name, *part.requires))
