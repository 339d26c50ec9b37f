"""What a training iteration of each method costs beside the reference's, by the kernel records of the same folder.

Trials are timed while other trials run, kernel records in turn with the reference and with nothing beside them. So
where a folder has both, the table shows the latter, and the times of trials stand nowhere in it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.config.protocol import REFERENCE_METHOD
from bench.config.workload import Workload
from bench.statistics.comparable_groups import GroupKey
from bench.store.iteration_costs import iteration_costs
from bench.store.kernels import KernelRecord, KernelSetting, groups


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One method's times over the reference's."""

    cost: float
    """Of an iteration: its discriminator updates for one of the generator, and that one."""
    discriminator_step: float
    """Of one update of the discriminator, a median over blocks."""
    generator_step: float


@dataclass(frozen=True, kw_only=True)
class Iterations:
    """The methods of one table, timed on one machine in one setting."""

    machine: str
    setting: str
    costs: Mapping[str, Iteration]
    """By canonical expression."""


def iterations(
    key: GroupKey, methods: Iterable[str], timed_on: Iterable[Workload], kernels: Iterable[KernelRecord]
) -> Iterations | None:
    """Return the times of all methods of a table, or None where the kernel records lack one of them.

    Readers would compare the times of some methods with the times of trials of the others, so it is all or none. If the
    records of several machines fit, those that were measured last are taken.

    Args:
        key: of the table: records fit that have its norm, its precision and its batch size.
        methods: their canonical expressions.
        timed_on: the workloads of the table whose steps its costs are about; the steps of toys have no kernel records.
        kernels: the kernel records of the folder.
    """
    wanted = set(methods)
    whole = [group for group in _fitting(key, timed_on, kernels) if wanted <= _timed(group)]
    if not whole:
        return None
    chosen = max(whole, key=lambda group: max((record.measured_at, record.id) for record in group))
    known = iteration_costs(chosen)
    return Iterations(
        machine=known.machine,
        setting=known.setting,
        costs={
            record.method: Iteration(
                cost=known.costs[record.method],
                discriminator_step=_ratio(record, "d_step"),
                generator_step=_ratio(record, "g_step"),
            )
            for record in chosen
            if record.method in wanted
        },
    )


def not_timed(
    key: GroupKey, methods: Iterable[str], timed_on: Iterable[Workload], kernels: Iterable[KernelRecord]
) -> list[str]:
    """Return the methods that the records which fit a table best still lack; none where none fit at all."""
    wanted = set(methods)
    missing = [sorted(wanted - _timed(group)) for group in _fitting(key, timed_on, kernels)]
    return min(missing, key=len, default=[])


def _fitting(key: GroupKey, timed_on: Iterable[Workload], kernels: Iterable[KernelRecord]) -> list[list[KernelRecord]]:
    sizes = {workload.image_size for workload in timed_on if not workload.is_toy}
    return [group for group in groups(kernels) if _fits(key, sizes, group[0].setting)]


def _fits(key: GroupKey, sizes: Collection[int], setting: KernelSetting) -> bool:
    timed = (setting.d_norm, setting.precision, str(setting.batch_size), setting.mode)
    return setting.image_size in sizes and timed == (key.d_norm, key.precision, key.batch, "eager")


def _timed(group: Sequence[KernelRecord]) -> set[str]:
    """Return the methods of which both steps were timed; none of them where the reference was not."""
    both = {record.method for record in group if record.timing("d_step") and record.timing("g_step")}
    references = {record.method for record in group if record.label == REFERENCE_METHOD}
    return both if references & both else set()


def _ratio(record: KernelRecord, path: str) -> float:
    timing = record.timing(path)
    if timing is None:
        raise ValueError(f"the kernel record of {record.label} has no {path}")
    return timing.ratio.median
