"""Which records are comparable, so that they share a table, and which of its cells count.

Records are comparable when protocol version, track, discriminator norm, precision, batch size and budget agree. On the
paper track norm and batch size are the method's own. Toys have no norm: they join the images' table, that of the core
track's norm where there is one.

Within such a group every workload is held to one setting (data, component versions, network, and the number of samples
where the data decides on it), that of the newest result, and a method to the newest versions of its own parts, so that
mending one loss concerns nobody else; others stay on disk and are counted as superseded, never mixed in. Images of one
content are one workload, wherever their folder lay (`bench.statistics.current`).

A seed of a workload *counts* when more than half of the rankable methods have a result for it. A method is complete
when it has a result in every counting cell; only complete methods are ranked, on exactly the counting cells. So a
campaign that has not finished yet, or one method that was run with more seeds than the others, never changes what is
averaged, and nobody can choose their seeds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from bench.config.protocol import core_norm, scoring_version
from bench.config.trial import PART, Spec, part_versions
from bench.config.workload import Workload
from bench.statistics.current import Data, data_name, names_of_data, weight
from bench.statistics.scores import is_result, workload_of
from bench.store.journal import latest_attempts
from bench.store.record import Record

OWN: Final = "own"
"""Stands for what each method brings itself on the paper track."""

BETWEEN: Final = " · "
"""Stands between the pieces of a table's title and name."""

FULL_BUDGET: Final = "full budget"
QUICK_BUDGET: Final = "quick budget"


@dataclass(frozen=True, order=True)
class GroupKey:
    """What all records of one table share."""

    protocol_version: str
    track: str
    d_norm: str
    precision: str
    batch: str
    budget: str

    @property
    def pieces(self) -> list[str]:
        """What the records share, in words."""
        own = self.d_norm == OWN
        recipe = ["each method's own recipe"] if own else [f"d_norm {self.d_norm}", f"batch {self.batch}"]
        return [
            f"protocol {self.protocol_version}",
            f"scoring {self.scoring_version}",
            f"{self.track} track",
            *recipe,
            self.precision,
            self.budget,
        ]

    @property
    def title(self) -> str:
        return BETWEEN.join(self.pieces)

    @property
    def scoring_version(self) -> str:
        return scoring_version(self.protocol_version)


@dataclass(frozen=True, order=True)
class MethodKey:
    """One line of the table: a method, or a labeled variant that is listed and never ranked."""

    expression: str
    variant: bool


@dataclass(frozen=True)
class ComparableGroup:
    """The comparable records of one table, at most one per cell."""

    key: GroupKey
    cells: Mapping[tuple[MethodKey, str, int], Record]
    superseded: int

    @cached_property
    def methods(self) -> list[MethodKey]:
        return sorted({method for method, _, _ in self.cells})

    @cached_property
    def workloads(self) -> list[str]:
        return sorted({workload for _, workload, _ in self.cells})

    def records_of(self, method: MethodKey, workload: str | None = None) -> list[Record]:
        """The method's records, in the order of workloads and seeds."""
        return self._sorted.get((method, workload), [])

    def records_on(self, workload: str) -> list[Record]:
        """The records of all methods on a workload, in the order of methods and seeds."""
        return [record for method in self.methods for record in self.records_of(method, workload)]

    @cached_property
    def _sorted(self) -> dict[tuple[MethodKey, str | None], list[Record]]:
        """The records of each method, on all workloads (`None`) and on each: sorted once, asked for many times."""
        records: dict[tuple[MethodKey, str | None], list[Record]] = defaultdict(list)
        for (method, name, _), record in sorted(self.cells.items(), key=lambda item: item[0]):
            records[method, None].append(record)
            records[method, name].append(record)
        return dict(records)

    def counting(self) -> dict[str, list[int]]:
        """The counting seeds of every workload that has any, by the rule of this module."""
        rankable = {method for (method, _, _), record in self.cells.items() if not method.variant and is_result(record)}
        holders: dict[tuple[str, int], int] = defaultdict(int)
        for (method, workload, seed), record in self.cells.items():
            if method in rankable and is_result(record):
                holders[workload, seed] += 1
        counting: dict[str, list[int]] = defaultdict(list)
        for (workload, seed), methods in sorted(holders.items()):
            if 2 * methods > len(rankable):
                counting[workload].append(seed)
        return dict(counting)


