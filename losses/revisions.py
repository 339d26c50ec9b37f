"""Which numbers a part computes: a revision for each, raised whenever they change, which is part of a trial's identity.

A part that derives from another computes with that one's code. So a raise in a base class counts for everything that
derives from it, and a part from elsewhere that derives from a part of the library brings along that one's revision.
"""

from losses.method import Method
from losses.parts import Part


def revision_of(part: type[Part]) -> int:
    """Return a part's revision: 1, and every raise along its line of descent, its base classes' and its own."""
    own = [base.revision for base in part.__mro__ if issubclass(base, Part) and "revision" in vars(base)]
    return 1 + sum(revision - 1 for revision in own)


def lineage(part: type[Part]) -> list[type[Part]]:
    """Return the registered parts whose code a part runs: itself, then those that it derives from."""
    return [base for base in part.__mro__ if issubclass(base, Part) and vars(base).get("name")]


def parts_within(method: Method) -> list[type[Part]]:
    """Return every registered part in a method, those that its parts derive from included, each once.

    The parts of a method are plain numbers all through, so nothing else can hide in them: a fused objective derives
    from the plain one.
    """
    return list(dict.fromkeys(base for part in method.parts for base in lineage(type(part))))
