"""Which records no run can have written: a number that scores read is missing or out of bounds.

Whoever computes from records refuses these, so that an edited or broken file never passes for a good result. Only what
a score reads is looked at; a floor that leaves no scale is no damage (`bench.statistics.scales`).
"""

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from bench import data
from bench.config.protocol import AVERAGE, scoring_version
from bench.config.workload import Workload
from bench.metrics.catalogue import about
from bench.store.journal import Store
from bench.store.record import Record

REFERENCES: Final = ("distance_init", "distance_floor", "high_quality_ceiling", "unreadable_floor", "coverage_ceiling")
"""What a score holds against: known from the real data or from the untrained generator, and shared by all samples."""

MEASURED: Final = ("distance", "modes", "kl_uniform", "high_quality", "unreadable", "coverage")
"""What a score reads of the samples, and as `ema_...` of those of the generator's moving average."""

READ: Final = (*MEASURED, *REFERENCES)
"""Every metric that a score reads."""

_BOUNDED: Final = (*READ, *(f"{AVERAGE}{name}" for name in MEASURED))

_POSITIVE: Final = frozenset({"distance", "distance_init"})
"""Whatever is generated has a distance above 0 to the data: only the floor can be 0, where real images are repeated."""

_ROUNDING: Final = 1e-9


def file_of(record: Record) -> str:
    """Name the record as its file lies in a results folder."""
    return f"records/{record.trial_id}.{record.attempt}.json"


def damage(record: Record, workload: Workload) -> str:
    """Return what is wrong with a record, which file it is and what to do; empty if nothing is wrong."""
    problem = next(_problems(record, workload), "")
    fix = "its record is damaged or edited: restore it, or delete it to have its trial run again"
    return f"{file_of(record)}: {problem}; {fix}" if problem else ""


def refuse_damaged(records: Iterable[Record], workloads: Mapping[str, Workload]) -> None:
    """Raise a `ValueError` that names the first damaged record, if any is; unknown workloads are left to others."""
    for record in records:
        workload = workloads.get(record.spec.workload)
        problem = damage(record, workload) if workload is not None else ""
        if problem:
            raise ValueError(problem)


def read_sound(store: Store, *, histories: bool = True) -> list[Record]:
    """Read all records of a store, none of which is damaged; without their curves if `histories` is false.

    Raises:
        ValueError: one is; the message names it and says what to do.
    """
    records = store.records(histories=histories)
    known = {}
    for name in {record.spec.workload for record in records}:
        with contextlib.suppress(ValueError):  # what needs a workload that is not known says that it is missing
            known[name] = data.workload(name)
    refuse_damaged(records, known)
    return records


def needed(workload: Workload, protocol_version: str) -> tuple[str, ...]:
    """Return the metrics that a score reads on a workload, under the protocol of the records."""
    if workload.scored_by == "distance":
        return ("distance",)
    if scoring_version(protocol_version) == "1":
        return ("distance", "modes", "kl_uniform")
    fidelity = ("high_quality",) if workload.is_toy else ("unreadable", "coverage")
    return ("distance", "modes", "kl_uniform", *fidelity)


def _problems(record: Record, workload: Workload) -> Iterator[str]:
    for name in _BOUNDED:
        value = record.metrics.get(name)
        if value is not None:
            yield from _out_of_bounds(name, value, workload)
    own = needed(workload, record.protocol_version)
    if record.status == "ok":
        yield from _missing(record, (*own, "distance_init"), "")
    if record.metrics.get(f"{AVERAGE}distance") is not None:
        yield from _missing(record, own, AVERAGE)


def _missing(record: Record, names: Iterable[str], prefix: str) -> Iterator[str]:
    for name in names:
        # An empty histogram has no divergence, and `modes` says that nothing was found.
        empty = name == "kl_uniform" and record.metrics.get(f"{prefix}modes") == 0
        if record.metrics.get(f"{prefix}{name}") is None and not empty:
            whose = "its moving average was measured" if prefix else "the run ended ok"
            yield f"{whose}, but there is no finite metric {prefix + name!r}"


def _out_of_bounds(name: str, value: float, workload: Workload) -> Iterator[str]:
    if not math.isfinite(value):
        yield f"there is no finite metric {name!r}, but {value}"
        return
    low, high = bounds(name, workload)
    if name.removeprefix(AVERAGE) in _POSITIVE and value <= 0.0:
        yield f"{name} is {value:g} and must be above 0"
    elif low is not None and value < low:
        yield f"{name} is {value:g} and must be {low:g} or more"
    elif high is not None and value > high * (1.0 + _ROUNDING):
        yield f"{name} is {value:g} and must be {high:g} or less"


def bounds(name: str, workload: Workload) -> tuple[float | None, float | None]:
    """Return the least and the greatest value of a metric on a workload: the catalogue's, and what K modes allow."""
    return _bounds(name, workload.modes)


@lru_cache(maxsize=4096)
def _bounds(name: str, modes: int) -> tuple[float | None, float | None]:
    described = about(name)
    assert described is not None, f"{name} is in no catalogue"
    low, high = described.bounds
    if not modes:  # none are counted, and no score reads any
        return low, high
    if name.removeprefix(AVERAGE) == "modes":
        return low, float(modes)
    if name.removeprefix(AVERAGE) == "kl_uniform":
        return low, math.log(modes)
    return low, high
