"""Golden traces and the revisions of parts: which part moved the numbers, and does a revision say so?

A part's `revision` is raised with every change of its numbers, so that its methods are trained again and nobody else's.
Where numbers moved and no revision did, records of before and after would be mixed; where a revision moved and no
number did, trials are run again for nothing. What all parts share is told by the versions of the engine and the losses.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from bench.config.trial import is_from_elsewhere, part_names
from bench.store.golden import GoldenTraces, Trace

SHARED: Final = ("engine", "losses")
"""The versions that stand for what all methods share."""

_NAMED: Final = 5
"""How many methods are named before the rest is counted."""


@dataclass(frozen=True)
class Traced:
    """One method that both files have comparable traces of, judged by the gate."""

    before: Trace
    after: Trace
    changed: bool
    effect: float
    """The largest relative difference."""

    @property
    def name(self) -> str:
        return self.after.method

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(self.after.revisions or part_names(self.after.expression))

    @property
    def revised(self) -> dict[str, tuple[str, str]]:
        """The parts whose revisions differ, with the old one and the new one."""
        return revised(self.before.revisions, self.after.revisions)

    @property
    def explained(self) -> bool:
        """Whether a revision of the method's own parts says that its numbers may differ."""
        return bool(self.revised) or self.before.expression != self.after.expression


@dataclass(frozen=True)
class Culprits:
    """Parts that stand in the same ones of the methods that changed, and in none that did not."""

    parts: tuple[str, ...]
    methods: tuple[str, ...]


def revised(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what has different versions on the two sides; what only one side names is left out."""
    return {name: (old[name], new[name]) for name in sorted(old.keys() & new.keys()) if old[name] != new[name]}


def remarks(changed: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    """Say which parts of a method have another revision: "revision of r1: 1 → 2"."""
    return tuple(f"revision of {part}: {old} → {new}" for part, (old, new) in changed.items())


def warnings(base: GoldenTraces, new: GoldenTraces, traced: Sequence[Traced]) -> tuple[str, ...]:
    """Say where numbers and revisions contradict each other, and what to do.

    Args:
        base: what there was.
        new: what there is.
        traced: the methods that both have comparable traces of.
    """
    shared = {name: versions for name, versions in revised(base.versions, new.versions).items() if name in SHARED}
    said = [] if shared else _unexplained(base, new, traced)
    return (*said, *_needless(traced), *_needless_shared(shared, traced), *_lowered(traced))


def culprits(changed: Mapping[str, Set[str]], unchanged: Set[str]) -> tuple[list[Culprits], list[str]]:
    """Find the fewest parts that explain why methods changed, taking the most common one first.

    Args:
        changed: the parts of each method that changed.
        unchanged: the parts of all methods that did not.

    Returns:
        The culprits; and the methods in which every part also stands in one that did not change.
    """
    left = {name: set(parts) - unchanged for name, parts in changed.items()}
    explained = []
    while any(left.values()):
        holders = {
            part: tuple(sorted(name for name, parts in left.items() if part in parts))
            for part in sorted(set().union(*left.values()))
        }
        methods = max(holders.values(), key=len)
        explained.append(Culprits(tuple(part for part, names in holders.items() if names == methods), methods))
        left = {name: parts for name, parts in left.items() if name not in methods}
    return explained, sorted(left)


def _unexplained(base: GoldenTraces, new: GoldenTraces, traced: Sequence[Traced]) -> list[str]:
    suspected = [method for method in traced if method.changed and not method.explained]
    if not suspected:
        return []
    unchanged = frozenset[str]().union(*(method.parts for method in traced if not method.changed))
    groups, without = culprits({method.name: method.parts for method in suspected}, unchanged)
    known = all(method.before.revisions and method.after.revisions for method in suspected)
    lead = (
        "and no revision of a part, nor the version of the engine or of the losses, was raised"
        if known
        else "and one of the files names no revisions of parts, so nobody can tell whether one was raised"
    )
    said = [f"Numbers changed, {lead}: {_listed(method.name for method in suspected)}.{_elsewhere(base, new)}"]
    said += [_blame(group, len(suspected), alone=not unchanged) for group in groups]
    if without:
        said.append(
            f"No part explains {_listed(without)}: each of theirs is also in a method that did not change. Either one "
            "changed for some values of its parameters alone (raise its `revision`), or something that all share did "
            "(raise losses.VERSION or ENGINE_VERSION)."
        )
    return said


def _blame(group: Culprits, suspected: int, *, alone: bool) -> str:
    of = f"all {suspected}" if len(group.methods) == suspected else f"{len(group.methods)} of these {suspected}"
    where = "that method" if suspected == 1 else f"{of}"
    said = f"Likely culprit: {' or '.join(group.parts)}, in {where} and in no method that did not change"
    if alone:
        return (
            f"{said}, of which there is none: raise its `revision`, or losses.VERSION or ENGINE_VERSION if it is "
            "something that all share."
        )
    return f"{said}: raise its `revision`, and record the traces again."


def _elsewhere(base: GoldenTraces, new: GoldenTraces) -> str:
    if (base.torch_minor, base.cpu) == (new.torch_minor, new.cpu):
        return ""
    return " The files come from two versions of torch or models of processor, which may be why."


def _needless(traced: Sequence[Traced]) -> list[str]:
    """Name the parts whose revision was raised although no number moved."""
    said = []
    for part, (old, new) in _revised(traced).items():
        holders = [method for method in traced if part in method.revised]
        # Where another part of the method was revised too, that one may have moved the numbers.
        telling = [holder for holder in holders if len(holder.revised) == 1] or holders
        if not any(method.changed for method in telling):
            said.append(f"The revision of {part} went from {old} to {new}, {_unmoved(telling)}")
    return said


def _needless_shared(shared: Mapping[str, tuple[str, str]], traced: Sequence[Traced]) -> list[str]:
    if not traced or any(method.changed for method in traced):
        return []
    return [
        f"The version of the {name} went from {old} to {new}, {_unmoved(traced)}" for name, (old, new) in shared.items()
    ]


def _unmoved(traced: Sequence[Traced]) -> str:
    largest = max(method.effect for method in traced)
    moved = f"by more than {largest:.1e}, which is within the tolerance" if largest else "at all"
    return (
        f"and no number moved {moved}, in {_listed(method.name for method in traced)}: what is recorded of them is "
        "trained again for nothing, unless the change is one that these traces do not reach."
    )


def _lowered(traced: Sequence[Traced]) -> list[str]:
    return [
        f"The revision of {part} went back from {old} to {new}, which records of before have already: raise it instead."
        for part, (old, new) in _revised(traced).items()
        if not (is_from_elsewhere(old) or is_from_elsewhere(new)) and int(new) < int(old)
    ]


def _revised(traced: Iterable[Traced]) -> dict[str, tuple[str, str]]:
    return {part: change for method in traced for part, change in method.revised.items()}


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + rest
