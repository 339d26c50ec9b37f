"""The quality gate: did the last distances, or the scores of mode workloads, get worse or better?

A run's value is log F of its last evaluation, or 1 - y where the workload scores modes. A failed run ranks behind all
others; in the mean it counts as untrained (log F_init, or 1), as it does in the score. The effect is the ratio of the
geometric means of F, or the difference of the mean scores, with a bootstrap interval.

Equal seeds have the same initial weights and batches, so where both sets have the very same seeds they can be paired
(Wilcoxon's signed-rank test), which gains power if the two programs still train alike. Of few pairs, though, a
signed-rank test knows too little to pass a sharp level: it is taken where its smallest p, 2^-seeds, is a tenth of the
level or less, and Mann and Whitney's over all seeds elsewhere. Which of the two it is follows from counts alone.

Stages, for the cost of many cells (the reasons are in docs/guide.md):
    once    one test a cell, Holm over all cells of a direction.
    1       a screen: p < .05 and an effect beyond the bound flags the cell. Nothing is decided.
    2       the flagged cells alone, on seeds that the screen has not seen, Holm over the flagged.

BASE is the same in both stages, and so is its luck: a cell that was flagged by chance is confirmed more often than one
time in twenty; by simulation one in five with ten seeds in BASE, one in eight with twenty.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.config.workload import Workload
from bench.statistics.damage import refuse_damaged
from bench.statistics.exact import mann_whitney, mann_whitney_least, signed_rank, signed_rank_least
from bench.statistics.gates.cells import IDENTICAL, CellKey, Pair
from bench.statistics.gates.verdicts import (
    FEWEST_SEEDS,
    RATIO_BOUND,
    SCORE_BOUND,
    SIGNIFICANCE,
    Direction,
    Finding,
    Flag,
    Settings,
    Verdict,
    incomparable,
)
from bench.statistics.intervals import Array, percentile_interval
from bench.statistics.paired import holm
from bench.statistics.scales import unscored
from bench.statistics.scores import is_failure, score
from bench.store.record import Record

PAIRED_RESOLUTION: Final = 10
"""By what factor the smallest p of the paired test must lie below the level. By simulation of ten seeds and a fifth
worse, pairing then loses at most a tenth of the power where equal seeds share nothing, and gains up to a quarter."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("worse", "better")


@dataclass(frozen=True)
class Sample:
    """The values of one cell on one side, smaller is better, in the order of the seeds."""

    seeds: tuple[int, ...]
    ranked: tuple[float, ...]
    """For tests: a failed run is infinitely bad."""
    counted: Array
    """For means: a failed run is as bad as an untrained generator."""


@dataclass(frozen=True)
class _Tested:
    """The numbers of one cell before Holm's adjustment."""

    finding: Finding
    p: Mapping[Direction, float]


def quality(
    pairs: Sequence[Pair],
    workloads: Mapping[str, Workload],
    settings: Settings,
    flags: Mapping[CellKey, Flag] | None = None,
) -> list[Finding]:
    """Judge the quality of every cell, in the order of the pairs.

    Args:
        pairs: the cells.
        workloads: by the name in the records' specs.
        settings: the stage among them.
        flags: what stage 1 has flagged; stage 2 looks at these cells alone.

    Raises:
        ValueError: a record is damaged; or a flagged cell is in neither set.
    """
    flags = flags or {}
    for each in pairs:
        for side in (each.base, each.new):
            refuse_damaged(side.runs.values(), workloads)
    strangers = flags.keys() - {each.key for each in pairs}
    if strangers:
        key = min(strangers)
        raise ValueError(
            f"neither side has {key.method} on {key.workload} ({key.setting}), which is flagged: the file of flagged "
            "cells belongs to other results; run --stage 1 again"
        )
    tested: dict[int, _Tested] = {}
    findings: list[Finding] = []
    # The sharpest level that Holm may ask for decides how few seeds are too few, before any result is looked at.
    refusals = [_why_not(each, workloads) for each in pairs]
    family = {
        "once": sum(not refusal and not each.identical for each, refusal in zip(pairs, refusals, strict=True)),
        "1": 1,
        "2": len(flags),
    }[settings.stage]
    for place, (each, refusal) in enumerate(zip(pairs, refusals, strict=True)):
        flag = flags.get(each.key) if settings.stage == "2" else None
        level = SIGNIFICANCE if settings.stage == "2" and flag is None else SIGNIFICANCE / max(1, family)
        if refusal:
            finding = incomparable("quality", refusal)
            # A suspect that has gone has not been cleared.
            findings.append(finding if flag is None else replace(finding, flagged=flag.direction))
        elif each.identical and flag is None:
            findings.append(_identical(each, workloads))
        else:
            tested[place] = _test(each, workloads, settings, level, flag)
            findings.append(tested[place].finding)
    decided = _decide(tested, pairs, flags, settings)
    return [decided.get(place, finding) for place, finding in enumerate(findings)]


