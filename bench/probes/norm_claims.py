"""What papers say of spectral norm, and what the campaigns of one suite with it and without find at the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.probes.campaign_claims import (
    DISTANCE,
    LATE_REGRESSION,
    CampaignClaim,
    Measure,
    TrainedClaim,
    Verdict,
    compared,
    records_of,
    runs_of,
)
from bench.store.record import Record


@dataclass(frozen=True, kw_only=True)
class NormClaim(CampaignClaim):
    """A source says that a method is better under the norm of `campaign` than under the norm of another campaign."""

    method: str
    than: str
    """The other campaign, a published folder: it trains the same method at the same seeds."""
    measure: Measure

    @property
    def _campaigns(self) -> tuple[str, ...]:
        return self.campaign, self.than

    def _found(self, records: Sequence[Record]) -> tuple[str, Verdict]:
        first, second = runs_of(records, self.method), runs_of(records_of(self.than), self.method)
        seeds = sorted(first.keys() & second.keys())
        if not seeds:
            raise ValueError(f"{self.campaign} and {self.than} have no seed of {self.method} in common")
        return compared(self.measure, first, second, seeds)


_SHORT: Final = "3,000 steps on digits with He's weights; there 100,000 on CIFAR-10"

NORM_CLAIMS: Final = (
    NormClaim(
        subject="spectral norm against layer norm, both with the non-saturating loss",
        published="FID 29.3 against 33.9 on CIFAR-10 (Miyato et al. 2018)",
        campaign="norms-sn",
        method="nsgan",
        than="norms-ln",
        measure=DISTANCE,
        reason="3,000 steps on digits, layer norm from Radford's small weights; there 100,000 on CIFAR-10.",
    ),
    *(
        TrainedClaim(
            subject=f"{loss} against the non-saturating one, under spectral norm",
            published=published,
            campaign="norms-sn",
            better=name,
            than="nsgan",
            measure=DISTANCE,
            reason=f"{_SHORT}{reason}.",
        )
        for loss, name, published, reason in (
            ("LSGAN's loss", "lsgan", "FID 29.5 against 40.6 (Jolicoeur-Martineau 2018)", ", one seed"),
            ("relativistic loss", "rpgan", "FID 36.6 against 40.6 (Jolicoeur-Martineau 2018)", ", one seed"),
            (
                "hinge loss",
                "hinge",
                "FID 25.5 against 29.3 (Miyato et al. 2018), but 49.5 against 40.6 (Jolicoeur-Martineau 2018)",
                ", where the two papers contradict each other",
            ),
        )
    ),
    *(
        NormClaim(
            subject=f"late regression of {name}, with spectral norm against without",
            published=f"{numbers} without; 13.3 and 13.4 with it, labels and residual networks (Kang et al. 2022)",
            campaign="norms-sn",
            method=name,
            than="norms",
            measure=LATE_REGRESSION,
            reason="3,000 steps on digits; few runs regress at all.",
        )
        for name, numbers in (
            ("nsgan", "FID 49 at best and 137 at last"),
            ("lsgan", "FID 66.7 at best and 331 at last"),
            ("hinge", "FID 42.7 at best and 129 at last"),
            ("rpgan", "FID 49 at best and 137 at last of the plain loss"),
        )
    ),
)
