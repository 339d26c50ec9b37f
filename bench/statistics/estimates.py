"""Estimates of methods that share all cells: scores, ranks, who may be the best, and tests against the reference.

Every workload is a block: methods are scored and tested on each by itself, and the workloads weigh alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from bench.statistics.best import order
from bench.statistics.blocks import block_intervals, block_means
from bench.statistics.detectable import detectable
from bench.statistics.flips import joined, least_sign_flip, sign_flips
from bench.statistics.intervals import CONFIDENCE, Array
from bench.statistics.paired import holm, win_values

RANKED_SEEDS: Final = 5
"""Of fewer seeds there are scores with their intervals, and no rank, no test and nobody among the best."""

LEVEL: Final = 1.0 - CONFIDENCE
"""Of the tests, after Holm: up to this a difference is called shown."""

ReferenceVerdict = Literal["better", "worse", "mixed", "not shown"]
"""Against the reference. "mixed": the workloads contradict each other."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """One method against the reference, on one workload or on all."""

    p_value: float
    """Two-sided, of flipped signs of the paired differences; of all workloads, theirs joined."""
    p_adjusted: float
    """The same after Holm over all ranked methods but the reference."""
    detectable: float | None
    """The true difference that would have been found with 80 %; none if no difference would, or nothing scatters."""
    verdict: ReferenceVerdict


@dataclass(frozen=True, kw_only=True)
class WorkloadEstimate:
    """One method on one workload."""

    score: float
    low: float | None = None
    high: float | None = None
    wins: int | None = None
    """At how many seeds it is better than the reference; none for the reference itself, or if that has no score."""
    ties: int | None = None
    pairs: int
    test: PairedTest | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceComparison:
    """One method against the reference, over all workloads."""

    probability: float
    """P(better) + P(equal) / 2, averaged over workloads."""
    low: float | None
    high: float | None
    test: PairedTest


@dataclass(frozen=True, kw_only=True)
class MethodEstimate:
    """The estimates of one method; `None` where there are too few seeds."""

    score: float
    low: float | None = None
    high: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    among_best: bool | None = None
    comparison: ReferenceComparison | None = None
    """None for the reference itself, and where it has no rank."""
    workloads: tuple[WorkloadEstimate, ...]
    """Each workload, in the order of the blocks."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the tests of one column can show at best."""

    least: float
    """The smallest adjusted p that so many seeds and methods can give."""
    detectable: float | None
    """The median over methods of what each could have seen."""

    @property
    def shows(self) -> bool:
        """Say whether anything could be shown."""
        return self.least <= LEVEL


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """The estimates of all methods, and what the tests of each column can show (none where nothing is tested)."""

    methods: list[MethodEstimate]
    reach: Reach | None = None
    reach_on: tuple[Reach | None, ...]


def estimate_methods(blocks: Sequence[Array], *, reference: int | None, resamples: int, seed: int) -> Estimates:
    """Estimate the score, the rank and the difference from the reference of every method.

    Args:
        blocks: the scores, one array `[methods, seeds]` a workload; column s is the same seed for every method.
        reference: the row that all others are tested against, if it is among them.
        resamples: sign patterns of the comparisons with the best and of the ranks, where there are too many to try.
        seed: of everything that is drawn.
    """
    points = block_means(blocks)
    tests = [_test_workload(block, reference, seed) for block in blocks]
    listed = [_on_workload(block, reference, test) for block, test in zip(blocks, tests, strict=True)]
    methods = [
        MethodEstimate(score=float(point), workloads=own)
        for point, own in zip(points, zip(*listed, strict=True), strict=True)
    ]
    if all(block.shape[1] > 1 for block in blocks):
        low, high = block_intervals(blocks)
        methods = [replace(estimate, low=_known(low[i]), high=_known(high[i])) for i, estimate in enumerate(methods)]
    reach_on = tuple(None if test is None else test.reach for test in tests)
    # If the highest score is 0, every run failed: nobody leads and nothing is to be told apart.
    if min(block.shape[1] for block in blocks) < RANKED_SEEDS or not points.max() > 0.0:
        return Estimates(methods=methods, reach_on=reach_on)
    placed = order(blocks, resamples=resamples, seed=seed)
    methods = [
        replace(
            estimate,
            rank=1 + int((points > points[i]).sum()),
            rank_low=int(placed.rank_low[i]),
            rank_high=int(placed.rank_high[i]),
            among_best=bool(placed.among_best[i]),
        )
        for i, estimate in enumerate(methods)
    ]
    known = [test for test in tests if test is not None]
    if reference is None or not known:
        return Estimates(methods=methods, reach_on=reach_on)
    together, reach = _test_all(blocks, reference, known)
    others = _others(blocks[0], reference)
    for index, method in enumerate(others):
        methods[method] = replace(methods[method], comparison=together[index])
    return Estimates(methods=methods, reach=reach, reach_on=reach_on)


