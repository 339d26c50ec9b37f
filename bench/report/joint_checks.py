"""Check records against each other: what all methods share at a seed, what no two runs share, and whose run is whose.

A run begins with an untrained generator that its seed alone decides, and is measured by the latents of its workload. So
the evaluation at step 0 is one number for all methods, to the last bit where they ran on one kind of machine; another
seed has another one; and no two seeds have one history.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

import msgspec

from bench.config.judges import JUDGED_METRICS
from bench.config.protocol import AVERAGE
from bench.config.trial import PART
from bench.statistics.damage import file_of
from bench.store.record import Record

CONSTANT_ROUNDING: Final = 1e-6
"""What is measured of real data is kept between campaigns, which may have run with other threads."""

LIKENESS_SEEDS: Final = 5
"""With fewer seeds nobody knows how far the runs of a method are apart."""

FAR: Final = 12.0
NEAR: Final = 3.0
"""A run that is so many deviations from its method's other runs, and so near to another method's, is that one's."""

_LEAST_DEVIATION: Final = 0.03
"""Relative: the deviation of a few seeds can be small by chance."""

_TELLING: Final = (
    *("discriminator_loss", "generator_loss", "logit_gap", "discriminator_accuracy", "generator_weight"),
    *("discriminator_gradient_norm", "generator_gradient_norm", "generator_signal", "discriminator_update_ratio"),
)
"""Monitors by which the first block of steps tells one loss from another."""

Found = tuple[Record, str]


def joint_contradictions(records: Iterable[Record]) -> Iterator[Found]:
    """Yield records that contradict others, each with the contradiction."""
    ended = [record for record in records if not record.is_lost and _has_history(record)]
    yield from _beginnings(ended)
    yield from _copies(ended)
    yield from _constants(ended)
    yield from _taken_for_another(ended)


def _has_history(record: Record) -> bool:
    return bool(record.history.evaluations)


def _place(record: Record) -> tuple[Hashable, ...]:
    """What an evaluation depends on beyond the generator: data, network, evaluation, versions, kind of machine."""
    spec, network = record.spec, record.spec.network
    shared = sorted(item for item in record.components.items() if item[0] != "losses" and not item[0].startswith(PART))
    shape = (network.name, network.width, network.channels, network.image_size, network.latent_size)
    machine = record.fingerprint or ""
    return spec.protocol_version, spec.workload, spec.data_hash, shape, spec.samples, spec.precision, *shared, machine


def _beginnings(records: Sequence[Record]) -> Iterator[Found]:
    """All methods of a seed begin alike, and two seeds do not."""
    for group in _grouped(records, _place).values():
        workload = group[0].spec.workload
        seeds_of: dict[Hashable, set[int]] = defaultdict(set)
        for seed, of_seed in _grouped(group, lambda record: record.spec.seed).items():
            counted = Counter(_beginning(record) for record in of_seed).most_common()
            usual = counted[0][0] if len(counted) == 1 or counted[0][1] > counted[1][1] else None
            others = "others" if usual is None else "most others"
            for record in of_seed:
                seeds_of[_beginning(record)].add(record.spec.seed)
                if _beginning(record) != usual:
                    yield record, f"has another evaluation at step 0 than {others} of seed {seed} on {workload}"
        for record in group:
            twins = seeds_of[_beginning(record)] - {record.spec.seed}
            # What is not finite has no digits that could differ.
            if twins and any(value is not None for _, value in _beginning(record)):
                yield record, f"has the evaluation at step 0 of another seed on {workload}, {min(twins)}"


def _beginning(record: Record) -> tuple[tuple[str, float | None], ...]:
    return tuple(sorted(record.history.evaluations[0].metrics.items()))


def _copies(records: Sequence[Record]) -> Iterator[Found]:
    """No two seeds have one history. Two methods may, if they are one loss in two spellings; then at every seed."""
    histories: dict[bytes, list[Record]] = defaultdict(list)
    for record in records:
        if any(value is not None for value in record.history.training.get("discriminator_loss", [])):
            trained = msgspec.structs.replace(record.history, evaluations=record.history.evaluations[1:])
            histories[msgspec.json.encode(trained, order="deterministic")].append(record)
    twins: dict[tuple[str, ...], set[tuple[str, int]]] = defaultdict(set)
    same: list[tuple[Record, Record]] = []
    for group in histories.values():
        group.sort(key=lambda record: (record.spec.workload, record.spec.seed, record.spec.method, file_of(record)))
        first = group[0]
        # Neighbors alone, since somebody may have copied one run ten thousand times.
        for one, other in pairwise(group):
            if (other.spec.workload, other.spec.seed) != (first.spec.workload, first.spec.seed):
                yield other, f"has the history of {file_of(first)}, which is of another seed or workload"
            elif one.spec.method != other.spec.method:
                same.append((one, other))
                twins[_pair(one, other)].add((one.spec.workload, one.spec.seed))
    cells: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for record in records:
        cells[record.spec.method].add((record.spec.workload, record.spec.seed))
    for one, other in same:
        both = cells[one.spec.method] & cells[other.spec.method]
        if twins[_pair(one, other)] != both:
            yield other, f"has the history of {file_of(one)}, and at other seeds the two methods differ"


