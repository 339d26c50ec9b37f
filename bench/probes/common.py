"""What the probes share: how they tell of their progress, and how they name a method."""

from collections.abc import Callable

from losses import Method

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how many of its steps are done, and how many there are."""


def label(method: Method) -> str:
    """Return a method's name, or of an expression without one the short spelling."""
    return method.short if method.name == str(method) else method.name
