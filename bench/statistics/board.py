"""The leaderboard as values: what `ranking` computes and `report` writes down. No bare first place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from bench.statistics.comparable_groups import GroupKey, MethodKey
from bench.statistics.estimates import Reach, ReferenceVerdict, WorkloadEstimate
from bench.statistics.iterations import Iteration, Iterations
from bench.statistics.judged import JudgedColumn
from bench.statistics.scales import Unscored
from bench.statistics.spread import Spread
from bench.store.record import Record

RANKING_VERSION: Final = 2
"""The rule by which scores of runs become a table. It is no part of the protocol, nor of how a run is scored: records
stay what they are, and their tables are written again.

    1   interquartile mean of pooled runs, bootstrap intervals, numbered tie groups, one pooled test.
    2   workloads are blocks: means of means with t intervals, comparisons with the best, simultaneous intervals of
        ranks, exact tests of each workload, joined; below five seeds scores alone.
"""

Quality = Literal["high_quality", "readable"]
"""The share of samples within three standard deviations of a mode of a mixture; or that the classifier is 90 % sure of,
1 - `unreadable`."""


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One method. What does not exist is `None`: incomplete methods and variants have no score and no rank."""

    method: str
    expression: str
    variant: bool
    """Its method is not well defined on this discriminator: listed, never ranked."""
    provisional: bool
    """Fewer seeds than a published interval needs."""
    seeds: int
    """The smallest number of seeds among the scored workloads for which this method has a result."""
    cells_done: int
    cells_counting: int
    score: float | None = None
    """The mean over workloads of the mean over seeds."""
    average_score: float | None = None
    """The score of the generator's moving average; none unless every counting result has it. No rank rests on it."""
    score_low: float | None = None
    score_high: float | None = None
    rank: int | None = None
    """By score; none below `estimates.RANKED_SEEDS` seeds, and where every score is 0."""
    rank_low: int | None = None
    rank_high: int | None = None
    among_best: bool | None = None
    """Whether it may be the best: `best.order`. Every best method is among them with 95 %."""
    better_than_reference: float | None = None
    """P(better) + P(equal) / 2 for a run of this method and one of the reference, averaged over workloads."""
    better_low: float | None = None
    better_high: float | None = None
    p_value: float | None = None
    """Of the workloads' paired tests against the reference, joined."""
    p_adjusted: float | None = None
    """The same after Holm over all ranked methods but the reference."""
    verdict: ReferenceVerdict | None = None
    """Against the reference, over all workloads."""
    detectable: float | None = None
    """The difference from the reference that would have been shown with 80 %."""
    estimates: Mapping[str, WorkloadEstimate] = field(default_factory=dict)
    """Its score, wins and test on each scored workload."""
    runs: int
    failures: int
    failure_low: float | None
    failure_high: float | None
    lost: int
    """Runs that ended in a timeout or an error of the machinery; they say nothing about the loss."""
    results: Mapping[str, Sequence[Record]] = field(repr=False, compare=False)
    """Its results on each workload, in the order of seeds."""
    distances: Mapping[str, float | None]
    """The median last distance of each workload; `None` where the median run has none left to measure."""
    average_distances: Mapping[str, float | None]
    """The same of the generator's moving average; `None` where a result lacks it."""
    late_regressions: Mapping[str, float | None]
    """The median of log(F_last / F_best) on each workload: 0 where training never got worse again."""
    images_per_second: float | None = None
    relative_throughput: float | None = None
    """Images a second over the reference's: median over runs of equal workload and seed on equal hardware."""
    relative_discriminator_update: float | None = None
    """Seconds of a discriminator update over the reference's, likewise."""
    cost_pairs: int = 0
    """How many pairs of runs the two are medians of."""
    iteration: Iteration | None = None
    """Its times over the reference's by kernel records; then it has no times of trials."""
    modes: Mapping[str, float | None]
    """The median number of modes of each workload that counts them; a run without samples to count in has 0."""
    divergences: Mapping[str, float | None]
    """The median divergence of the modes' histogram from uniform, in nats; a run without one counts as infinite."""
    qualities: Mapping[str, float | None]
    """The median share of samples that the modes can be believed of, by the column's `quality`, over the same runs."""
    coverages: Mapping[str, float | None]
    """The median coverage of the workloads whose scores it enters, over the same runs."""
    done: Mapping[str, int]
    """How many of the seeds that most methods have, of each workload, have a result."""
    spreads: Mapping[str, Spread | None]
    """How the last distances of each workload depend on the seed."""

    @property
    def method_key(self) -> MethodKey:
        return MethodKey(self.expression, self.variant)

    @property
    def complete(self) -> bool:
        return self.cells_done == self.cells_counting


