"""What a gate may say: the words of a verdict, one finding, and the settings that decide."""

from dataclasses import dataclass, field
from typing import Final, Literal

GateVerdict = Literal["better", "worse", "equivalent", "inconclusive", "not comparable"]
Gate = Literal["quality", "failures", "throughput", "timing", "golden"]
Stage = Literal["once", "1", "2"]
Direction = Literal["better", "worse"]

RATIO_BOUND: Final = 1.10
"""Distances within a tenth of each other count as equal; a worse one must be worse by more."""

SCORE_BOUND: Final = 0.05
"""The same where modes are scored: half of one mode in ten."""

FALSE_ALARMS: Final = 0.05
"""At most this share of comparisons of equal things raises any alarm: all gates, cells and both directions together."""

QUALITY_SIGNIFICANCE: Final = 0.03
FAILURE_SIGNIFICANCE: Final = 0.015
TIME_SIGNIFICANCE: Final = 0.005
"""What each gate has of it, for all cells and both directions."""

SCREEN_SIGNIFICANCE: Final = 0.05
"""Of one cell in stage 1, in one direction. The screen suspects, and decides nothing."""

SPEED_THRESHOLD: Final = 0.05

LOOSE_THRESHOLD: Final = 0.5
"""The least slow-down of what has no reference beside it, as the reference itself. The runs of one campaign share the
machine's mood: those that are published drift by a fifth and more, from seed to seed and together."""

FEWEST_SEEDS: Final = 5
"""With fewer values on a side an interval says nothing, and nobody is told that two cells are equivalent."""


@dataclass(frozen=True, kw_only=True)
class GateSettings:
    """What a user may choose."""

    stage: Stage = "once"
    threshold: float = SPEED_THRESHOLD
    """By how much slower is a slow-down, as a share."""
    resamples: int = 10_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class GateFinding:
    """What one gate says about one cell.

    `effect` with its interval is a ratio above 1, or a difference above 0, where NEW is the worse: of distances, of
    score lost, of failure rates, of seconds. `p` is one-sided, in the direction of the effect, and of quality and time
    it is held against the tolerance: that the effect is larger than what counts as equal. Of golden traces the effect
    is the largest relative difference, and whatever exceeds the tolerance is worse.
    """

    gate: Gate
    verdict: GateVerdict
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
    """`p` for all cells and both directions together."""
    detectable: float | None = None
    """The effect that four comparisons in five would find, as `effect` is written; none where none could be found."""
    test: str = ""
    flagged: Direction | None = None
    """Suspected by the screen, and not decided: fresh seeds must tell."""
    able: bool = False
    """Whether so many values could have shown a difference at all, or the two are known to be equal."""
    excused: bool = False
    """Whether it may rest with that: BASE has nothing to compare, or times are of two machines."""
    missing: bool = False
    """Whether NEW simply has none of it, and not another one that cannot be compared."""


@dataclass(frozen=True)
class Flag:
    """A cell that stage 1 suspects, in the direction it suspects, and the seeds of NEW that it has looked at."""

    direction: Direction
    seeds: tuple[int, ...] = field(default=())


def incomparable(gate: Gate, why: str, *, excused: bool = False, missing: bool = False) -> GateFinding:
    return GateFinding(gate=gate, verdict="not comparable", note=why, excused=excused, missing=missing)