def comparable_groups(records: Iterable[Record], workloads: Mapping[str, Workload]) -> list[ComparableGroup]:
    """Divide the last attempts of all trials into tables, ordered by their keys."""
    kept = latest_attempts(records)
    keyed = [(_key(record.spec, workload_of(record, workloads)), record) for record in kept]
    image_keys = {key for key, record in keyed if not workloads[record.spec.workload].is_toy}
    groups: dict[GroupKey, list[Record]] = defaultdict(list)
    for key, record in keyed:
        groups[_joined(key, image_keys) if workloads[record.spec.workload].is_toy else key].append(record)
    names = names_of_data(kept)
    return [_group(key, groups[key], names) for key in sorted(groups)]


def _joined(key: GroupKey, image_keys: Iterable[GroupKey]) -> GroupKey:
    """Return the key of the images' table that a toy joins: the core norm's, else the only one, else its own."""
    matching = [image_key for image_key in image_keys if image_key == replace(key, d_norm=image_key.d_norm)]
    core = [image_key for image_key in matching if image_key.d_norm == core_norm(image_key.protocol_version)]
    return (core or matching)[0] if core or len(matching) == 1 else key


def _group(key: GroupKey, records: Sequence[Record], names: Mapping[Data, str]) -> ComparableGroup:
    by_weight = [
        (record, data_name(record.spec, names), _setting(record), part_versions(record.components))
        for record in sorted(records, key=weight)
    ]
    current = {name: setting for _, name, setting, _ in by_weight}
    parts = {record.spec.method: versions for record, _, _, versions in by_weight}
    cells = {
        (MethodKey(record.spec.method, record.spec.allow_invalid), name, record.spec.seed): record
        for record, name, setting, versions in by_weight
        if setting == current[name] and versions == parts[record.spec.method]
    }
    return ComparableGroup(key=key, cells=cells, superseded=len(records) - len(cells))


def _key(spec: Spec, workload: Workload) -> GroupKey:
    own_recipe = spec.track == "paper"
    return GroupKey(
        protocol_version=spec.protocol_version,
        track=spec.track,
        d_norm=OWN if own_recipe else spec.network.d_norm,
        precision=spec.precision,
        batch=OWN if own_recipe else str(spec.batch_size),
        budget=_budget(spec, workload),
    )


def _budget(spec: Spec, workload: Workload) -> str:
    """Name the budget by what deviates from the workload's own, so that workloads at full budget share a table."""
    quick = workload.quick
    # Where the data decides, nobody knows here what it decided: the setting keeps other sizes apart.
    samples = workload.samples or spec.samples
    if quick and (spec.steps, spec.evaluate_every, spec.samples) == (quick.steps, quick.evaluate_every, samples):
        return QUICK_BUDGET
    deviations = [] if spec.steps == workload.steps else [f"{spec.steps:,} steps"]
    if spec.evaluate_every != min(workload.evaluate_every, spec.steps):
        deviations.append(f"evaluated every {spec.evaluate_every:,}")
    if spec.samples != samples:
        deviations.append(f"{spec.samples:,} samples")
    return ", ".join(deviations) or FULL_BUDGET


def _setting(record: Record) -> tuple[object, ...]:
    """What must agree among all methods of one workload beyond the group's key."""
    spec = record.spec
    network = spec.network
    recipe = (spec.optimizer, spec.critic_steps) if spec.track == "controlled" else ()
    shape = (network.name, network.width, network.channels, network.image_size, network.latent_size)
    shared = sorted(item for item in record.components.items() if not item[0].startswith(PART))
    return spec.data_hash, tuple(shared), shape, recipe, spec.samples
