"""Methods and their parts, for all verbs that take them by name: what a name means, and how a method is labeled."""

from collections.abc import Sequence

import losses
from bench.config.trial import PART, Trial, content_version, is_from_elsewhere, part_versions
from bench.files.neighbors import content_with_neighbors
from losses import Method, Part
from losses.registry import parts
from losses.revisions import parts_within, revision_of

_BASE = "bce_ns"
"""What a single part is added to: the objective of the reference method."""

_LIBRARY = f"{losses.__name__}."

_FIRST_SEEN: dict[type[Part], str] = {}
"""The versions of parts, as this process found them first."""


def everything() -> list[str]:
    """Return every method that is no alias, then one expression for each part that no such method consists of."""
    methods = [name for name in losses.names("method") if not losses.describe(name, "method").alias]
    expressions = {str(losses.get(name)) for name in methods}
    single_parts = [
        _with_base(part)
        for kind in ("objective", "regularizer", "transform", "constraint")
        for name, part in parts(kind).items()
        if not losses.describe(name, kind).alias
    ]
    return [*methods, *(part for part in single_parts if str(losses.get(part)) not in expressions)]


def resolve(names: Sequence[str]) -> list[Method]:
    """Return the methods that names, expressions or single parts stand for, each once; all methods if there are none.

    Raises:
        ValueError: for a name or an expression that the library does not have.
    """
    methods = [losses.game(_expression(name)).resolved for name in names or everything()]
    return list({str(method): method for method in methods}.values())


def label(method: Method) -> str:
    """Return a method's name, or the short spelling of an expression that has no name."""
    return method.short if method.name == str(method) else method.name


def part_components(method: Method) -> dict[str, str]:
    """Return the version of every part within a method, as a trial's components have it.

    It is the part's revision. For a part that this library does not ship it is the hash of its file, and of the files
    beside it that it imports; a part without a file, because somebody typed it in, has its revision too.
    """
    components = {}
    for part in parts_within(method):
        path = None if part.__module__.startswith(_LIBRARY) else losses.plugins.file_of(part.__module__)
        version = content_version(content_with_neighbors(path)) if path else str(revision_of(part))
        components[f"{PART}{part.name}"] = version
        _FIRST_SEEN.setdefault(part, version)
    return components


def refuse_changed_parts(trial: Trial) -> None:
    """Refuse to train a trial with a part from a file that is another than the one that it was planned with.

    What counts is the file as it was when this process first had the part: what it has is not read again.

    Raises:
        ValueError: the file has changed since.
    """
    planned = part_versions(trial.components)
    if not any(map(is_from_elsewhere, planned.values())):
        return
    method = losses.get(trial.spec.method)
    part_components(method)
    for part in parts_within(method):
        version = planned.get(part.name, "")
        if is_from_elsewhere(version) and _FIRST_SEEN[part] != version:
            raise ValueError(
                f"the file of the loss {part.name!r}, or a file that it imports from beside it, has changed since the "
                f"trial was planned: its version is {_FIRST_SEEN[part]}, planned was {version}. Run the same command "
                "again: it plans with what is there now"
            )


def _expression(name: str) -> str:
    part = parts().get(name)
    return name if part is None or name in losses.names("method") else _with_base(part)


def _with_base(part: type[Part]) -> str:
    """Return the expression for a single part: an objective itself, any other part added to the base.

    It includes the parts that this one requires.
    """
    return part.name if part.kind == "objective" else " + ".join((_BASE, part.name, *part.requires))
