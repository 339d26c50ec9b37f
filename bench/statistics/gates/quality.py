"""The quality gate: did the last distances, or the scores of mode workloads, get worse or better?

The effect is a shift (`bench.statistics.location_shifts`): the ratio of the distances, or the difference of the scores,
with Hodges and Lehmann's estimate and its exact interval. "Worse" is held against the tolerance: a rank test must say
that the shift is larger than what counts as equal, not merely that there is one.

Equal seeds have the same initial weights and batches, so where both sets have the very same seeds they can be paired
(Wilcoxon's signed-rank test), which gains power if the two programs still train alike. Of few pairs, though, a
signed-rank test knows too little to pass a sharp level: it is taken where its smallest p, 2^-seeds, is a tenth of the
level or less, and Mann and Whitney's over all seeds elsewhere. Which of the two it is follows from counts alone.

Stages, for the cost of many cells (the reasons are in docs/explanation/comparisons.md):
    once    one test a cell and direction, Holm over all of them.
    1       a screen: p < .05 for any shift, and an estimate beyond the tolerance, flags the cell. Nothing is decided.
    2       the flagged cells alone, on seeds that the screen has not seen, Holm over the flagged.

BASE is the same in both stages, and so is its luck; tests/bench/statistics/gates/test_gate_claims.py measures it.
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.config.workload import Workload
from bench.statistics.damage import refuse_damaged
from bench.statistics.exact import mann_whitney, mann_whitney_least, signed_rank, signed_rank_least
from bench.statistics.gates.cells import IDENTICAL, CellKey, Pair
from bench.statistics.gates.samples import Sample, center, detectable, sample, tolerance, untrained_distance
from bench.statistics.gates.verdicts import (
    FEWEST_SEEDS,
    QUALITY_SIGNIFICANCE,
    RATIO_BOUND,
    SCORE_BOUND,
    SCREEN_SIGNIFICANCE,
    Direction,
    Flag,
    GateFinding,
    GateSettings,
    incomparable,
)
from bench.statistics.location_shifts import estimate
from bench.statistics.paired import holm
from bench.statistics.scales import unscored

PAIRED_RESOLUTION: Final = 10
"""By what factor the smallest p of the paired test must lie below the level. By simulation of ten seeds that are worse
by a fifth to a half, pairing then loses at most 8 % of power where equal seeds share nothing, and gains 25 % where
they share half of their variance."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("worse", "better")


@dataclass(frozen=True)
class _Tested:
    """The numbers of one cell before Holm's adjustment."""

    finding: GateFinding
    p: Mapping[Direction, float]


def quality(
    pairs: Sequence[Pair],
    workloads: Mapping[str, Workload],
    settings: GateSettings,
    flags: Mapping[CellKey, Flag] | None = None,
    passed: Set[CellKey] | None = None,
) -> list[GateFinding]:
    """Judge the quality of every cell, in the order of the pairs.

    Args:
        pairs: the cells.
        workloads: by the name in the records' specs.
        settings: the stage among them.
        flags: what stage 1 has flagged; stage 2 looks at these cells alone.
        passed: what stage 1 has judged and let pass, and stage 2 lets pass, too; None where nobody knows.

    Raises:
        ValueError: a record is damaged; or a flagged cell is in neither set.
    """
    flags = flags or {}
    for pair in pairs:
        for side in (pair.base, pair.new):
            refuse_damaged(side.runs.values(), workloads)
    _refuse_strangers(flags, pairs)
    tested: dict[int, _Tested] = {}
    findings: list[GateFinding] = []
    # The sharpest level that Holm may ask for decides how few seeds are too few, before any result is looked at.
    refusals = [_why_not(pair, workloads) for pair in pairs]
    family = sum(not refusal and bool(cell.tested) for cell, refusal in zip(pairs, refusals, strict=True))
    for index, (cell, refusal) in enumerate(zip(pairs, refusals, strict=True)):
        flag = flags.get(cell.key) if settings.stage == "2" else None
        if refusal:
            excused = not cell.base.runs and not cell.redefined
            finding = incomparable("quality", refusal, excused=excused, missing=not cell.new.runs)
            # A suspect that has gone has not been cleared.
            findings.append(finding if flag is None else replace(finding, flagged=flag.direction))
        elif not cell.tested and flag is None:
            findings.append(_repeated(cell, workloads))
        else:
            level = _level(settings, family, len(flags), suspected=flag is not None)
            tested[index] = _test(cell, workloads, settings, level, flag)
            findings.append(tested[index].finding)
    decided = _decide(tested, pairs, flags, passed, settings)
    return [decided.get(index, finding) for index, finding in enumerate(findings)]


