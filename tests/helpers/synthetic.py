"""Worlds of records whose truth is known: who is better by how much, who ties, who fails, who is slow.

A run's log distance is   log F = log(base of the workload) + effect of the method + shift
                                  + scatter * (sqrt(r) u[workload, seed] + sqrt(1 - r) e[method, workload, seed]),
u and e standard normal: seeds are paired, as common random numbers make them. With the same `draw`, a world is the same
to the last bit; another draw is a rerun with other luck and the same truth.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from planted_records import FLOOR, UNTRAINED, planted_record

from bench import data
from bench.config.trial import PART
from bench.report import methods as index
from bench.store.record import Record
from bench.training.version import components

IMAGE_WORKLOADS = ("digits", "fashion-mnist", "mnist", "polygons", "cifar10")
BASE = 60.0
"""The distance of a method without effect, between the floor of 2 and the untrained generator's 8,000."""


def method_names(count: int) -> tuple[str, ...]:
    """Return the names of so many methods of the catalogue, `nsgan` first."""
    names = [entry.name for entry in index.methods() if not entry.alias_of]
    return ("nsgan", *[name for name in names if name != "nsgan"][: count - 1])


@dataclass(frozen=True, kw_only=True)
class World:
    """The truth. What is not named in a mapping has effect 0, speed 1 and never fails."""

    methods: Sequence[str]
    workloads: Sequence[str] = IMAGE_WORKLOADS
    effects: Mapping[str, float] = field(default_factory=dict)
    """Added to the log distance of every run of the method: log(1.2) is a fifth worse."""
    failure_rates: Mapping[str, float] = field(default_factory=dict)
    speeds: Mapping[str, float] = field(default_factory=dict)
    """Throughput relative to the others: 0.85 is fifteen per cent slower."""
    scatter: float = 0.2
    pairing: float = 0.5
    """The share r of a run's variance that all methods have in common at one seed."""
    timing_scatter: float = 0.02
    fingerprint: str = "cafe01234567"


def make(world: World, seeds: int | Iterable[int] = 10, draw: int = 0) -> list[Record]:
    """Return a record for every method, workload and seed of the world."""
    numbers = range(seeds) if isinstance(seeds, int) else list(seeds)
    known = {entry.name: entry.expression for entry in index.methods()}
    return [
        _record(world, method, known.get(method, method), workload, seed, draw)
        for workload in world.workloads
        for method in world.methods
        for seed in numbers
    ]


def write(records: Iterable[Record], results: Path) -> Path:
    """Write records into a results folder, as the store would lay them out, and return the folder."""
    folder = results / "records"
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        (folder / f"{record.trial_id}.{record.attempt}.json").write_bytes(msgspec.json.encode(record))
    return results


def _record(world: World, method: str, expression: str, workload_name: str, seed: int, draw: int) -> Record:
    workload = data.workload(workload_name)
    common = _rng(draw, workload_name, seed).standard_normal()
    own = _rng(draw, workload_name, seed, method)
    noise = np.sqrt(world.pairing) * common + np.sqrt(1 - world.pairing) * own.standard_normal()
    distance = float(BASE * np.exp(world.effects.get(method, 0.0) + world.scatter * noise))
    failed = own.uniform() < world.failure_rates.get(method, 0.0)
    speed = 2000.0 * world.speeds.get(method, 1.0) * float(np.exp(world.timing_scatter * own.standard_normal()))
    record = planted_record(
        workload,
        expression,
        seed,
        distance=None if failed else min(max(distance, FLOOR), UNTRAINED),
        status="nonfinite" if failed else "ok",
        name=method,
        fingerprint=world.fingerprint,
        components=components(workload, index.library_version()) | part_components(expression),
    )
    cost = {
        **record.cost,
        "images_per_second": speed,
        "steps_per_second": speed / record.spec.batch_size,
        "discriminator_update_seconds": 0.6 * record.spec.batch_size / speed,
        "generator_update_seconds": 0.4 * record.spec.batch_size / speed,
    }
    return msgspec.structs.replace(record, cost=cost)


def part_components(expression: str) -> dict[str, str]:
    """Return the components of an expression's parts, as the plan names them and without torch."""
    return {f"{PART}{entry.name}": entry.revision for entry in index.parts_of(expression)}


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, key)).encode()))