@dataclass(frozen=True, kw_only=True)
class _Column:
    """The tests of one workload; one entry per method, without the reference."""

    differences: Array
    signs: Array
    p_values: Array
    tests: Sequence[PairedTest]
    reach: Reach


def _others(block: Array, reference: int) -> list[int]:
    return [method for method in range(block.shape[0]) if method != reference]


def _test_workload(block: Array, reference: int | None, seed: int) -> _Column | None:
    """Test every method against the reference on one workload, if it has seeds enough."""
    if reference is None or block.shape[0] < 2 or block.shape[1] < RANKED_SEEDS:
        return None
    differences = np.delete(block - block[reference], reference, axis=0)
    p_values = sign_flips(differences, seed=seed)
    signs = np.sign(differences.mean(axis=1))
    tests, reach = _tests([differences], p_values, signs, least_sign_flip(block.shape[1]))
    return _Column(differences=differences, signs=signs, p_values=p_values, tests=tests, reach=reach)


def _tests(blocks: Sequence[Array], p_values: Array, signs: Array, least: float) -> tuple[list[PairedTest], Reach]:
    family = len(p_values)
    seen = detectable(blocks, LEVEL / family)
    tests = [
        PairedTest(
            p_value=float(p),
            p_adjusted=float(adjusted),
            detectable=_known(difference),
            verdict=("better" if sign > 0 else "worse") if adjusted <= LEVEL else "not shown",
        )
        for p, adjusted, sign, difference in zip(p_values, holm(p_values.tolist()), signs, seen, strict=True)
    ]
    known = seen[np.isfinite(seen)]
    return tests, Reach(least=min(1.0, family * least), detectable=float(np.median(known)) if known.size else None)


def _test_all(
    blocks: Sequence[Array], reference: int, columns: Sequence[_Column]
) -> tuple[list[ReferenceComparison], Reach]:
    """Join the workloads' tests, and say how often a run is better than the reference's."""
    p_values, z = joined([column.p_values for column in columns], [column.signs for column in columns])
    limits = [np.array([least_sign_flip(block.shape[1])]) for block in blocks]
    least = float(joined(limits, [np.ones(1)] * len(limits))[0][0])
    tests, reach = _tests([column.differences for column in columns], p_values, np.sign(z), least)
    ahead = block_means([column.differences for column in columns])
    wins = [win_values(np.delete(block, reference, axis=0), block[reference]) for block in blocks]
    low, high = block_intervals(wins)
    against = [
        ReferenceComparison(
            probability=float(probability),
            low=_known(low[i]),
            high=_known(high[i]),
            test=replace(tests[i], verdict=_verdict(tests[i], [column.tests[i] for column in columns], ahead[i])),
        )
        for i, probability in enumerate(block_means(wins))
    ]
    return against, reach


def _verdict(together: PairedTest, sequence: Sequence[PairedTest], ahead: float) -> ReferenceVerdict:
    """Return the verdict over all workloads: mixed if two of them, or the test and the score, contradict each other.

    The joined test weighs evidence and the score differences: a small one that is certain on one workload can have a
    larger and uncertain one on another against it.
    """
    shown = {test.verdict for test in sequence}
    if {"better", "worse"} <= shown:
        return "mixed"
    against = {"better": ahead <= 0.0, "worse": ahead >= 0.0}
    return "mixed" if against.get(together.verdict, False) else together.verdict


def _on_workload(block: Array, reference: int | None, column: _Column | None) -> list[WorkloadEstimate]:
    """Return where every method stands on one workload."""
    if block.shape[1] > 1:
        low, high = block_intervals([block])
    else:
        low = high = np.full(block.shape[0], np.nan)
    estimates = [
        WorkloadEstimate(score=float(own.mean()), low=_known(low[i]), high=_known(high[i]), pairs=block.shape[1])
        for i, own in enumerate(block)
    ]
    if reference is None:
        return estimates
    for index, method in enumerate(_others(block, reference)):
        differences = block[method] - block[reference]
        estimates[method] = replace(
            estimates[method],
            wins=int((differences > 0.0).sum()),
            ties=int((differences == 0.0).sum()),
            test=None if column is None else column.tests[index],
        )
    return estimates


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