def fresh_seeds_needed(base_count: int, flagged: int) -> int:
    """Return how many fresh seeds let stage 2 decide: at least five, and enough for p < .03 / `flagged`."""
    needed = FEWEST_SEEDS
    while mann_whitney_least(base_count, needed) >= QUALITY_SIGNIFICANCE / max(1, flagged) and needed < 1000:
        needed += 1
    return needed


def _refuse_strangers(flags: Mapping[CellKey, Flag], pairs: Sequence[Pair]) -> None:
    strangers = flags.keys() - {pair.key for pair in pairs}
    if strangers:
        key = min(strangers)
        raise ValueError(
            f"neither side has {key.method} on {key.workload} ({key.setting}), which is flagged: the file of flagged "
            "cells belongs to other results; run --stage 1 again"
        )


def _level(settings: GateSettings, family: int, flagged: int, *, suspected: bool) -> float:
    """Return the sharpest level that a p of one direction may have to pass."""
    if settings.stage == "once":
        return QUALITY_SIGNIFICANCE / (len(DIRECTIONS) * max(1, family))
    # What stage 1 suspects has its direction, and what it has let pass is held to the screen.
    return QUALITY_SIGNIFICANCE / flagged if suspected else SCREEN_SIGNIFICANCE


def _why_not(pair: Pair, workloads: Mapping[str, Workload]) -> str:
    """Say why the quality of a cell cannot be judged; nothing where it can."""
    if pair.refusal:
        return pair.refusal
    if pair.measured_otherwise:
        return f"measured by other versions: {pair.measured_otherwise}"
    runs = [*pair.base.runs.values(), *pair.new.runs.values()]
    workload = workloads[runs[0].spec.workload]
    # A distance is compared as it is; the score of modes needs real data to be held against.
    lacking = unscored(runs, workload) if workload.scored_by == "modes" else None
    return f"no scale: {lacking.lacking.reason}" if lacking else ""


def _test(
    pair: Pair, workloads: Mapping[str, Workload], settings: GateSettings, level: float, flag: Flag | None
) -> _Tested:
    one = next(iter(pair.base.runs.values()))
    workload = workloads[one.spec.workload]
    untrained = untrained_distance([*pair.base.runs.values(), *pair.new.runs.values()])
    fresh = {seed: record for seed, record in pair.tested.items() if flag is None or seed not in flag.seeds}
    base, new = sample(pair.base.runs, workload, untrained), sample(fresh, workload, untrained)
    if not new.seeds:
        note = "flagged, and no fresh seed has been run"
        empty = GateFinding(gate="quality", verdict="inconclusive", note=note, base_count=len(base.seeds))
        return _Tested(empty, {"worse": 1.0, "better": 1.0})
    # The screen asks whether anything moved at all.
    beyond = 0.0 if settings.stage == "1" else tolerance(workload)
    paired = base.seeds == new.seeds and PAIRED_RESOLUTION * signed_rank_least(len(new.seeds)) <= level
    if paired:
        moved = [b - a if a != b else 0.0 for a, b in zip(base.ranked, new.ranked, strict=True)]
        # Two runs that failed alike are a pair that has not moved: it counts as one within the tolerance.
        p: dict[Direction, float] = {
            "worse": signed_rank([value - beyond for value in moved]),
            "better": signed_rank([-value - beyond for value in moved]),
        }
        least, test = signed_rank_least(len(moved)), "signed-rank, paired by seed"
    else:
        p = {
            "worse": mann_whitney(base.ranked, [value - beyond for value in new.ranked]),
            "better": mann_whitney(new.ranked, [value - beyond for value in base.ranked]),
        }
        least, test = mann_whitney_least(len(base.seeds), len(new.seeds)), "Mann-Whitney"
    finding = GateFinding(
        gate="quality",
        verdict="inconclusive",
        note="" if flag or len(new.seeds) == len(pair.new.runs) else _further(pair),
        base_count=len(base.seeds),
        new_count=len(new.seeds),
        scale="difference" if workload.scored_by == "modes" else "ratio",
        test=test,
        able=least < level,
    )
    finding = _with_effect(finding, base, new, paired=paired)
    seen = detectable(base, new, level, workload, paired=paired, screen=settings.stage == "1")
    return _Tested(replace(finding, detectable=seen), p)


