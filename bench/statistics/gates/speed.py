"""The gates of time: throughput of training, and timings of kernels. Never across machines.

The runs of one campaign are not independent: a machine that is busy or warm is so for an hour, and all of its runs with
it. What is judged is therefore the ratio to the reference method measured beside it, at the same seed or in the next
block, which leaves out what both share. The reference itself, and whatever has none beside it, is gated loosely.

A ratio is worse where a rank test says that it is larger than the threshold, not merely larger than 1, at a level that
is shared by all cells. Benchmarks of pytest have no reference; their rounds share the luck of a process, and only the
threshold stands against that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.config.protocol import REFERENCE_METHOD
from bench.statistics.exact import mann_whitney, mann_whitney_least
from bench.statistics.gates.cells import IDENTICAL, Pair
from bench.statistics.gates.verdicts import (
    FEWEST_SEEDS,
    LOOSE_THRESHOLD,
    TIME_SIGNIFICANCE,
    Gate,
    GateFinding,
    GateSettings,
    incomparable,
)
from bench.statistics.intervals import Array, percentile_interval
from bench.store.record import Record

SPEED: Final = "images_per_second"


@dataclass(frozen=True)
class Timing:
    """The rounds of one kernel benchmark."""

    name: str
    fingerprint: str
    """The same exactly where times may be compared."""
    machine: str
    """The machine in words."""
    seconds: tuple[float, ...]
    reference: tuple[float, ...] = ()
    """The blocks of the reference method timed beside them, one for each; empty where there are none."""
    loose: bool = False
    """Whether this is the reference method's own time, which has nothing to be held against."""


def throughputs(pairs: Sequence[Pair], settings: GateSettings) -> list[GateFinding]:
    """Judge how fast every cell trains, each beside the reference method of its workload and setting."""
    references = {replace(pair.key, method=""): pair for pair in pairs if _is_reference(pair)}
    beside = [references.get(replace(pair.key, method="")) for pair in pairs]
    family = sum(
        _common(pair, None if reference is pair else reference) is not None
        for pair, reference in zip(pairs, beside, strict=True)
    )
    return [
        throughput(pair, settings, None if reference is pair else reference, family)
        for pair, reference in zip(pairs, beside, strict=True)
    ]


def throughput(pair: Pair, settings: GateSettings, reference: Pair | None = None, family: int = 1) -> GateFinding:
    """Judge how fast one cell trains: one value per run, its median block over the reference's at the same seed.

    Runs of machines that the other set has not seen are left out; where several are common, the one with most runs
    counts. Times that NEW has from BASE say nothing of those that it measured itself, and are left out, too. `base` and
    `new` are images a second, and `effect` is the ratio of NEW's seconds, each over the reference's, to BASE's: above 1
    is slower.

    Args:
        pair: the cell.
        settings: the threshold among them.
        reference: the reference's cell; without one, or without a seed that both have on a machine, the cell is held
            to a loose threshold.
        family: how many cells have their times compared.
    """
    if pair.refusal:
        return incomparable("throughput", pair.refusal)
    base, new = _by_machine(pair.base.runs), _by_machine(_timed(pair))
    if not base or not new:
        missing = " and ".join(name for name, speeds in (("BASE", base), ("NEW", new)) if not speeds)
        return incomparable("throughput", f"{missing} has no throughput")
    chosen = _common(pair, reference)
    if chosen is None:
        return incomparable("throughput", "measured on other machines or versions of torch")
    before, after = (np.array(list(speeds[chosen].values())) for speeds in (base, new))
    if pair.identical and sorted(before) == sorted(after):
        finding = GateFinding(gate="throughput", verdict="equivalent", note=IDENTICAL, effect=1.0, able=True)
        return _with_centers(finding, before, after)
    ratios = _ratios(pair, reference, chosen)
    if ratios is None:
        loosely = _why_loosely(_is_reference(pair))
        finding = _slower("throughput", 1.0 / before, 1.0 / after, settings, family, loosely=loosely)
    else:
        finding = _slower("throughput", *ratios, settings, family)
        if finding.verdict in ("worse", "better"):
            # A reference that moved moves every ratio the other way: this tells which of the two it was.
            finding = replace(finding, note=f"its own time ×{np.median(before) / np.median(after):.2f}")
    return _with_centers(finding, before, after, counted=ratios)


def timing(base: Timing | None, new: Timing | None, settings: GateSettings, family: int = 1) -> GateFinding:
    """Judge one kernel benchmark of a `family` of so many by its rounds, or by its blocks over the reference's.

    `base` and `new` are seconds.
    """
    if base is None or new is None:
        why = f"{'BASE' if base is None else 'NEW'} has no such benchmark"
        return incomparable("timing", why, excused=base is None, missing=new is None)
    if base.fingerprint != new.fingerprint:
        why = f"measured on other machines: {base.machine} against {new.machine}"
        return incomparable("timing", why, excused=True)
    before, after = np.array(base.seconds), np.array(new.seconds)
    if base.loose or not (base.reference and new.reference):
        # A benchmark of pytest has no reference on either side, and only the threshold.
        loosely = _why_loosely(base.loose) if base.loose or base.reference or new.reference else ""
        return _with_centers(_slower("timing", before, after, settings, family, loosely=loosely), before, after)
    ratios = before / np.array(base.reference), after / np.array(new.reference)
    return _with_centers(_slower("timing", *ratios, settings, family), before, after)


def _is_reference(pair: Pair) -> bool:
    return REFERENCE_METHOD in (pair.key.method, pair.method)


