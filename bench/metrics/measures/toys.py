"""Measures of points in the plane against a known mixture; what they share with images stands in `modes`."""

from typing import Final

from torch import Tensor

from bench.metrics import toys
from bench.metrics.modes import captured
from bench.metrics.registry import constant, metric
from bench.metrics.samples import PointSamples, RealPoints

_CAPTURED_SHARE: Final = 0.2
"""`modes_20` asks for this share of a mode's expected samples, where `modes` asks for one sample."""


def _fresh(real: RealPoints) -> Tensor:
    return toys.projections(real.fresh)


@metric("modes (20 %)", needs=("points", "mixture"), unit="count", higher_is_better=True, bounds=(0.0, None))
def modes_20(samples: PointSamples) -> float:
    """Modes with at least a fifth of their expected samples."""
    expected = len(samples.points) / samples.real.workload.modes
    return float(captured(samples.counts, _CAPTURED_SHARE * expected))


@metric("high quality", needs=("points", "mixture"), unit="share", higher_is_better=True, bounds=(0.0, 1.0))
def high_quality(samples: PointSamples) -> float:
    """Share of points within 3 standard deviations of a mode."""
    return samples.high_quality


@constant("high quality ceiling", needs=("mixture",), unit="share", bounds=(0.0, 1.0))
def high_quality_ceiling(real: RealPoints) -> float:
    """That share of a perfect sampler's points."""
    return toys.HIGH_QUALITY_CEILING


@metric("sliced W2", needs=("points", "mixture"), higher_is_better=False, bounds=(0.0, None))
def sliced_w2(samples: PointSamples) -> float:
    """Sliced 2-Wasserstein distance to fresh real points."""
    return toys.sliced_w2(toys.projections(samples.points), samples.real.once(_fresh))


@constant("sliced W2 floor", needs=("mixture",), bounds=(0.0, None), version="2")
def sliced_w2_floor(real: RealPoints) -> float | None:
    """Sliced W2 of as many real training points as there are samples, to fresh ones.

    The mean over several such sets, of which a single one scatters by a tenth to a fifth. None if they are all at one
    place.
    """
    distances = [toys.sliced_w2(toys.projections(points), real.once(_fresh)) for points in real.train]
    floor = sum(distances) / len(distances)
    return floor if floor > 0.0 else None