@dataclass(frozen=True, kw_only=True)
class WorkloadColumn:
    """The scale of one workload's distances."""

    name: str
    measure: str
    """The full name of the distance, as section 4 of the protocol requires: "FD[digits-cnn-v1, 2,000]"."""
    scored_by: Literal["distance", "modes"]
    steps: int
    """How long its runs train, in generator updates: the same for all of a table."""
    floor: float | None
    untrained: float | None
    modes: int
    """How many modes there are to find; 0 where none are counted."""
    quality: Quality | None
    """What says how far to believe the modes; none where none are counted."""
    quality_ceiling: float | None
    """What real data reach of it."""
    coverage_ceiling: float | None
    """What real data reach of coverage, where it enters the score."""
    seeds: tuple[int, ...]
    """The seeds that most methods have; empty where there is none."""
    unscored: Unscored | None
    """Why the workload is in no score, if it is in none; its numbers stand in the table all the same."""
    reach: Reach | None = None
    """What the tests against the reference can show on it; none where nothing is tested."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Where the rows of a table come from, if new records are ranked among published ones."""

    rows: Mapping[MethodKey, tuple[str, ...]]
    """The campaigns of each row, and `against.HERE` where it was trained here."""
    campaigns: tuple[str, ...]
    checks: tuple[str, ...]
    """What has shown that the numbers may be compared."""


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One table of comparable records."""

    key: GroupKey
    rows: tuple[LeaderboardRow, ...]
    workloads: tuple[WorkloadColumn, ...]
    record_ids: tuple[str, ...]
    digest: str
    """Twelve hexadecimal digits that name exactly the records behind the table, to the last byte of each."""
    reference: str | None
    """The scored method that the others are tested against; none where it has no score."""
    reach: Reach | None = None
    """What the tests over all workloads can show; none where nothing is tested."""
    superseded: int
    uncounted: int
    """Results outside the counting cells: stored, shown, in no score."""
    fingerprints: int
    timed_on: str
    """The workload of the images a second: a mean over workloads would depend on which there are."""
    timed_hardware: str
    """The machine of the images a second: its GPU or processor."""
    timed: tuple[str, ...]
    """The workloads of the ratios to the reference: those of images, or all where there are toys alone."""
    iterations: Iterations | None = None
    """What the methods cost by kernel records, if the folder has those of all; then no time of a trial is shown."""
    resamples: int
    """Sign patterns of the ranks and of the comparisons with the best."""
    seed: int
    judged: tuple[JudgedColumn, ...] = ()
    origins: Origins | None = None
    """None where all records are of one folder."""
    folder: str = ""
    """The results folder that it is of, where tables of several are written together: their titles can be equal."""

    @property
    def scored(self) -> tuple[LeaderboardRow, ...]:
        """The methods that have a score, the highest first."""
        return tuple(row for row in self.rows if row.score is not None)

    @property
    def ranked(self) -> tuple[LeaderboardRow, ...]:
        """The methods that have a rank: all that have a score, or none."""
        return tuple(row for row in self.rows if row.rank is not None)