def _why_loosely(is_reference: bool) -> str:  # noqa: FBT001 - the one question
    return "the reference itself" if is_reference else f"no {REFERENCE_METHOD} beside it"


def _with_centers(
    finding: GateFinding, before: Array, after: Array, *, counted: tuple[Array, Array] | None = None
) -> GateFinding:
    return replace(
        finding,
        base=float(np.median(before)),
        new=float(np.median(after)),
        base_count=len(before if counted is None else counted[0]),
        new_count=len(after if counted is None else counted[1]),
    )


def _timed(pair: Pair) -> Mapping[int, Record]:
    """Return the runs of NEW whose times are judged: those that are no copies from BASE, or all if there are no others.

    A folder that holds the records of BASE and further seeds would be compared with itself.
    """
    copied = _copied(pair)
    return {seed: record for seed, record in pair.new.runs.items() if seed not in copied} or pair.new.runs


def _copied(pair: Pair) -> set[int]:
    """Return the seeds at which NEW has the time of BASE: no two runs take equally long to the last bit."""

    def measured(record: Record) -> tuple[str, str | None, float | None]:
        return record.trial_id, record.fingerprint, record.cost.get(SPEED)

    base, new = pair.base.runs, pair.new.runs
    return {seed for seed in base.keys() & new.keys() if measured(base[seed]) == measured(new[seed])}


def _by_machine(runs: Mapping[int, Record]) -> dict[str, dict[int, float]]:
    """Return the images a second of every seed, by the fingerprint of the machine."""
    speeds: dict[str, dict[int, float]] = {}
    for seed, record in runs.items():
        speed = record.cost.get(SPEED)
        if record.environment is not None and speed is not None and np.isfinite(speed) and speed > 0:
            speeds.setdefault(record.environment.fingerprint, {})[seed] = speed
    return speeds


def _common(pair: Pair, reference: Pair | None) -> str | None:
    """Choose the machine on which both sets have most values, those beside the reference first."""
    if pair.refusal:
        return None
    base, new = _by_machine(pair.base.runs), _by_machine(_timed(pair))
    counts = {}
    for name in base.keys() & new.keys():
        ratios = _ratios(pair, reference, name)
        beside = min(map(len, ratios)) if ratios else 0
        counts[name] = (-beside, -min(len(base[name]), len(new[name])), name)
    return min(counts, key=lambda name: counts[name], default=None)


def _ratios(pair: Pair, reference: Pair | None, machine: str) -> tuple[Array, Array] | None:
    """Return the seconds over the reference's at the same seed on the same machine; None where a side has none.

    In NEW one of the two may be from BASE and the other not, as where a loss was changed and trained again in the same
    folder: they were not timed beside each other.
    """
    if reference is None or reference.refusal:
        return None
    apart = _copied(pair) ^ _copied(reference)
    ratios = []
    for runs, beside, left_out in (
        (pair.base.runs, reference.base.runs, frozenset[int]()),
        (_timed(pair), reference.new.runs, apart),
    ):
        own, other = (_by_machine(of_method).get(machine, {}) for of_method in (runs, beside))
        ratios.append(np.array([other[seed] / own[seed] for seed in own if seed in other and seed not in left_out]))
    return (ratios[0], ratios[1]) if min(map(len, ratios)) else None


def _slower(
    gate: Gate, before: Array, after: Array, settings: GateSettings, family: int, *, loosely: str = ""
) -> GateFinding:
    """Hold seconds against seconds, or ratios against ratios; `loosely` says why the threshold is the loose one."""
    level = TIME_SIGNIFICANCE / (2.0 * max(1, family))
    bound = 1.0 + (max(LOOSE_THRESHOLD, settings.threshold) if loosely else settings.threshold)
    effect = float(np.median(after) / np.median(before))
    low, high = _median_ratio_interval(before, after, settings)
    worse = effect >= 1.0
    one, other = (before, after) if worse else (after, before)
    p = mann_whitney(one.tolist(), (other / bound).tolist())
    able = mann_whitney_least(len(before), len(after)) < level
    finding = GateFinding(
        gate=gate,
        verdict="inconclusive",
        note=f"{loosely}, gated at {100 * (bound - 1):.0f} %" if loosely else "",
        effect=effect,
        low=low,
        high=high,
        p=p,
        adjusted_p=min(1.0, 2.0 * max(1, family) * p),
        test="Mann-Whitney",
        able=able,
    )
    finding = _with_centers(finding, before, after)
    if p < level:
        return replace(finding, verdict="worse" if worse else "better")
    if not able:
        return replace(finding, note="too few values to tell")
    tight = 1.0 + settings.threshold
    if min(len(before), len(after)) >= FEWEST_SEEDS and 1.0 / tight < low and high < tight:
        return replace(finding, verdict="equivalent")
    return finding


def _median_ratio_interval(before: Array, after: Array, settings: GateSettings) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the ratio of the medians.

    The median of n draws from n values is the value at the median of n uniform places, which has the distribution
    Beta((n + 1) / 2, (n + 1) / 2): one draw a resample instead of n, since a benchmark can have a million rounds.
    """
    rng = np.random.default_rng(settings.seed)
    medians = []
    for values in (before, after):
        half = (len(values) + 1) / 2
        places = (len(values) * rng.beta(half, half, size=settings.resamples)).astype(np.int64)
        medians.append(np.sort(values)[places])
    low, high = percentile_interval(medians[1] / medians[0])
    return float(low), float(high)
