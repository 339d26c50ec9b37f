"""Kernel records of two results folders: one row per method, path and setting, judged on the blocks as benchmarks are.

Times meet on one fingerprint alone. Versions of components may differ, since a change of them is what one compares.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.config.protocol import REFERENCE_METHOD
from bench.statistics.gates.comparison import Change, Comparison, Row, differences, traits
from bench.statistics.gates.speed import Timing, timing
from bench.statistics.gates.verdicts import GateSettings
from bench.store.kernels import KernelRecord, KernelSetting


@dataclass(frozen=True)
class _Key:
    """By what the measurements of two sets find each other, apart from their paths."""

    method: str
    setting: KernelSetting
    device: str
    """cpu or cuda; which one is the fingerprint's matter."""


@dataclass(frozen=True)
class _Pair:
    key: _Key
    base: KernelRecord | None
    new: KernelRecord | None

    @property
    def paths(self) -> list[str]:
        """The paths of either side, in the order in which they are timed."""
        return list(dict.fromkeys(timed.path for record in (self.base, self.new) if record for timed in record.timings))

    @property
    def together(self) -> int:
        """How many paths both sides have on one machine."""
        if self.base is None or self.new is None or self.base.machine.fingerprint != self.new.machine.fingerprint:
            return 0
        return len({timed.path for timed in self.base.timings} & {timed.path for timed in self.new.timings})


def with_kernels(
    comparison: Comparison, base: Sequence[KernelRecord], new: Sequence[KernelRecord], settings: GateSettings
) -> Comparison:
    """Return the comparison with a row more for every path of every method and setting that either set has timed.

    `effect` is the ratio of the medians of the blocks, each over the reference's block beside it: above 1 is slower.
    """
    pairs = list(_pair(base, new))
    names = _names(pairs)
    family = sum(pair.together for pair in pairs)
    rows = tuple(_row(pair, path, names[pair.key], settings, family) for pair in pairs for path in pair.paths)
    return replace(comparison, rows=comparison.rows + rows, changes=_together(comparison.changes, _changes(pairs)))


def _pair(base: Iterable[KernelRecord], new: Iterable[KernelRecord]) -> Iterator[_Pair]:
    """Pair the last measurements on a common machine; where there is none, the last ones, which are then refused."""
    before, after = _by_key(base), _by_key(new)
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key, {}), after.get(key, {})
        common = {name: record for name, record in other.items() if name in one}
        last = _last(common or other)
        yield _Pair(key, one[last.machine.fingerprint] if common and last else _last(one), last)


def _by_key(records: Iterable[KernelRecord]) -> dict[_Key, dict[str, KernelRecord]]:
    """Gather the last measurement of every key on every machine."""
    by_key: defaultdict[_Key, dict[str, KernelRecord]] = defaultdict(dict)
    for record in sorted(records, key=lambda record: (record.measured_at, record.id)):
        device = record.machine.environment.device.partition(":")[0]
        by_key[_Key(record.method, record.setting, device)][record.machine.fingerprint] = record
    return by_key


def _last(records: dict[str, KernelRecord]) -> KernelRecord | None:
    return max(records.values(), key=lambda record: (record.measured_at, record.id), default=None)


def _names(pairs: Iterable[_Pair]) -> dict[_Key, str]:
    """Name methods by their labels, and by their expressions where two have the same label."""
    labels: defaultdict[str, set[str]] = defaultdict(set)
    chosen = {pair.key: record.label for pair in pairs if (record := pair.new or pair.base)}
    for key, label in chosen.items():
        labels[label].add(key.method)
    return {key: label if len(labels[label]) == 1 else key.method for key, label in chosen.items()}


def _row(pair: _Pair, path: str, name: str, settings: GateSettings, family: int) -> Row:
    finding = timing(_timing(pair.base, path, name), _timing(pair.new, path, name), settings, family)
    said = _beside(pair, path, settings) if finding.verdict != "not comparable" else ()
    return Row(f"{name} {path}", None, (finding,), said, f"{pair.key.setting.description}, {pair.key.device}")


def _timing(record: KernelRecord | None, path: str, name: str) -> Timing | None:
    timed = record.timing(path) if record else None
    if record is None or timed is None:
        return None
    # Blocks A B B A: each has the reference's beside it.
    blocks, reference = tuple(timed.blocks), tuple(timed.reference_blocks)
    return Timing(
        name,
        record.machine.fingerprint,
        _machine(record),
        blocks,
        reference if len(reference) == len(blocks) else (),
        loose=record.method == REFERENCE_METHOD and timed.reference == path,
    )


def _machine(record: KernelRecord) -> str:
    return f"{record.machine.environment.device_name} [{record.machine.fingerprint}]"


def _beside(pair: _Pair, path: str, settings: GateSettings) -> tuple[str, ...]:
    """Say where the reference, timed in the same minutes, has moved beyond the threshold.

    The machine was busy, or what changed is shared by all methods. The method's ratio to it does not show that.
    """
    if pair.key.method == REFERENCE_METHOD:
        return ()
    medians = [
        float(np.median(timed.reference_blocks))
        for record in (pair.base, pair.new)
        if record is not None and (timed := record.timing(path)) is not None
    ]
    moved = medians[1] / medians[0]
    bound = 1.0 + settings.threshold
    if not 1.0 / bound <= moved <= bound:
        return (f"{REFERENCE_METHOD}, timed beside it, ×{moved:.2f}",)
    return ()


def _changes(pairs: Iterable[_Pair]) -> tuple[Change, ...]:
    """List what differs between the sets, over the measurements that both have."""
    return differences(
        ([_traits(pair.base)], [_traits(pair.new)]) for pair in pairs if pair.base is not None and pair.new is not None
    )


def _traits(record: KernelRecord) -> dict[str, str]:
    # The fingerprint of the machine is the measurement's own: on CUDA it covers the driver too.
    described = traits(record.components, record.commit, record.machine.environment)
    return described | {"fingerprint": record.machine.fingerprint}


def _together(one: Iterable[Change], other: Iterable[Change]) -> tuple[Change, ...]:
    """Join what trials and measurements say of the same thing."""
    changes: dict[str, Change] = {}
    for change in (*one, *other):
        known = changes.get(change.what, Change(change.what, (), ()))
        changes[change.what] = Change(
            change.what, tuple(sorted({*known.base, *change.base})), tuple(sorted({*known.new, *change.new}))
        )
    return tuple(changes.values())
