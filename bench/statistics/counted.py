"""Which records of a table are counted: the scored cells of each method, and the runs whose times are shown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.config.workload import Workload
from bench.statistics.comparable_groups import ComparableGroup, MethodKey
from bench.statistics.scales import Unscored, unscored
from bench.statistics.scores import is_result
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Whose times are shown."""

    hardware: str | None
    workload: str
    workloads: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The records of one table, and which of its cells are scored."""

    group: ComparableGroup
    workloads: Mapping[str, Workload]
    seeds: Mapping[str, Sequence[int]]
    """The seeds of each workload that most methods have."""
    unscored: Mapping[str, Unscored]
    """The workloads that have such seeds and no scale."""

    @cached_property
    def scored(self) -> dict[str, Sequence[int]]:
        """The counting seeds of every workload that is in the score, in the order of names."""
        return {name: seeds for name, seeds in sorted(self.seeds.items()) if name not in self.unscored}

    def of(self, method: MethodKey) -> dict[str, list[Record]]:
        """Return the method's results in the scored cells, by workload."""
        return {
            name: [record for number in seeds if (record := self._result(method, name, number)) is not None]
            for name, seeds in self.scored.items()
        }

    def complete(self, method: MethodKey) -> bool:
        """Say whether a method may be ranked: it is no variant, and has a result in every scored cell."""
        done = sum(len(records) for records in self.of(method).values())
        return not method.variant and done == sum(len(seeds) for seeds in self.scored.values())

    def _result(self, method: MethodKey, workload: str, seed: int) -> Record | None:
        record = self.group.cells.get((method, workload, seed))
        return record if record is not None and is_result(record) else None


def cells_of(group: ComparableGroup, workloads: Mapping[str, Workload]) -> Cells:
    """Choose the counting seeds of a table, and find the workloads that have no scale."""
    seeds = group.counting()
    counting = {
        name: [
            record
            for record in group.records_on(name)
            if record.spec.seed in numbers and not record.spec.allow_invalid and is_result(record)
        ]
        for name, numbers in seeds.items()
    }
    reasons = {name: unscored(records, workloads[name]) for name, records in counting.items()}
    return Cells(
        group=group,
        workloads=workloads,
        seeds=seeds,
        unscored={name: why for name, why in reasons.items() if why is not None},
    )


def timing_of(group: ComparableGroup, workloads: Mapping[str, Workload]) -> Timing:
    """Choose the images' workload with the most results; a toy's steps say nothing about convolutions."""
    results = Counter(name for (_, name, _), record in group.cells.items() if is_result(record))
    images = tuple(name for name in group.workloads if not workloads[name].is_toy)
    timed = images or tuple(group.workloads)
    return Timing(
        hardware=_commonest_fingerprint(group.cells.values()),
        workload=min(timed, key=lambda name: (-results[name], name)),
        workloads=timed,
    )


def _commonest_fingerprint(records: Iterable[Record]) -> str | None:
    """Times never cross machines: throughput is shown for the hardware that most of the records come from."""
    counted = Counter(record.environment.fingerprint for record in records if record.environment)
    return min(counted, key=lambda fingerprint: (-counted[fingerprint], fingerprint)) if counted else None
