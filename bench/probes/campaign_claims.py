"""What papers say of trained losses, and what the published campaigns find at the same seeds.

A paper has named the better of two methods, so the test is one-sided: p is the share of all sign patterns of the
differences at the same seeds whose mean is at least as far out. Five seeds that all agree give 1/32. Each row is a test
of its own: of twenty rows, one reaches the level on the paper's side by chance, and one on the other.
"""

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np

from bench import data
from bench.config.commands import command
from bench.methods import resolve
from bench.probes.claim_rows import row
from bench.statistics.flips import sign_flips
from bench.statistics.intervals import Array
from bench.statistics.scores import is_failure, is_result, score
from bench.store.campaigns import find_campaigns, suite_of
from bench.store.record import Record

LEVEL: Final = 0.05
Verdict = Literal["reproduced", "**contradicted**", "not shown"]


@dataclass(frozen=True)
class Measure:
    """What two methods are compared by."""

    title: str
    told: Callable[[Record], float | None]
    """What is told of the runs, as a median; None is left out."""
    value: Callable[[Record], float]
    """Of a run, higher is better."""


def score_of(record: Record) -> float:
    """Return the score of a run on its own workload."""
    return score(record, data.workload(record.spec.workload))


def _steadiness(record: Record) -> float:
    late = record.stability.get("late_regression")
    if late is None:
        raise ValueError(f"trial {record.trial_id} has no late regression, so it cannot be compared by it")
    return -late


DISTANCE: Final = Measure("FD", lambda run: run.metrics.get("distance"), score_of)
"""Compared as scores, which are higher where FD is lower, and 0 where a run has failed."""

MODES: Final = Measure("modes", lambda run: run.metrics.get("modes"), lambda run: run.metrics.get("modes") or 0.0)

LATE_REGRESSION: Final = Measure("late regression", lambda run: run.stability.get("late_regression"), _steadiness)
"""log(last / best distance), of which less is better."""


@dataclass(frozen=True, kw_only=True)
class CampaignClaim(ABC):
    """One row: a source says something, and a campaign has trained what can show it."""

    subject: str
    published: str
    campaign: str
    """A published folder."""
    reason: str

    def line(self) -> str:
        """Return the row of the table, from the published records."""
        return self.line_of(records_of(self.campaign))

    def line_of(self, records: Sequence[Record]) -> str:
        """Return the row of the table, from the records of a campaign.

        Raises:
            ValueError: one of the methods is not there, or they have no seed in common.
        """
        words, verdict = self._found(records)
        return row(self.subject, self.published, words, verdict, self.reason, *map(_training, self._campaigns))

    @property
    def _campaigns(self) -> tuple[str, ...]:
        """The campaigns that the row is about."""
        return (self.campaign,)

    @abstractmethod
    def _found(self, records: Sequence[Record]) -> tuple[str, Verdict]:
        """Return what the records show, in words, and the verdict."""


@dataclass(frozen=True, kw_only=True)
class TrainedClaim(CampaignClaim):
    """A source says that a method is better than another."""

    better: str
    than: str
    measure: Measure

    def _found(self, records: Sequence[Record]) -> tuple[str, Verdict]:
        first, second = (runs_of(records, name) for name in (self.better, self.than))
        seeds = sorted(first.keys() & second.keys())
        if not seeds:
            raise ValueError(f"{self.campaign} has no seed of both {self.better} and {self.than}")
        return compared(self.measure, first, second, seeds)


def compared(
    measure: Measure, first: Mapping[int, Record], second: Mapping[int, Record], seeds: Sequence[int]
) -> tuple[str, Verdict]:
    """Return in words how the first runs compare with the second, both by seed, and the verdict on "they are better".

    The medians are of all runs, the comparison is at `seeds`, which both have.
    """
    differences = np.array([measure.value(first[seed]) - measure.value(second[seed]) for seed in seeds])
    verdict, p = judge(differences)
    words = (
        f"{measure.title} {_median(measure, [*first.values()])} against {_median(measure, [*second.values()])}; "
        f"better at {np.count_nonzero(differences > 0)} of {len(seeds)} seeds; p {p:.2g}"
    )
    return words, verdict


def _median(measure: Measure, runs: Sequence[Record]) -> str:
    known = [value for run in runs if (value := measure.told(run)) is not None]
    failed = sum(is_failure(run) for run in runs)
    median = _number(statistics.median(known)) if known else "none"
    return f"{median} ({failed} failed)" if failed else median


def _training(campaign: str) -> str:
    suite, norm = suite_of(campaign)
    return command("run", "--suite", suite, *(("--d-norm", norm) if norm else ()))


def judge(differences: Array) -> tuple[Verdict, float]:
    """Return what paired differences say of a claim that they are positive, and the p of the side on which they lie."""
    p = min(1.0, float(sign_flips(differences[None])[0]) / 2)
    claimed_side = float(differences.sum()) > 0
    if p <= LEVEL:
        return ("reproduced" if claimed_side else "**contradicted**"), p
    return "not shown", p


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@cache
def records_of(name: str) -> tuple[Record, ...]:
    """Return the records of a published campaign, read once: it has several rows."""
    (campaign,) = find_campaigns(name)
    return campaign.records


def runs_of(records: Sequence[Record], name: str) -> dict[int, Record]:
    """Return the runs of a method by their seeds.

    Raises:
        ValueError: there is none, or more than one at a seed.
    """
    (method,) = resolve([name])
    runs = [run for run in records if run.spec.method == str(method) and is_result(run)]
    by_seed = {run.spec.seed: run for run in runs}
    if len(by_seed) < len(runs):
        raise ValueError(f"there is more than one run of {name} at a seed; name a campaign of one workload and budget")
    if not runs:
        raise ValueError(f"no run of {name} is there")
    return by_seed