def fresh_seeds_needed(base_count: int, flagged: int) -> int:
    """Return how many fresh seeds let stage 2 decide: at least five, and enough for p < .05 / `flagged`."""
    needed = FEWEST_SEEDS
    while mann_whitney_least(base_count, needed) >= SIGNIFICANCE / max(1, flagged) and needed < 1000:
        needed += 1
    return needed


def sample(records: Mapping[int, Record], workload: Workload, untrained: float | None) -> Sample:
    """Return the values of a cell's runs; `untrained` is log F of the untrained generator, for failed runs."""
    ranked, counted = [], []
    for record in records.values():
        if workload.scored_by == "modes":
            value = 1.0 - score(record, workload)
            worst = 1.0
        else:
            worst = math.inf if untrained is None else untrained
            value = worst if is_failure(record) else _log_distance(record)
        failed = is_failure(record)
        ranked.append(math.inf if failed else value)
        counted.append(worst if failed else value)
    return Sample(tuple(records), tuple(ranked), np.array(counted))


def mean_difference_interval(
    base: Array, new: Array, *, paired: bool, resamples: int, seed: int
) -> tuple[float, float, float]:
    """Return mean(new) - mean(base) and its 95 % bootstrap interval, seeds resampled jointly where they are `paired`.

    Resampled deviations are multiplied by sqrt(n / (n - 1)): the spread of n values about their own mean is too small
    by that factor, which matters for five seeds (Hesterberg, The American Statistician 69 (2015), section 3.2).
    """
    rng = np.random.default_rng(seed)
    difference = float(new.mean() - base.mean())
    if paired:
        moved = _resampled_deviation(new - base, resamples, rng)
    else:
        moved = _resampled_deviation(new, resamples, rng) - _resampled_deviation(base, resamples, rng)
    low, high = percentile_interval(difference + moved)
    return difference, float(low), float(high)


def _resampled_deviation(values: Array, resamples: int, rng: np.random.Generator) -> Array:
    count = len(values)
    if count < 2:
        return np.zeros(resamples)
    residuals = (values - values.mean()) * math.sqrt(count / (count - 1))
    return np.asarray(residuals[rng.integers(count, size=(resamples, count))].mean(axis=1), dtype=np.float64)


def _why_not(each: Pair, workloads: Mapping[str, Workload]) -> str:
    """Say why the quality of a cell cannot be judged; nothing where it can."""
    if each.refusal:
        return each.refusal
    if each.measured_otherwise:
        return f"measured by other versions: {each.measured_otherwise}"
    runs = [*each.base.runs.values(), *each.new.runs.values()]
    workload = workloads[runs[0].spec.workload]
    # A distance is compared as it is; the score of modes needs real data to be held against.
    lacking = unscored(runs, workload) if workload.scored_by == "modes" else None
    return f"no scale: {lacking.lacking.reason}" if lacking else ""


