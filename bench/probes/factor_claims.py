"""What papers say of losses and penalties as two factors, and what a published grid of both finds at the same seeds.

The grid has a row of losses without a penalty, and the same losses with one. At each seed its scores give two sizes of
change, one of which is said to be the larger; signs are flipped as for the claims about two methods.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from bench.probes.campaign_claims import CampaignClaim, Verdict, judge, runs_of, score_of
from bench.statistics.intervals import Array
from bench.store.record import Record


def change_of_loss(scores: Array) -> Array:
    """Return the mean of |s_i - s_j| over all pairs of losses, for each row of scores [..., rows, losses]."""
    first, second = np.array([*combinations(range(scores.shape[-1]), 2)]).T
    return np.asarray(np.abs(scores[..., first] - scores[..., second]).mean(axis=-1))


def change_of_penalty(scores: Array) -> Array:
    """Return the mean over losses of |s_plain - s_penalized|, of scores [..., 2, losses]."""
    return np.asarray(np.abs(scores[..., 0, :] - scores[..., 1, :]).mean(axis=-1))


def grids(records: Sequence[Record], *lines: Sequence[str]) -> dict[int, Array]:
    """Return the scores of lines of methods, [lines, methods], by the seeds that all of them have."""
    runs = [[runs_of(records, name) for name in line] for line in lines]
    seeds = sorted(set.intersection(*(set(of_one) for line in runs for of_one in line)))
    return {seed: np.array([[score_of(of_one[seed]) for of_one in line] for line in runs]) for seed in seeds}


@dataclass(frozen=True)
class Contrast:
    """Two sizes of change that are compared at each seed."""

    larger: str
    smaller: str
    sizes: Callable[[Array], tuple[Array, Array]]
    """Of scores [seeds, 2, losses]: the size that is said to be larger, and the other, [seeds] each."""


PENALTY_AGAINST_LOSS: Final = Contrast(
    "the penalty",
    "the loss",
    lambda scores: (change_of_penalty(scores), change_of_loss(scores).mean(axis=-1)),
)
PLAIN_AGAINST_PENALIZED: Final = Contrast(
    "the loss without R1",
    "the loss with R1",
    lambda scores: (change_of_loss(scores)[..., 0], change_of_loss(scores)[..., 1]),
)


@dataclass(frozen=True, kw_only=True)
class FactorClaim(CampaignClaim):
    """A source says which of two changes matters more, and the campaign has trained the grid."""

    plain: tuple[str, ...]
    penalized: tuple[str, ...]
    """The same losses in the same order."""
    contrast: Contrast

    def _found(self, records: Sequence[Record]) -> tuple[str, Verdict]:
        scores = np.array([*grids(records, self.plain, self.penalized).values()])
        if not len(scores):
            raise ValueError(f"{self.campaign} has no seed of all of {', '.join((*self.plain, *self.penalized))}")
        larger, smaller = self.contrast.sizes(scores)
        verdict, p = judge(larger - smaller)
        words = (
            f"{self.contrast.larger} changes the score by {larger.mean():.3f}, {self.contrast.smaller} by "
            f"{smaller.mean():.3f}; more at {np.count_nonzero(larger > smaller)} of {len(scores)} seeds; p {p:.2g}"
        )
        return words, verdict


PLAIN: Final = ("nsgan", "hinge", "rpgan", "lsgan")
PENALIZED: Final = ("nsgan-r1", "hinge + r1(gamma=10)", "rp_bce + r1(gamma=10)", "lsgan + r1(gamma=10)")


def _claims(campaign: str, where: str) -> tuple[FactorClaim, ...]:
    """Return what is said of losses and penalties, of a campaign whose subject ends with `where`."""

    def claim(subject: str, published: str, contrast: Contrast, reason: str) -> FactorClaim:
        return FactorClaim(
            subject=f"{subject}{where}",
            published=published,
            campaign=campaign,
            plain=PLAIN,
            penalized=PENALIZED,
            contrast=contrast,
            reason=reason,
        )

    return (
        claim(
            "the penalty against the loss",
            "the regularizer matters more than the loss, in 12 losses and 14 regularizers (Dong and Yang 2019)",
            PENALTY_AGAINST_LOSS,
            "Four losses, one penalty, images without labels; there the errors of a classifier.",
        ),
        claim(
            "losses without a penalty against losses with one",
            "errors of 12 losses from 5.6 to 90 % without a regularizer, 7.3 to 30 % with R1 (Dong and Yang 2019); "
            "losses equally good at a small Lipschitz constant (Qin et al. 2020)",
            PLAIN_AGAINST_PENALIZED,
            "One penalty at one weight; there, twelve losses and the errors of a classifier.",
        ),
    )


FACTOR_CLAIMS: Final = (
    *_claims("norms", ""),
    *_claims("norms-ln", ", under layer norm"),
    *_claims("norms-sn", ", under spectral norm"),
)