_FEW_REGRESS: Final = "3,000 steps on digits, R1 and not spectral norm; few runs regress at all."

_R3GAN_APART: Final = "1,000 steps of DCGANs whose generator has BatchNorm; there a residual network without norm."

CLAIMS: Final = (
    TrainedClaim(
        subject="non-saturating loss against the minimax game",
        published="a stronger gradient early in training (Goodfellow et al. 2014)",
        campaign="topic-gradients",
        better="nsgan",
        than="mmgan",
        measure=DISTANCE,
        reason="The discriminator has no norm, and has not won by the last step.",
    ),
    TrainedClaim(
        subject="LSGAN against the non-saturating loss",
        published="higher quality (Mao et al. 2017); FID 29.5 against 40.6 on CIFAR-10 (Jolicoeur-Martineau 2018)",
        campaign="topic-gradients",
        better="lsgan",
        than="nsgan",
        measure=DISTANCE,
        reason="1,000 steps without norm; there 100,000 with spectral norm, one seed.",
    ),
    TrainedClaim(
        subject="relativistic loss against the non-saturating one",
        published="FID 36.6 against 40.6 on CIFAR-10 (Jolicoeur-Martineau 2018)",
        campaign="topic-gradients",
        better="rpgan",
        than="nsgan",
        measure=DISTANCE,
        reason="1,000 steps without norm; there 100,000 with spectral norm, one seed.",
    ),
    TrainedClaim(
        subject="R3GAN's penalties against the relativistic loss alone",
        published="with R1 and R2 all 1,000 modes of stacked MNIST, with R1 alone none learned (Huang et al. 2024)",
        campaign="topic-gradients",
        better="r3gan",
        than="rpgan",
        measure=DISTANCE,
        reason="Digits and not stacks, which another campaign has: see below.",
    ),
    *(
        TrainedClaim(
            subject=f"two time scales, {who}, against equal rates",
            published="lower FID for DCGANs (Heusel et al. 2017)",
            campaign="topic-balance",
            better=f"bce_ns + ttur(ratio={ratio})",
            than="nsgan",
            measure=DISTANCE,
            reason="1,000 steps, and only D's rate differs; the paper searched for a pair of rates.",
        )
        for who, ratio in (("D's rate times 4", 4), ("D's rate times 0.25", 0.25))
    ),
    TrainedClaim(
        subject="packing two images against the non-saturating loss",
        published="1,000 modes of stacked MNIST against 78.9 (Lin et al. 2018)",
        campaign="topic-diversity",
        better="pacgan2",
        than="nsgan",
        measure=MODES,
        reason="1,000 steps on stacks of digits; there 100,000 on stacks of MNIST.",
    ),
    TrainedClaim(
        subject="mode seeking against the non-saturating loss",
        published="less mode collapse, within the classes of CIFAR-10 (Mao et al. 2019)",
        campaign="topic-diversity",
        better="msgan",
        than="nsgan",
        measure=MODES,
        reason="Stacks of digits, whose modes can be counted, and no labels.",
    ),
    TrainedClaim(
        subject="matching the spectrum of similarities against the non-saturating loss",
        published="more modes of stacked MNIST (Elfeki et al. 2019)",
        campaign="topic-diversity",
        better="gdpp-gan",
        than="nsgan",
        measure=MODES,
        reason="1,000 steps, and neither has learned anything.",
    ),
    *(
        TrainedClaim(
            subject=f"R3GAN's penalties with the {loss} loss, R1 and R2 against R1 alone",
            published=f"{modes} modes of stacked MNIST; with R1 alone it fails (Huang et al. 2024)",
            campaign="r3gan-ablation",
            better=both,
            than=first,
            measure=MODES,
            reason=f"R1 alone has not failed once. {_R3GAN_APART}",
        )
        for loss, modes, both, first in (
            ("relativistic", "1,000", "r3gan", "rp_bce + r1(gamma=1)"),
            ("non-saturating", "693", "bce_ns + r1(gamma=1) + r2(gamma=1)", "bce_ns + r1(gamma=1)"),
        )
    ),
    TrainedClaim(
        subject="relativistic loss against the non-saturating one, both with R1 and R2",
        published="1,000 modes of stacked MNIST against 693 (Huang et al. 2024)",
        campaign="r3gan-ablation",
        better="r3gan",
        than="bce_ns + r1(gamma=1) + r2(gamma=1)",
        measure=MODES,
        reason=_R3GAN_APART,
    ),
    *(
        TrainedClaim(
            subject=f"late regression of {plain}, with R1 against without",
            published=f"{numbers}; 13.3 and 13.4 with spectral norm, labels and residual networks (Kang et al. 2022)",
            campaign="norms",
            better=regularized,
            than=plain,
            measure=LATE_REGRESSION,
            reason=_FEW_REGRESS,
        )
        for plain, regularized, numbers in (
            ("nsgan", "nsgan-r1", "FID 49 at best and 137 at last without a regularizer"),
            ("lsgan", "lsgan + r1(gamma=10)", "FID 66.7 at best and 331 at last without a regularizer"),
            ("hinge", "hinge + r1(gamma=10)", "FID 42.7 at best and 129 at last without a regularizer"),
            ("rpgan", "rp_bce + r1(gamma=10)", "FID 49 at best and 137 at last for the plain loss"),
        )
    ),
)
