"""The gates of time: throughput of training, and timings of kernels. Never across machines.

A difference must be larger than a threshold and beyond chance by Mann and Whitney's test at p < .002, both, as `asv`
has it. The test alone would find the half per cent by which two processes always differ; the threshold alone would
follow every hiccup.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.statistics.exact import mann_whitney, mann_whitney_least
from bench.statistics.gates.cells import IDENTICAL, Pair
from bench.statistics.gates.verdicts import (
    FEWEST_SEEDS,
    SPEED_SIGNIFICANCE,
    Finding,
    Gate,
    Settings,
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


def throughput(each: Pair, settings: Settings) -> Finding:
    """Judge how fast one cell trains: a value a run, the median over its blocks, pooled over the seeds.

    Runs of machines that the other set has not seen are left out; where several are common, the one with most runs
    counts. `base` and `new` are images a second, and `effect` is the ratio of the seconds: above 1 is slower.
    """
    if each.refusal:
        return incomparable("throughput", each.refusal)
    base, new = _by_machine(each.base.runs.values()), _by_machine(each.new.runs.values())
    if not base or not new:
        missing = " and ".join(name for name, speeds in (("BASE", base), ("NEW", new)) if not speeds)
        return incomparable("throughput", f"{missing} has no throughput")
    common = Counter({name: min(len(base[name]), len(new[name])) for name in base.keys() & new.keys()})
    if not common:
        return incomparable("throughput", "measured on other machines or versions of torch")
    chosen = min(common, key=lambda name: (-common[name], name))
    before, after = np.array(base[chosen]), np.array(new[chosen])
    if each.identical and sorted(before) == sorted(after):
        finding = Finding(gate="throughput", verdict="equivalent", note=IDENTICAL, effect=1.0, able=True)
        return _with_centres(finding, before, after)
    return _with_centres(_slower("throughput", 1.0 / before, 1.0 / after, settings), before, after)


def timing(base: Timing | None, new: Timing | None, settings: Settings) -> Finding:
    """Judge one kernel benchmark by the medians of its rounds; `base` and `new` are seconds."""
    if base is None or new is None:
        return incomparable("timing", f"{'BASE' if base is None else 'NEW'} has no such benchmark")
    if base.fingerprint != new.fingerprint:
        return incomparable("timing", f"measured on other machines: {base.machine} against {new.machine}")
    return _slower("timing", np.array(base.seconds), np.array(new.seconds), settings)


def _with_centres(finding: Finding, before: Array, after: Array) -> Finding:
    return replace(
        finding,
        base=float(np.median(before)),
        new=float(np.median(after)),
        base_count=len(before),
        new_count=len(after),
    )


def _by_machine(records: Iterable[Record]) -> dict[str, list[float]]:
    speeds: dict[str, list[float]] = {}
    for record in records:
        speed = record.cost.get(SPEED)
        if record.environment is not None and speed is not None and np.isfinite(speed) and speed > 0:
            speeds.setdefault(record.environment.fingerprint, []).append(speed)
    return speeds


def _slower(gate: Gate, before: Array, after: Array, settings: Settings) -> Finding:
    """Hold seconds against seconds."""
    effect = float(np.median(after) / np.median(before))
    low, high = _median_ratio_interval(before, after, settings)
    worse = effect >= 1.0
    one, other = (before, after) if worse else (after, before)
    p = mann_whitney(one.tolist(), other.tolist())
    able = mann_whitney_least(len(before), len(after)) < SPEED_SIGNIFICANCE
    bound = 1.0 + settings.threshold
    finding = Finding(
        gate=gate, verdict="inconclusive", effect=effect, low=low, high=high, p=p, test="Mann-Whitney", able=able
    )
    finding = _with_centres(finding, before, after)
    if p < SPEED_SIGNIFICANCE and not 1.0 / bound <= effect <= bound:
        return replace(finding, verdict="worse" if worse else "better")
    if not able:
        return replace(finding, note="too few values to tell")
    if min(len(before), len(after)) >= FEWEST_SEEDS and 1.0 / bound < low and high < bound:
        return replace(finding, verdict="equivalent")
    return finding


def _median_ratio_interval(before: Array, after: Array, settings: Settings) -> tuple[float, float]:
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