def _test(
    each: Pair, workloads: Mapping[str, Workload], settings: Settings, level: float, flag: Flag | None
) -> _Tested:
    one = next(iter(each.base.runs.values()))
    workload = workloads[one.spec.workload]
    untrained = _untrained([*each.base.runs.values(), *each.new.runs.values()])
    fresh = {seed: record for seed, record in each.new.runs.items() if flag is None or seed not in flag.seeds}
    base, new = sample(each.base.runs, workload, untrained), sample(fresh, workload, untrained)
    if not new.seeds:
        note = "flagged, and no fresh seed has been run"
        empty = Finding(gate="quality", verdict="inconclusive", note=note, base_count=len(base.seeds))
        return _Tested(empty, {"worse": 1.0, "better": 1.0})
    paired = base.seeds == new.seeds and PAIRED_RESOLUTION * signed_rank_least(len(new.seeds)) <= level
    if paired:
        moved = [b - a if a != b else 0.0 for a, b in zip(base.ranked, new.ranked, strict=True)]
        p: dict[Direction, float] = {"worse": signed_rank(moved), "better": signed_rank([-value for value in moved])}
        least, test = signed_rank_least(len(moved)), "signed-rank, paired by seed"
    else:
        p = {"worse": mann_whitney(base.ranked, new.ranked), "better": mann_whitney(new.ranked, base.ranked)}
        least, test = mann_whitney_least(len(base.seeds), len(new.seeds)), "Mann-Whitney"
    finding = Finding(
        gate="quality",
        verdict="inconclusive",
        base_count=len(base.seeds),
        new_count=len(new.seeds),
        scale="difference" if workload.scored_by == "modes" else "ratio",
        test=test,
        able=least < level,
    )
    return _Tested(_with_effect(finding, base, new, paired=paired, settings=settings), p)


def _with_effect(finding: Finding, base: Sample, new: Sample, *, paired: bool, settings: Settings) -> Finding:
    if not (np.isfinite(base.counted).all() and np.isfinite(new.counted).all()):
        return replace(finding, note="no run knows the untrained generator's distance: no effect can be named")
    difference, low, high = mean_difference_interval(
        base.counted, new.counted, paired=paired, resamples=settings.resamples, seed=settings.seed
    )
    ratio = finding.scale == "ratio"
    means = [float(np.exp(each.counted.mean()) if ratio else 1.0 - each.counted.mean()) for each in (base, new)]
    effect, low, high = (math.exp(value) if ratio else value for value in (difference, low, high))
    return replace(finding, base=means[0], new=means[1], effect=effect, low=low, high=high)


def _identical(each: Pair, workloads: Mapping[str, Workload]) -> Finding:
    records = list(each.base.runs.values())
    workload = workloads[records[0].spec.workload]
    values = sample(each.base.runs, workload, _untrained(records)).counted
    modes = workload.scored_by == "modes"
    centre = float(1.0 - values.mean()) if modes else math.exp(float(values.mean()))
    count = len(records)
    return Finding(
        gate="quality",
        verdict="equivalent",
        note=IDENTICAL,
        base=centre,
        new=centre,
        base_count=count,
        new_count=count,
        scale="difference" if modes else "ratio",
        effect=0.0 if modes else 1.0,
        able=True,
    )


def _decide(
    tested: Mapping[int, _Tested],
    pairs: Sequence[Pair],
    flags: Mapping[CellKey, Flag],
    settings: Settings,
) -> dict[int, Finding]:
    if settings.stage == "2":
        family = [place for place in tested if pairs[place].key in flags]
        adjusted = _adjusted([tested[place].p[flags[pairs[place].key].direction] for place in family], len(flags))
        confirmed = {
            place: _confirmed(tested[place], flags[pairs[place].key].direction, p)
            for place, p in zip(family, adjusted, strict=True)
        }
        return {place: confirmed.get(place) or _unflagged(each) for place, each in tested.items()}
    holms = {
        direction: dict(zip(tested, _adjusted([each.p[direction] for each in tested.values()]), strict=True))
        for direction in DIRECTIONS
    }
    decided = {}
    for place, each in tested.items():
        direction = _direction(each)
        finding = replace(each.finding, p=each.p[direction])
        if settings.stage == "1":
            decided[place] = _screened(finding, direction)
        else:
            p = holms[direction][place]
            decided[place] = _judged(replace(finding, adjusted_p=p), direction, p < SIGNIFICANCE)
    return decided