def _further(pair: Pair) -> str:
    repeated = len(pair.new.runs) - len(pair.tested)
    return f"repeats BASE at {repeated} seeds, and is judged by its {len(pair.tested)} others"


def _with_effect(finding: GateFinding, base: Sample, new: Sample, *, paired: bool) -> GateFinding:
    if not (np.isfinite(base.counted).all() and np.isfinite(new.counted).all()):
        return replace(finding, note="no run knows the untrained generator's distance: no effect can be named")
    ratio = finding.scale == "ratio"
    shift = estimate(base.counted, new.counted, paired=paired)
    effect, low, high = (math.exp(value) if ratio else value for value in shift)
    finding = replace(finding, base=center(base, ratio=ratio), new=center(new, ratio=ratio), effect=effect)
    if not np.isfinite(shift).all():  # an interval without an end is none
        return finding
    # The shift is that of most runs: that it is small does not say that equally many learn.
    same_failures = base.failures == new.failures and min(len(base.seeds), len(new.seeds)) >= FEWEST_SEEDS
    least, most = (1.0 / RATIO_BOUND, RATIO_BOUND) if ratio else (-SCORE_BOUND, SCORE_BOUND)
    within = same_failures and least < low and high < most
    return replace(finding, low=low, high=high, verdict="equivalent" if within else "inconclusive")


def _repeated(pair: Pair, workloads: Mapping[str, Workload]) -> GateFinding:
    """Find a cell whose runs all repeat those of BASE equal, if it has as many, or enough of them."""
    records = list(pair.base.runs.values())
    workload = workloads[records[0].spec.workload]
    modes = workload.scored_by == "modes"
    base, new = (sample(runs, workload, untrained_distance(records)) for runs in (pair.base.runs, pair.new.runs))
    seeds, missing = len(new.seeds), len(base.seeds) - len(new.seeds)
    enough = not missing or seeds >= FEWEST_SEEDS
    few = "" if enough else f", where {FEWEST_SEEDS} are enough"
    return GateFinding(
        gate="quality",
        verdict="equivalent" if enough else "inconclusive",
        note=f"repeats BASE at {seeds} of its {len(base.seeds)} seeds{few}" if missing else IDENTICAL,
        base=center(base, ratio=not modes),
        new=center(new, ratio=not modes),
        base_count=len(base.seeds),
        new_count=seeds,
        scale="difference" if modes else "ratio",
        effect=0.0 if modes else 1.0,
        able=enough,
    )


