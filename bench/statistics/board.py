"""The leaderboard as values: what `ranking` computes and `report` writes down. No bare first place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.statistics.cohorts import CohortKey, Entrant
from bench.statistics.inception import FidColumn
from bench.statistics.scales import Unscored
from bench.statistics.spread import Spread

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
    average_score: float | None = None
    """The score of the generator's moving average; none unless every counting result has it. No rank rests on it."""
    score_low: float | None = None
    score_high: float | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    tie_group: int | None = None
    """1 for all that cannot be told apart from the highest score, 2 for the next leader's: `standing.tie_groups`."""
    better_than_reference: float | None = None
    """P(better) + P(equal) / 2 for a run of this method and one of the reference, averaged over workloads."""
    better_low: float | None = None
    better_high: float | None = None
    p_value: float | None = None
    """Of the paired permutation test of the scores against the reference's."""
    p_adjusted: float | None = None
    """The same after Holm over all ranked methods but the reference."""
    runs: int
    failures: int
    failure_low: float | None
    failure_high: float | None
    lost: int
    """Runs that ended in a timeout or an error of the machinery; they say nothing about the loss."""
    distances: Mapping[str, float | None]
    """The median last distance of each workload; `None` where the median run has none left to measure."""
    average_distances: Mapping[str, float | None]
    """The same of the generator's moving average; `None` where a result lacks it."""
    late_regression: float | None
    """Median of log(F_last / F_best): 0 where training never got worse again."""
    images_per_second: float | None
    relative_throughput: float | None = None
    """Images a second over the reference's: median over runs of equal workload and seed on equal hardware."""
    relative_discriminator_update: float | None = None
    """Seconds of a discriminator update over the reference's, likewise."""
    cost_pairs: int = 0
    """How many pairs of runs the two are medians of."""
    modes: Mapping[str, float | None]
    """The median number of modes of each workload that counts them; a run without samples to count in has 0."""
    qualities: Mapping[str, float | None]
    """The median share of samples that the modes can be believed of, by the column's `quality`, over the same runs."""
    done: Mapping[str, int]
    """How many of the seeds that most methods have, of each workload, have a result."""
    spreads: Mapping[str, Spread | None]
    """How the last distances of each workload depend on the seed."""

    @property
    def entrant(self) -> Entrant:
        return Entrant(self.expression, self.variant)

    @property
    def complete(self) -> bool:
        return self.cells_done == self.cells_counting

    @property
    def ties_with_leader(self) -> bool | None:
        """Whether it cannot be told apart from the highest score; unknown where there is a single seed."""
        return None if self.tie_group is None else self.tie_group == 1


@dataclass(frozen=True, kw_only=True)
class WorkloadColumn:
    """The scale of one workload's distances."""

    name: str
    measure: str
    """The full name of the distance, as protocol section 4 wants it: "FD[digits-cnn-v1, 2,000]"."""
    scored_by: Literal["distance", "modes"]
    floor: float | None
    untrained: float | None
    modes: int
    """How many modes there are to find; 0 where none are counted."""
    quality: Quality | None
    """What says how far to believe the modes; none where none are counted."""
    quality_ceiling: float | None
    """What real data reach of it."""
    seeds: tuple[int, ...]
    """The seeds that most methods have; empty where there is none."""
    unscored: Unscored | None
    """Why the workload is in no score, if it is in none; its numbers stand in the table all the same."""


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """One table of comparable records."""

    key: CohortKey
    rows: tuple[LeaderboardRow, ...]
    workloads: tuple[WorkloadColumn, ...]
    record_ids: tuple[str, ...]
    digest: str
    """Twelve hexadecimal digits that name exactly the records behind the table, to the last byte of each."""
    reference: str | None
    """The ranked method that the others are tested against; none where it has no rank."""
    superseded: int
    uncounted: int
    """Results outside the counting cells: stored, shown, in no score."""
    fingerprints: int
    timed_on: str
    """The workload of the images a second: a mean over workloads would depend on which there are."""
    timed: tuple[str, ...]
    """The workloads of the ratios to the reference: those of images, or all where there are toys alone."""
    resamples: int
    seed: int
    fid: tuple[FidColumn, ...] = ()

    @property
    def ranked(self) -> tuple[LeaderboardRow, ...]:
        return tuple(row for row in self.rows if row.rank is not None)
