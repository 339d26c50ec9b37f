"""Precision, recall, density and coverage, and what fresh real images reach.

Precision says nothing without recall, nor density without coverage: identical samples in a crowded place have a high
precision and density. On `mnist` the untrained generator has a precision of 1.00, uniform noise has .92, and black
images have a density of .40. Always show the second of each pair beside the first.
"""

from bench.metrics.neighbors import Neighborhood, compare
from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, RealImages


def _neighborhood(samples: ImageSamples) -> Neighborhood:
    real = samples.reference
    return compare(samples.few, real.features, (real.precision_radii, real.coverage_radii))


@metric("precision", needs=("features", "train"), unit="share", higher_is_better=True, bounds=(0.0, 1.0), version="2")
def precision(samples: ImageSamples) -> float:
    """Share of fakes within the reals' manifold (k = 3); says nothing without recall."""
    return samples.once(_neighborhood).precision


@metric("recall", needs=("features", "train"), unit="share", higher_is_better=True, bounds=(0.0, 1.0), version="2")
def recall(samples: ImageSamples) -> float:
    """Share of reals within the fakes' manifold (k = 3)."""
    return samples.once(_neighborhood).recall


@metric("density", needs=("features", "train"), higher_is_better=True, bounds=(0.0, None), version="2")
def density(samples: ImageSamples) -> float:
    """Mean number of real balls a fake lies in, over k = 5; 1 at the data; says nothing without coverage."""
    return samples.once(_neighborhood).density


@metric("coverage", needs=("features", "train"), unit="share", higher_is_better=True, bounds=(0.0, 1.0), version="2")
def coverage(samples: ImageSamples) -> float:
    """Share of reals whose ball holds a fake (k = 5)."""
    return samples.once(_neighborhood).coverage


@constant("precision ceiling", needs=("train", "test"), unit="share", bounds=(0.0, 1.0), version="2")
def precision_ceiling(real: RealImages) -> float:
    """Precision of fresh real images, in the proportion of fakes to reference images."""
    return real.reference.neighbourhood[0].item()


@constant("recall ceiling", needs=("train", "test"), unit="share", bounds=(0.0, 1.0), version="2")
def recall_ceiling(real: RealImages) -> float:
    """Recall of fresh real images, in the proportion of fakes to reference images."""
    return real.reference.neighbourhood[1].item()


@constant("density ceiling", needs=("train", "test"), bounds=(0.0, None), version="2")
def density_ceiling(real: RealImages) -> float:
    """Density of fresh real images, in the proportion of fakes to reference images."""
    return real.reference.neighbourhood[2].item()


@constant("coverage ceiling", needs=("train", "test"), unit="share", bounds=(0.0, 1.0), version="2")
def coverage_ceiling(real: RealImages) -> float:
    """Coverage by fresh real images, in the proportion of fakes to reference images."""
    return real.reference.neighbourhood[3].item()
