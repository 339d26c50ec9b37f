"""The index of the loss library: names, summaries and formulas, written from the registry and read without torch."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from bench.config.trial import part_names


class MethodEntry(Struct, frozen=True, kw_only=True):
    """One part or catalogue method, as the index file describes it."""

    name: str
    kind: str
    summary: str = ""
    expression: str = ""
    formula: str = ""
    citation: str = ""
    alias_of: str = ""
    """The name whose gradients these are; an alias is planned, trained and ranked under that name."""
    revision: str = ""
    """A part's revision: raised whenever its numbers change. Empty for a method, which has those of its parts."""
    family: str = ""
    """The page of the atlas that explains it, as in docs/atlas/FAMILY.md; empty for what other packages register."""


@cache
def index() -> tuple[MethodEntry, ...]:
    """Read `bench/config/methods.json`, in the file's order."""
    return tuple(
        msgspec.json.decode(files("bench.config").joinpath("methods.json").read_bytes(), type=list[MethodEntry])
    )


@cache
def library_version() -> str:
    """Return the version of the loss library that the index describes."""
    return files("bench.config").joinpath("losses.version").read_text(encoding="utf-8").strip()


def methods() -> list[MethodEntry]:
    return [entry for entry in index() if entry.kind == "method"]


def parts() -> list[MethodEntry]:
    return [entry for entry in index() if entry.kind != "method"]


def entries_of(name: str, expression: str) -> list[MethodEntry]:
    """Return what describes a method that was run: its own entry if the catalogue has it, else its parts'."""
    named = [entry for entry in methods() if entry.name == name]
    return named or parts_of(expression)


def family_of(entries: Sequence[MethodEntry]) -> str:
    """Return the family of what `entries_of` describes: the first part's that is no objective, as in the atlas."""
    first = next((entry for entry in entries if entry.kind != "objective"), entries[0] if entries else None)
    return first.family if first else ""


def parts_of(expression: str) -> list[MethodEntry]:
    """Return the index entries of the parts that a canonical expression is made of, in its order."""
    by_name = {entry.name: entry for entry in parts()}
    return [by_name[name] for name in part_names(expression) if name in by_name]


def aliases_of(name: str) -> list[str]:
    """Return the other names of a method, which have no rows of their own."""
    return sorted(entry.name for entry in methods() if entry.alias_of == name)
