"""Two sets of results through all gates: one row per cell, one verdict per row, and whether the whole passes.

`Row.verdict` is the one place that says what became of a cell, and `Comparison.outcome` the one that says what a build
may stand on: a gate that has not looked does not pass.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, Literal

from bench.config.trial import PART, part_versions
from bench.config.workload import Workload
from bench.statistics.gates.cells import CellKey, Pair, pair
from bench.statistics.gates.failures import failures_of
from bench.statistics.gates.golden import trace
from bench.statistics.gates.quality import fresh_seeds_needed, quality
from bench.statistics.gates.revisions import Traced, remarks, revised, warnings
from bench.statistics.gates.speed import Timing, throughputs, timing
from bench.statistics.gates.verdicts import Flag, GateFinding, GateSettings, GateVerdict
from bench.store.golden import GoldenTraces
from bench.store.record import Environment, Record

Outcome = Literal["passed", "regression", "improvement", "flagged", "redefined", "incomplete", "nothing"]

CONTRADICTION: Final = "same trials, other results"

VERDICTS: Final[tuple[GateVerdict, ...]] = ("worse", "better", "equivalent", "inconclusive", "not comparable")


@dataclass(frozen=True)
class Row:
    """One cell, benchmark, path of a kernel record or golden trace, with what every gate says about it."""

    name: str
    """The method, the benchmark, or the method and its path."""
    key: CellKey | None
    findings: tuple[GateFinding, ...]
    notes: tuple[str, ...] = ()
    setting: str = ""
    """Where there is no cell: what a kernel record was measured in, in words."""
    redefined: str = ""
    """That the name stands for another expression in BASE, and for which."""
    lost: int = 0
    """Runs of NEW that were lost to timeouts and errors: nobody has looked at them."""
    reads: str = ""
    """What the workload is called with the folder that it reads, where there is a cell."""

    @property
    def workload(self) -> str:
        return self.key.workload if self.key else self.setting

    @property
    def decisive(self) -> GateFinding:
        """What the first gate says: of a cell its quality, of anything else the one gate there is."""
        return self.findings[0]

    @property
    def verdict(self) -> GateVerdict:
        """Worse where any gate says so, else better where any does, else what the gate that decides says.

        That times are equal says nothing of a cell whose quality nobody could compare.
        """
        said = [finding.verdict for finding in self.findings]
        for alarm in ("worse", "better"):
            if alarm in said:
                return alarm
        return self.decisive.verdict

    @property
    def unseen(self) -> str:
        """Why what BASE has here was not looked at in NEW; empty where it was, or where BASE has nothing."""
        if self.decisive.excused or self.verdict == "worse" or self.flagged:
            return ""
        if self.decisive.verdict == "not comparable":
            return self.decisive.note
        if self.lost:
            return f"{self.lost} of NEW's runs lost"
        if self.decisive.able or self.key is None:
            return ""  # a line of a thousand that was timed for a few blocks is told, and fails nothing
        return self.decisive.note or "too few results to tell"

    def blocks(self, *, allow_missing: bool) -> bool:
        """Whether the whole may not pass because of what was not looked at here.

        That NEW has none of it, or too few, a user may allow; that what it has cannot be compared, nobody may.
        """
        missing = self.decisive.missing or self.decisive.verdict != "not comparable"
        return bool(self.redefined or (self.unseen and not (missing and allow_missing)))

    @property
    def flagged(self) -> bool:
        return any(finding.flagged for finding in self.findings)


@dataclass(frozen=True)
class Change:
    """One thing that differs between the sets: a component's version, the commit, a version of torch, a machine."""

    what: str
    base: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class Rerun:
    """A flagged cell, and the last seed that stage 2 needs of it."""

    pair: Pair
    seeds: int
    flag: Flag


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is known about NEW in comparison with BASE."""

    rows: tuple[Row, ...]
    changes: tuple[Change, ...]
    reruns: tuple[Rerun, ...]
    settings: GateSettings
    warnings: tuple[str, ...] = ()
    """What the whole says beside its rows: where golden traces and the revisions of parts contradict each other."""
    unmeasured: tuple[str, ...] = ()
    """What BASE has of a kind that NEW has nothing of, so that there is no row to say it."""

    @property
    def counts(self) -> Mapping[GateVerdict, int]:
        counted = Counter(row.verdict for row in self.rows)
        return {verdict: counted[verdict] for verdict in VERDICTS}

    @property
    def unseen(self) -> Mapping[str, int]:
        """What of BASE was not looked at in NEW: why, and in how many rows, the most common reason first."""
        reasons = Counter(row.unseen for row in self.rows if row.unseen and not row.redefined)
        return dict(reasons.most_common()) | dict.fromkeys(self.unmeasured, 1)

    @property
    def judged(self) -> frozenset[CellKey]:
        """The cells whose quality was looked at, and none of which is flagged."""
        return frozenset(row.key for row in self.rows if row.key and row.decisive.able and not row.flagged)

    def outcome(self, *, allow_improvement: bool, allow_missing: bool = False) -> Outcome:
        """Return the outcome in one word: alarms first, and a pass only if all of BASE was compared.

        Args:
            allow_improvement: whether what is better passes.
            allow_missing: whether it passes that NEW lacks something of BASE, as long as anything was looked at.
        """
        findings = [finding for row in self.rows for finding in row.findings]
        if any(finding.verdict == "worse" for finding in findings):
            return "regression"
        if any(finding.flagged for finding in findings):
            return "flagged"
        if any(row.redefined for row in self.rows):
            return "redefined"
        if not any(finding.able for finding in findings):
            return "nothing"
        if any(row.blocks(allow_missing=allow_missing) for row in self.rows) or (self.unmeasured and not allow_missing):
            return "incomplete"
        if not any(row.decisive.able for row in self.rows):
            return "nothing"
        if any(finding.verdict == "better" for finding in findings) and not allow_improvement:
            return "improvement"
        return "passed"


def compare(
    base: Iterable[Record],
    new: Iterable[Record],
    workloads: Mapping[str, Workload],
    settings: GateSettings,
    flags: Mapping[CellKey, Flag] | None = None,
    passed: Set[CellKey] | None = None,
) -> Comparison:
    """Compare two sets of records.

    Args:
        base: what there was.
        new: what there is.
        workloads: of both sets, by the names in the records' specs.
        settings: the stage, the threshold of time, the seed of the bootstrap.
        flags: what stage 1 has flagged, for stage 2.
        passed: what stage 1 has judged and not flagged, for stage 2; None where nobody knows.

    Raises:
        ValueError: a record is damaged, or a flagged cell is in neither set.
    """
    pairs = pair(base, new)
    judged = quality(pairs, workloads, settings, flags, passed)
    gates = zip(judged, failures_of(pairs), throughputs(pairs, settings), strict=True)
    rows = tuple(
        Row(
            name=cell.method,
            key=cell.key,
            findings=findings,
            notes=_notes(cell),
            redefined=cell.redefined,
            lost=cell.new.lost,
            reads=cell.workload,
        )
        for cell, findings in zip(pairs, gates, strict=True)
    )
    return Comparison(rows=rows, changes=_changes(pairs), reruns=_reruns(pairs, judged, flags or {}), settings=settings)


def compare_timings(base: Sequence[Timing], new: Sequence[Timing], settings: GateSettings) -> Comparison:
    """Compare two sets of kernel benchmarks by their names."""
    before, after = ({benchmark.name: benchmark for benchmark in timings} for timings in (base, new))
    names = sorted({*before, *after})
    family = sum(before[name].fingerprint == after[name].fingerprint for name in before.keys() & after.keys())
    rows = tuple(Row(name, None, (timing(before.get(name), after.get(name), settings, family),)) for name in names)
    machines = [tuple(sorted({benchmark.machine for benchmark in timings})) for timings in (base, new)]
    changes = (Change("machine", *machines),) if machines[0] != machines[1] else ()
    return Comparison(rows=rows, changes=changes, reruns=(), settings=settings)


def compare_golden(base: GoldenTraces | None, new: GoldenTraces, settings: GateSettings) -> Comparison:
    """Compare two files of golden traces by the names of their methods; BASE may be missing altogether."""
    before = {recorded.method: recorded for recorded in base.traces} if base else {}
    after = {recorded.method: recorded for recorded in new.traces}
    judged = {name: trace(base, new, before.get(name), after.get(name)) for name in sorted({*before, *after})}
    traced = {
        name: Traced(before[name], after[name], finding.verdict == "worse", finding.effect or 0.0)
        for name, finding in judged.items()
        if finding.verdict != "not comparable"
    }
    revisions = {name: remarks(method.revised) + _respelled(method) for name, method in traced.items()}
    rows = tuple(Row(name, None, (finding,), revisions.get(name, ())) for name, finding in judged.items())
    changes: list[Change] = []
    if base is not None:
        names = sorted({*base.versions, *new.versions})
        told = [(name, base.versions.get(name), new.versions.get(name)) for name in names]
        told.append(("cpu", base.cpu, new.cpu))
        changes = [Change(what, (old,) if old else (), (now,) if now else ()) for what, old, now in told if old != now]
    said = warnings(base, new, list(traced.values())) if base is not None else ()
    return Comparison(rows=rows, changes=tuple(changes), reruns=(), settings=settings, warnings=said)


def _respelled(traced: Traced) -> tuple[str, ...]:
    """Say of a trace that did not change that its name stands for another expression; else the finding says it."""
    before, after = traced.before.expression, traced.after.expression
    return (
        (f"another expression by the same name: {before} → {after}",) if before != after and not traced.changed else ()
    )


def _notes(cell: Pair) -> tuple[str, ...]:
    said = [cell.redefined] if cell.redefined and cell.refusal != cell.redefined else []
    for name, side in (("BASE", cell.base), ("NEW", cell.new)):
        if side.lost:
            said.append(f"{name}: {side.lost} lost to a timeout or an error of the machinery")
        if side.superseded:
            said.append(f"{name}: {side.superseded} of other versions left out")
    if cell.base.any is not None and cell.new.any is not None:
        said += remarks(revised(part_versions(cell.base.any.components), part_versions(cell.new.any.components)))
    if cell.contradictions:
        said.append(f"{CONTRADICTION} at {len(cell.contradictions)} of {len(cell.base.runs)} seeds")
    return tuple(said)


def _reruns(pairs: Sequence[Pair], judged: Sequence[GateFinding], flags: Mapping[CellKey, Flag]) -> tuple[Rerun, ...]:
    """Plan the fresh seeds of what is flagged; in stage 2, of what has too few of them still."""
    suspected = [
        (cell, finding.flagged) for cell, finding in zip(pairs, judged, strict=True) if finding.flagged is not None
    ]
    family = len(flags) or len(suspected)
    planned = []
    for cell, direction in suspected:
        seen = flags[cell.key].seeds if cell.key in flags else tuple(cell.new.runs)
        needed, seeds = fresh_seeds_needed(len(cell.base.runs), family), 0
        while needed:
            needed -= seeds not in seen
            seeds += 1
        planned.append(Rerun(cell, seeds, Flag(direction, seen)))
    return tuple(planned)


def _changes(pairs: Sequence[Pair]) -> tuple[Change, ...]:
    """List what differs between the sets, over the cells that both have."""
    return differences(
        tuple([_traits(record) for record in side.runs.values()] for side in (cell.base, cell.new))
        for cell in pairs
        if cell.base.runs and cell.new.runs
    )


def _traits(record: Record) -> dict[str, str]:
    return {"protocol": record.protocol_version, **traits(record.components, record.commit, record.environment)}


def differences(shared: Iterable[Sequence[Iterable[Mapping[str, str]]]]) -> tuple[Change, ...]:
    """List what differs between two sets, from the traits of what is on both sides of each of their pairs."""
    seen: dict[str, tuple[set[str], set[str]]] = {}
    for pair_of_sides in shared:
        for index, side in enumerate(pair_of_sides):
            for described in side:
                for what, value in described.items():
                    seen.setdefault(what, (set(), set()))[index].add(value)
    return tuple(
        Change(what, tuple(sorted(base)), tuple(sorted(new)))
        for what, (base, new) in seen.items()
        # Records of before parts had revisions name none: which they had is not known.
        if base != new and not (what.startswith(PART) and not (base and new))
    )


def traits(components: Mapping[str, str], commit: str | None, environment: Environment | None) -> dict[str, str]:
    """Return what a result was made of and where, by name."""
    # Data and extractors differ from workload to workload in any set; where one changed, its cell says so.
    described = {name: value for name, value in components.items() if name not in ("data", "extractor")}
    described["commit"] = commit or "unknown"
    if environment is not None:
        described |= {name: version for name, version in environment.versions.items() if name != "gan-loss-bench"}
        described["machine"] = environment.device_name
        described["fingerprint"] = environment.fingerprint
    return described