def _decide(
    tested: Mapping[int, _Tested],
    pairs: Sequence[Pair],
    flags: Mapping[CellKey, Flag],
    passed: Set[CellKey] | None,
    settings: GateSettings,
) -> dict[int, GateFinding]:
    if settings.stage == "2":
        family = [index for index in tested if pairs[index].key in flags]
        adjusted = _adjusted([tested[index].p[flags[pairs[index].key].direction] for index in family], len(flags))
        confirmed = {
            index: _confirmed(tested[index], flags[pairs[index].key].direction, p)
            for index, p in zip(family, adjusted, strict=True)
        }
        known = [passed is None or cell.key in passed for cell in pairs]
        return {
            index: confirmed.get(index) or _unflagged(test, screened=known[index]) for index, test in tested.items()
        }
    holms = {
        direction: dict(zip(tested, _adjusted([test.p[direction] for test in tested.values()]), strict=True))
        for direction in DIRECTIONS
    }
    decided = {}
    for index, test in tested.items():
        direction = _direction(test)
        finding = replace(test.finding, p=test.p[direction])
        if settings.stage == "1":
            decided[index] = _screened(finding, direction)
        else:
            p = min(1.0, len(DIRECTIONS) * holms[direction][index])
            decided[index] = _judged(replace(finding, adjusted_p=p), direction, p < QUALITY_SIGNIFICANCE)
    return decided


def _adjusted(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Adjust by Holm; cells of the family without a value count as p = 1."""
    padded = [*p_values, *[1.0] * max(0, (family or 0) - len(p_values))]
    return [float(p) for p in holm(padded)][: len(p_values)] if padded else []


def _direction(tested: _Tested) -> Direction:
    """The direction with the smaller p; where neither has any evidence, the one in which the effect points."""
    effect = tested.finding.effect
    if effect is None or tested.p["worse"] != tested.p["better"]:
        return min(DIRECTIONS, key=lambda direction: tested.p[direction])
    return "worse" if effect >= (1.0 if tested.finding.scale == "ratio" else 0.0) else "better"


def _confirmed(tested: _Tested, direction: Direction, adjusted: float) -> GateFinding:
    finding = replace(tested.finding, p=tested.p[direction], adjusted_p=adjusted)
    if finding.able:
        return _judged(finding, direction, adjusted < QUALITY_SIGNIFICANCE)
    few = f"flagged, and {finding.new_count} fresh seeds are too few to tell"
    return replace(finding, verdict="inconclusive", flagged=direction, note=finding.note or few)


def _unflagged(tested: _Tested, *, screened: bool) -> GateFinding:
    """What stage 1 has let pass, it has let pass; what it could not judge, as it was not there yet, nobody has."""
    if tested.finding.able and not screened:
        return incomparable("quality", "stage 1 has not judged it: run --stage 1 again")
    finding = replace(tested.finding, p=tested.p[_direction(tested)])
    finding = _judged(finding, "worse", significant=False)
    return replace(finding, note=finding.note or "passed the screen")


def _screened(finding: GateFinding, direction: Direction) -> GateFinding:
    if finding.p is not None and finding.p < SCREEN_SIGNIFICANCE and _beyond(finding, direction):
        said = f"flagged as {direction}: fresh seeds must tell"
        return replace(finding, verdict="inconclusive", flagged=direction, note=said)
    return _judged(finding, direction, significant=False)


def _judged(finding: GateFinding, direction: Direction, significant: bool) -> GateFinding:  # noqa: FBT001 - the one question
    if significant:
        return replace(finding, verdict=direction)
    able = finding.able or finding.verdict == "equivalent"
    said = [finding.note or ("" if able else "too few seeds to tell")]
    if finding.scale == "difference" and finding.base is not None and finding.base <= SCORE_BOUND:
        said.append(f"BASE scores {finding.base:.2f}: nothing can be shown to be worse")
    return replace(finding, able=able, note="; ".join(filter(None, said)))


def _beyond(finding: GateFinding, direction: Direction) -> bool:
    """Whether the estimate is larger than what counts as equal; a failure without any known effect is."""
    if finding.effect is None:
        return True
    if finding.scale == "difference":
        return finding.effect > SCORE_BOUND if direction == "worse" else finding.effect < -SCORE_BOUND
    return finding.effect > RATIO_BOUND if direction == "worse" else finding.effect < 1.0 / RATIO_BOUND