def _adjusted(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Adjust by Holm; cells of the family without a value count as p = 1."""
    padded = [*p_values, *[1.0] * max(0, (family or 0) - len(p_values))]
    return [float(p) for p in holm(padded)][: len(p_values)] if padded else []


def _direction(each: _Tested) -> Direction:
    """The direction in which the effect points; where there is none, the one with the smaller p."""
    effect = each.finding.effect
    if effect is None:
        return min(DIRECTIONS, key=lambda direction: each.p[direction])
    return "worse" if effect >= (1.0 if each.finding.scale == "ratio" else 0.0) else "better"


def _confirmed(each: _Tested, direction: Direction, adjusted: float) -> Finding:
    finding = replace(each.finding, p=each.p[direction], adjusted_p=adjusted)
    if finding.able:
        return _judged(finding, direction, adjusted < SIGNIFICANCE)
    few = f"flagged, and {finding.new_count} fresh seeds are too few to tell"
    return replace(finding, flagged=direction, note=finding.note or few)


def _unflagged(each: _Tested) -> Finding:
    """What stage 1 has let pass, it has let pass."""
    finding = replace(each.finding, p=each.p[_direction(each)])
    finding = _judged(finding, "worse", significant=False)
    return replace(finding, note=finding.note or "passed the screen")


def _screened(finding: Finding, direction: Direction) -> Finding:
    if finding.p is not None and finding.p < SIGNIFICANCE and _beyond(finding, direction):
        return replace(finding, flagged=direction, note=f"flagged as {direction}: fresh seeds must tell")
    return _judged(finding, direction, significant=False)


def _judged(finding: Finding, direction: Direction, significant: bool) -> Finding:  # noqa: FBT001 - the one question
    if significant and _beyond(finding, direction):
        return replace(finding, verdict=direction)
    verdict = _without_alarm(finding)
    few = "" if finding.able or verdict == "equivalent" else "too few seeds to tell"
    return replace(finding, verdict=verdict, able=finding.able or verdict == "equivalent", note=finding.note or few)


def _beyond(finding: Finding, direction: Direction) -> bool:
    """Whether the effect is larger than what counts as equal; a failure without any known effect is."""
    if finding.effect is None:
        return True
    if finding.scale == "difference":
        return finding.effect > SCORE_BOUND if direction == "worse" else finding.effect < -SCORE_BOUND
    return finding.effect > RATIO_BOUND if direction == "worse" else finding.effect < 1.0 / RATIO_BOUND


def _without_alarm(finding: Finding) -> Verdict:
    if finding.low is None or finding.high is None or min(finding.base_count, finding.new_count) < FEWEST_SEEDS:
        return "inconclusive"
    bounds = (-SCORE_BOUND, SCORE_BOUND) if finding.scale == "difference" else (1.0 / RATIO_BOUND, RATIO_BOUND)
    return "equivalent" if bounds[0] < finding.low and finding.high < bounds[1] else "inconclusive"


def _log_distance(record: Record) -> float:
    distance = record.metrics["distance"]
    assert distance is not None, "damaged records are refused"
    return math.log(distance)


def _untrained(records: Sequence[Record]) -> float | None:
    """Log of the untrained generator's median distance, or `None` where no run has measured it."""
    known = [record.metrics.get("distance_init") for record in records]
    logs = [math.log(value) for value in known if value is not None and math.isfinite(value) and value > 0]
    return float(np.median(logs)) if logs else None
