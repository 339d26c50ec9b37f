"""The registry of workloads: every module of this package that has a `FAMILY`."""

import functools
import importlib
import os
import pkgutil
from pathlib import Path

import msgspec

from bench.common.names import nearest_name
from bench.config.workload import Workload
from bench.data.cache import handed_over, kept_sets
from bench.data.family import Arrays, DataError, Family, OnProgress, content_hash
from bench.files.places import expanded, user_cache

DATA_VARIABLE = "GAN_LOSS_BENCH_DATA"
"""The environment variable that names the data folder."""


@functools.cache
def families() -> tuple[Family, ...]:
    """Return all families, in the order of their modules' names; those that need a download come last."""
    package = importlib.import_module("bench.data")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"bench.data.{name}") for name in names]
    registered = [module.FAMILY for module in modules if hasattr(module, "FAMILY")]
    return tuple(sorted(registered, key=lambda family: family.missing is not None))


@functools.cache
def _by_name() -> dict[str, tuple[Workload, Family]]:
    entries: dict[str, tuple[Workload, Family]] = {}
    for family in families():
        for entry in family.workloads:
            assert entry.name not in entries, f"two workloads are called {entry.name}"
            entries[entry.name] = (entry, family)
    return entries


def _find(name: str) -> tuple[Workload, Family]:
    entries = _by_name()
    if name in entries:
        return entries[name]
    head, colon, _ = name.partition(":")
    formed = {family.form.prefix: (family, family.form) for family in families() if family.form is not None}
    if colon and head in formed:
        family, form = formed[head]
        return form.workload(name), family
    usages = {form.usage if prefix == head else prefix: form.usage for prefix, (_, form) in formed.items()}
    known = {**dict(zip(entries, entries, strict=True)), **usages}
    near = nearest_name(head if colon else name, known)
    hint = "" if near is None else f" (did you mean {known[near]!r}?)"
    if not colon and Path(name).is_dir():
        (prefix,) = formed
        raise ValueError(
            f"unknown workload {name!r}: for the images in the folder of that name write '{prefix}:{name}'"
        )
    raise ValueError(f"unknown workload {name!r}{hint}; there are {', '.join(known.values())}")


def names() -> list[str]:
    """Return the names of all workloads, families together."""
    return list(_by_name())


def workload(name: str) -> Workload:
    """Return the workload of this name; raise ValueError naming the nearest one if there is none.

    No data is read. If the workload pins no content, its hash is empty, and its number of samples may be 0 if that
    depends on the data. `resolve` reads the data and fills both in; `settled` does so from data in memory.
    """
    return _find(name)[0]


def resolve(
    name: str, data_dir: Path | None = None, on_progress: OnProgress | None = None, *, fetch: bool = True
) -> Workload:
    """Return the workload of this name with everything that depends on its data. It is read unless its hash is pinned.

    Args:
        name: of a workload; ValueError if there is none.
        data_dir: where downloaded data lies or is put; `default_data_dir()` if None.
        on_progress: called during a download and decoding.
        fetch: whether the data may be downloaded.

    Raises:
        DataError: the data is not there, cannot be downloaded or cannot be read.
    """
    entry, family = _find(name)
    if entry.content_hash:
        return entry
    folder = data_dir if data_dir is not None else default_data_dir()
    lacking = "" if fetch or family.missing is None else family.missing(entry, folder)
    if lacking:
        raise DataError(f"trials on {name} are identified by its data, which is not in {folder} yet: {lacking}")
    return settled(entry, family.load(entry, folder, on_progress))


def lacking(name: str, data_dir: Path | None = None) -> str:
    """Say what must be downloaded before a workload's data can be loaded, and how; empty if it is there."""
    entry, family = _find(name)
    if family.missing is None:
        return ""
    return family.missing(entry, default_data_dir() if data_dir is None else data_dir)


def settled(entry: Workload, arrays: Arrays) -> Workload:
    """Return a workload with the content hash and number of samples of its data, where it has none of its own."""
    family = _find(entry.name)[1]
    samples = family.samples(arrays) if family.samples is not None and not entry.samples else entry.samples
    return msgspec.structs.replace(entry, content_hash=entry.content_hash or content_hash(arrays), samples=samples)


def default_data_dir() -> Path:
    """Return where downloaded data lies: $GAN_LOSS_BENCH_DATA, else a folder in the user's cache."""
    given = os.environ.get(DATA_VARIABLE)
    return expanded(given) if given else user_cache() / "data"


def load(
    name: str, data_dir: Path | None = None, on_progress: OnProgress | None = None, *, expected: str = ""
) -> Arrays:
    """Decode a workload's data and check that it is what the workload pins.

    Args:
        name: of a workload; ValueError if there is none.
        data_dir: where downloaded data lies or is put; `default_data_dir()` if None.
        on_progress: called during a download and decoding.
        expected: the content hash of the data that a trial was planned on, checked if the workload pins none.

    Raises:
        DataError: the data is not there, cannot be read, or differs from the pinned or expected content.
    """
    entry, family = _find(name)
    folder = data_dir if data_dir is not None else default_data_dir()
    wanted = entry.content_hash or expected
    arrays = handed_over(kept_sets(folder), wanted) if wanted and _comes_from_files(family) else None
    if arrays is None:
        arrays = family.load(entry, folder, on_progress)
    if entry.mixture is None:  # a mixture is pinned by its definition, from which it was just drawn
        verify(entry, arrays, expected)
    return arrays


def is_here(name: str, content_hash: str, data_dir: Path) -> bool:
    """Whether this machine can load a workload's data, of this content, without anything from elsewhere.

    What the program draws itself, it always can. A folder of the user's counts as absent until its data are handed
    over: the folder of that name here may be another one. Files of a public data set are read: they may be damaged, or
    decoded to other bits than where the trial was planned.
    """
    _, family = _find(name)
    if not _comes_from_files(family) or handed_over(kept_sets(data_dir), content_hash) is not None:
        return True
    if family.missing is None or lacking(name, data_dir):
        return False
    try:
        load(name, data_dir, expected=content_hash)
    except DataError:
        return False
    return True


def _comes_from_files(family: Family) -> bool:
    return family.missing is not None or family.form is not None


def verify(entry: Workload, arrays: Arrays, expected: str = "") -> None:
    """Raise DataError unless the arrays are those that the workload pins, or the expected ones if it pins none."""
    actual = content_hash(arrays)
    if not entry.content_hash:
        if expected not in ("", actual):
            raise DataError(
                f"the data of {entry.name} has changed since the trial was planned: its content hash is "
                f"{actual[:16]}..., planned was {expected[:16]}.... Run the same command again: it plans with what is "
                "there now"
            )
    elif actual != entry.content_hash:
        raise DataError(
            f"the data of workload {entry.name!r} is not the data it pins: its content hash is {actual[:16]}..., "
            f"expected {entry.content_hash[:16]}.... Results on other data would not be comparable; "
            "delete the files and load them again, or install a scikit-learn that ships the original digits."
        )
