"""What a gate may say: the words of a verdict, one finding, and the settings that decide."""

from dataclasses import dataclass, field
from typing import Final, Literal

Verdict = Literal["better", "worse", "equivalent", "inconclusive", "not comparable"]
Gate = Literal["quality", "failures", "throughput", "timing", "golden"]
Stage = Literal["once", "1", "2"]
Direction = Literal["better", "worse"]

RATIO_BOUND: Final = 1.10
"""Distances within a tenth of each other count as equal; a worse one must be worse by more."""

SCORE_BOUND: Final = 0.05
"""The same where modes are scored: half of one mode in ten."""

SIGNIFICANCE: Final = 0.05
"""The error rate of the quality gate, for all cells of a direction together."""

FAILURE_SIGNIFICANCE: Final = 0.01
SPEED_SIGNIFICANCE: Final = 0.002
SPEED_THRESHOLD: Final = 0.05

FEWEST_SEEDS: Final = 5
"""With fewer values on a side an interval says nothing, and nobody is told that two cells are equivalent."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a user may choose."""

    stage: Stage = "once"
    threshold: float = SPEED_THRESHOLD
    """By how much slower is a slow-down, as a share."""
    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one gate says about one cell.

    `effect` with its interval is a ratio above 1, or a difference above 0, where NEW is the worse: of distances, of
    score lost, of failure rates, of seconds. `p` is one-sided, in the direction of the effect. Of golden traces it is
    the largest relative difference, and whatever exceeds the tolerance is worse.
    """

    gate: Gate
    verdict: Verdict
    note: str = ""
    base: float | None = None
    new: float | None = None
    base_count: int = 0
    new_count: int = 0
    scale: Literal["ratio", "difference", "relative"] = "ratio"
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    test: str = ""
    flagged: Direction | None = None
    """Suspected by the screen, and not decided: fresh seeds must tell."""
    able: bool = False
    """Whether so many values could have shown a difference at all, or the two are known to be equal."""


@dataclass(frozen=True)
class Flag:
    """A cell that stage 1 suspects, in the direction it suspects, and the seeds of NEW that it has looked at."""

    direction: Direction
    seeds: tuple[int, ...] = field(default=())


def incomparable(gate: Gate, why: str) -> Finding:
    return Finding(gate=gate, verdict="not comparable", note=why)
