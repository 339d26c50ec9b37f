"""Which records of two sets may be compared, cell by cell.

A cell is everything of a trial's spec but the seed. Within one set a cell is held to one setting, that of the newest
result, as on the leaderboard. A folder's images are a workload of their own (`bench.statistics.current`): cells of two
sets are paired by them first, and what is left of one kind of workload is paired as other data.

Two cells are comparable when protocol version, data, network and optimizer agree. Versions of the engine, the losses
and the user's own losses may differ, since they are what is compared; versions of what measures (metrics, extractor,
data) may not, as far as distances are concerned.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.config.trial import Spec, canonical_json
from bench.config.workload import workload_kind
from bench.statistics.current import data_name, data_of, names_of_data, weight
from bench.store.journal import latest_attempts
from bench.store.record import Record
from bench.store.times import age

MEASURING_COMPONENTS: Final = ("metrics", "extractor", "data")
"""Components that make distances: numbers of different versions are different quantities."""


SETTING: Final = ("track", "d_norm", "precision", "steps", "evaluate_every", "samples", "batch_size", "allow_invalid")
"""Everything of a cell but its method, workload and data."""

IDENTICAL: Final = "identical: the same trials with the same results"


@dataclass(frozen=True, order=True)
class CellKey:
    """What cells of two sets are paired by."""

    workload: str
    """Without the folder it reads."""
    track: str
    d_norm: str
    precision: str
    steps: int
    evaluate_every: int
    samples: int
    batch_size: int
    method: str
    allow_invalid: bool
    data: str = ""
    """The hash of the images if the workload reads a folder: others of that kind are other workloads."""

    @property
    def setting(self) -> str:
        """Everything but method, workload and data, in words."""
        return (
            f"{self.track} track, d_norm {self.d_norm}, {self.precision}, {self.steps:,} steps of {self.batch_size}, "
            f"evaluated every {self.evaluate_every:,} on {self.samples:,} samples"
        )


@dataclass(frozen=True)
class Side:
    """One cell of one set: one result per seed, all of one setting."""

    runs: Mapping[int, Record]
    superseded: int
    """Records of other data or component versions than the newest result, left out."""
    lost: int
    """Runs that ended in a timeout or an error of the machinery: they say nothing about the loss."""

    lost_names: frozenset[str] = frozenset()
    """What the method was called in those runs."""

    workload: str = ""
    """What the workload is called, with the folder that it reads."""

    @property
    def any(self) -> Record | None:
        return next(iter(self.runs.values()), None)

    @property
    def names(self) -> frozenset[str]:
        """What its records call the method."""
        return self.lost_names.union(record.spec.method_name for record in self.runs.values())


@dataclass(frozen=True)
class Pair:
    """A cell of both sets, and why it is not comparable, if it is not."""

    key: CellKey
    base: Side
    new: Side
    refusal: str = ""
    """Why nothing of the two may be compared."""
    measured_otherwise: str = ""
    """Why distances, scores and failures may not be compared, though time may."""
    redefined: str = ""
    """That the method's name stands for another expression in BASE, and which; empty where it does not."""

    @property
    def method(self) -> str:
        """The shortest name of the method."""
        names = [record.spec.method_name for side in (self.base, self.new) for record in side.runs.values()]
        return min(names, key=lambda name: (len(name), name), default=self.key.method)

    @property
    def workload(self) -> str:
        """What the workload is called, with the folder that it reads: in NEW where it is there."""
        return self.new.workload or self.base.workload

    @property
    def identical(self) -> bool:
        """Whether the two sets have equal seeds and equal results: there is nothing to test."""
        return bool(self.base.runs) and self.base.runs.keys() == self.new.runs.keys() and self._repeating

    @property
    def _repeating(self) -> bool:
        """Whether NEW repeats BASE, trial for trial and result for result, wherever both have a seed."""
        common = self.base.runs.keys() & self.new.runs.keys()
        return bool(common) and all(_same(self.base.runs[seed], self.new.runs[seed]) for seed in common)

    @property
    def tested(self) -> Mapping[int, Record]:
        """The runs of NEW that tests look at: what only repeats BASE says nothing of the seeds that are further."""
        if self._repeating:
            return {seed: record for seed, record in self.new.runs.items() if seed not in self.base.runs}
        return self.new.runs

    @property
    def contradictions(self) -> tuple[int, ...]:
        """Seeds at which the same trial had other results on an equal machine."""
        return tuple(
            seed
            for seed, base in self.base.runs.items()
            if seed in self.new.runs
            and base.trial_id == self.new.runs[seed].trial_id
            and base.fingerprint is not None
            and base.fingerprint == self.new.runs[seed].fingerprint
            and not _same(base, self.new.runs[seed])
        )


def sides(records: Iterable[Record]) -> dict[CellKey, Side]:
    """Divide the last attempts of a set into cells, each held to the setting of its newest result."""
    kept = latest_attempts(records)
    names = names_of_data(kept)
    grouped: dict[tuple[CellKey, str], list[Record]] = defaultdict(list)
    for record in kept:
        grouped[cell_key(record.spec), data_name(record.spec, names)].append(record)
    divided: dict[CellKey, Side] = {}
    for (key, name), of_cell in grouped.items():
        by_weight = sorted(of_cell, key=weight)
        divided[replace(key, data=data_of(by_weight[-1].spec)[1])] = _side(by_weight, name)
    return dict(sorted(divided.items()))


def data_of_kinds(keys: Iterable[CellKey]) -> Counter[str]:
    """Return how many data each kind of workload has: where there are several, its name does not tell them apart."""
    return Counter(kind for kind, _ in {(key.workload, key.data) for key in keys})