def _pair(one: Record, other: Record) -> tuple[str, ...]:
    return tuple(sorted((one.spec.method, other.spec.method)))


def _constants(records: Sequence[Record]) -> Iterator[Found]:
    """What is measured of the real data is the same in every record of a workload."""
    for group in _grouped(records, _place).values():
        workload = group[0].spec.workload
        known: dict[str, list[float]] = defaultdict(list)
        for record in group:
            for name, value in _of_real_data(record).items():
                known[name].append(value)
        usual = {name: Counter(values).most_common(1)[0][0] for name, values in known.items()}
        for record in group:
            for name, value in _of_real_data(record).items():
                if not math.isclose(value, usual[name], rel_tol=CONSTANT_ROUNDING, abs_tol=CONSTANT_ROUNDING):
                    yield record, f"has {name} {value:.10g}, and the others on {workload} have {usual[name]:.10g}"


def _of_real_data(record: Record) -> dict[str, float]:
    """Return the metrics that no generator has a part in: those that no evaluation has, and no summary of them."""
    measured = {name for evaluation in record.history.evaluations for name in evaluation.metrics}
    summaries = {f"{name}{suffix}" for name in (*measured, "distance") for suffix in ("", "_init", "_best")}
    return {
        name: value
        for name, value in record.metrics.items()
        if value is not None and name not in JUDGED_METRICS | summaries and not name.startswith(AVERAGE)
    }


def _taken_for_another(records: Sequence[Record]) -> Iterator[Found]:
    """Find runs whose first steps are not those of their method at other seeds, and are those of another method."""

    def recipe(record: Record) -> tuple[Hashable, ...]:
        spec = record.spec
        rates = (spec.optimizer.name, spec.optimizer.lr_generator, spec.optimizer.lr_discriminator)
        return *_place(record), spec.network.d_norm, spec.batch_size, spec.critic_steps, rates, spec.optimizer.betas

    for group in _grouped(records, recipe).values():
        centers = {
            method: center
            for method, runs in _grouped(group, lambda record: record.spec.method).items()
            if len({run.spec.seed for run in runs}) >= LIKENESS_SEEDS and (center := _center(runs))
        }
        names = {record.spec.method: record.spec.method_name for record in group}
        for record in group:
            first, own = _first_block(record), centers.get(record.spec.method)
            if own is None or _distance(first, own) < FAR:
                continue
            near = [
                (_distance(first, center), str(method))
                for method, center in centers.items()
                if method != record.spec.method and _distance(first, center) <= NEAR
            ]
            if near:
                yield (
                    record,
                    f"does not begin as the other runs of {record.spec.method_name} do, but as those of "
                    f"{names[min(near)[1]]}",
                )


Center = Mapping[str, tuple[float, float]]


def _first_block(record: Record) -> dict[str, float]:
    metrics = {}
    for name in _TELLING:
        value = next(iter(record.history.training.get(name, [])), None)
        if value is not None:
            metrics[name] = value
    return metrics


def _center(runs: Sequence[Record]) -> Center:
    """Return the median of each monitor and the deviation that its median deviation stands for, of normal numbers."""
    values: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, value in _first_block(run).items():
            values[name].append(value)
    center = {}
    for name, seen in values.items():
        middle = median(seen)
        spread = 1.4826 * median(abs(value - middle) for value in seen)
        center[name] = middle, max(spread, _LEAST_DEVIATION * abs(middle), 1e-6)
    return center


def _distance(first: Mapping[str, float], center: Center) -> float:
    """Return the largest deviation of any monitor."""
    shared = [name for name in first if name in center]
    if not shared:
        return math.inf
    return max(abs(first[name] - center[name][0]) / center[name][1] for name in shared)


def _grouped(records: Iterable[Record], key: Callable[[Record], Hashable]) -> dict[Hashable, list[Record]]:
    groups: dict[Hashable, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return groups
