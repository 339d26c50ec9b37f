"""The one registry of workloads: every module of this package that has a `FAMILY`."""

import difflib
import functools
import importlib
import os
import pkgutil
from pathlib import Path

from bench.config.workload import Workload
from bench.data.family import Arrays, DataError, Family, OnProgress, content_hash

DATA_VARIABLE = "GAN_LOSS_BENCH_DATA"
"""The environment variable that names the data folder."""


@functools.cache
def _families() -> tuple[Family, ...]:
    package = importlib.import_module("bench.data")
    found = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"bench.data.{name}") for name in found]
    return tuple(module.FAMILY for module in modules if hasattr(module, "FAMILY"))


@functools.cache
def _by_name() -> dict[str, tuple[Workload, Family]]:
    entries: dict[str, tuple[Workload, Family]] = {}
    for family in _families():
        for entry in family.workloads:
            assert entry.name not in entries, f"two workloads are called {entry.name}"
            entries[entry.name] = (entry, family)
    return entries


def _find(name: str) -> tuple[Workload, Family]:
    entries = _by_name()
    if name in entries:
        return entries[name]
    nearest = difflib.get_close_matches(name, entries, n=1, cutoff=0.4)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown workload {name!r}{hint} (there are: {', '.join(entries)})")


def names() -> list[str]:
    """Return the names of all workloads, families together."""
    return list(_by_name())


def workload(name: str) -> Workload:
    """Return the workload of this name; raise ValueError naming the nearest one if there is none."""
    return _find(name)[0]


def default_data_dir() -> Path:
    """Return where downloaded data lies: $GAN_LOSS_BENCH_DATA, else a folder in the user's cache."""
    given = os.environ.get(DATA_VARIABLE)
    return Path(given).expanduser() if given else Path.home() / ".cache" / "gan-loss-bench" / "data"


def load(name: str, data_dir: Path | None = None, on_progress: OnProgress | None = None) -> Arrays:
    """Decode a workload's data and check that it is what the workload pins.

    Args:
        name: of a workload; ValueError if there is none.
        data_dir: where downloaded data lies or is put; `default_data_dir()` when None.
        on_progress: is told how a download gets on.

    Raises:
        DataError: the data cannot be had, cannot be read, or differs from the pinned content.
    """
    entry, family = _find(name)
    folder = data_dir if data_dir is not None else default_data_dir()
    arrays = family.load(entry, folder, on_progress)
    if entry.mixture is None:  # a mixture is pinned by its definition, from which it was just drawn
        verify(entry, arrays)
    return arrays


def verify(entry: Workload, arrays: Arrays) -> None:
    """Raise DataError unless the arrays are those that the workload pins."""
    found = content_hash(arrays)
    if found != entry.content_hash:
        raise DataError(
            f"the data of workload {entry.name!r} is not the data it pins: its content hash is {found[:16]}..., "
            f"expected {entry.content_hash[:16]}.... Results on other data would not be comparable; "
            "delete the files and load them again, or install a scikit-learn that ships the original digits."
        )