def aligned(base: Mapping[CellKey, Side], new: Mapping[CellKey, Side]) -> dict[CellKey, Side]:
    """Return the cells of NEW under the keys of BASE where they differ in their data alone: of each kind, what is left.

    What lay in the same folder is paired first. A cell that is left over on one side alone keeps its key.
    """
    left: dict[CellKey, list[CellKey]] = defaultdict(list)
    for key in base.keys() - new.keys():
        left[replace(key, data="")].append(key)
    named: dict[CellKey, CellKey] = {}
    unpaired = sorted(new.keys() - base.keys())
    for same_folder in (True, False):
        for key in (key for key in unpaired if key not in named):
            others = [
                other
                for other in sorted(left[replace(key, data="")])
                if not same_folder or base[other].workload == new[key].workload
            ]
            if others:
                named[key] = others[0]
                left[replace(key, data="")].remove(others[0])
    return {named.get(key, key): side for key, side in new.items()}


def pair(base: Iterable[Record], new: Iterable[Record]) -> list[Pair]:
    """Pair the cells of two sets, in the order of their keys; a cell that one lacks is paired with an empty one.

    A method whose name stands for another expression in the other set, as where a default has changed, is one line and
    is not compared: neither expression is gone, and they are not the same method.
    """
    empty = Side(runs={}, superseded=0, lost=0)
    left = sides(base)
    right = aligned(left, sides(new))
    renamed = _redefinitions(left, right)
    joined = {key for key in renamed.values() if key not in right}
    pairs = []
    for key in sorted({*left, *right} - joined):
        one, other, was = left.get(key, empty), right.get(key, empty), renamed.get(key)
        redefined = f"another expression by the same name: {was.method} → {key.method}" if was else ""
        if was in joined and was is not None:
            pairs.append(Pair(key, left[was], other, refusal=redefined, redefined=redefined))
        else:
            pairs.append(Pair(key, one, other, _refusal(one, other), measured_otherwise(one, other), redefined))
    return pairs


def _redefinitions(base: Mapping[CellKey, Side], new: Mapping[CellKey, Side]) -> dict[CellKey, CellKey]:
    """Return the cells of NEW that BASE has not, by whose names BASE calls another expression, with BASE's cells.

    Of several names the first by the alphabet counts, and of several cells of BASE by one name the last: not the order
    of files, and not that of a set.
    """
    known = {(replace(key, method=""), name): key for key in sorted(base) for name in base[key].names}
    redefined = {}
    for key, side in new.items():
        named = [
            known[named_cell] for name in sorted(side.names) if (named_cell := (replace(key, method=""), name)) in known
        ]
        if key not in base and named:
            redefined[key] = named[0]
    return redefined


def cell_key(spec: Spec) -> CellKey:
    return CellKey(
        workload=workload_kind(spec.workload),
        track=spec.track,
        d_norm=spec.network.d_norm,
        precision=spec.precision,
        steps=spec.steps,
        evaluate_every=spec.evaluate_every,
        samples=spec.samples,
        batch_size=spec.batch_size,
        method=spec.method,
        allow_invalid=spec.allow_invalid,
    )


def _side(by_weight: Sequence[Record], workload: str) -> Side:
    """Hold a cell to the setting of its newest result; runs of another that were lost since then are lost, too."""
    decisive = by_weight[-1]
    setting, decided = _setting(decisive), age(decisive)
    runs = {record.spec.seed: record for record in by_weight if not record.is_lost and _setting(record) == setting}
    lost = [record for record in by_weight if record.is_lost and (_setting(record) == setting or age(record) > decided)]
    return Side(
        runs=dict(sorted(runs.items())),
        superseded=len(by_weight) - len(runs) - len(lost),
        lost=len(lost),
        lost_names=frozenset(record.spec.method_name for record in lost),
        workload=workload,
    )


def _setting(record: Record) -> tuple[object, ...]:
    spec = record.spec
    fixed = (spec.protocol_version, spec.data_hash, spec.optimizer, spec.critic_steps)
    return (*fixed, canonical_json(spec.network), tuple(sorted(record.components.items())))


def _refusal(base: Side, new: Side) -> str:
    one, other = base.any, new.any
    if one is None or other is None:
        words = [f"{name} has no result" for name, record in (("BASE", one), ("NEW", other)) if record is None]
        return " and ".join(words)
    before, after = one.spec, other.spec
    if _release(before) != _release(after):
        return f"protocol {before.protocol_version} against {after.protocol_version}"
    if before.data_hash != after.data_hash:
        return "other data"
    if before.network != after.network:
        return "another network"
    if (before.optimizer, before.critic_steps) != (after.optimizer, after.critic_steps):
        return "another recipe (optimizer or critic steps)"
    return ""


def _release(spec: Spec) -> list[str]:
    """The two parts of a protocol version that change results."""
    return spec.protocol_version.split(".")[:2]


def measured_otherwise(base: Side, new: Side) -> str:
    """Return the components that make the distances of two cells other quantities; empty where none does."""
    one, other = base.any, new.any
    if one is None or other is None:
        return ""
    differing = [
        f"{name} {one.components.get(name, 'none')} against {other.components.get(name, 'none')}"
        for name in MEASURING_COMPONENTS
        if one.components.get(name) != other.components.get(name)
    ]
    return ", ".join(differing)


def _same(base: Record, new: Record) -> bool:
    """Whether two runs are one trial with one result; what a baseline does not keep is not looked at."""
    shared = base.metrics.keys() & new.metrics.keys()
    return (
        base.trial_id == new.trial_id
        and base.status == new.status
        and all(base.metrics[name] == new.metrics[name] for name in shared)
    )
