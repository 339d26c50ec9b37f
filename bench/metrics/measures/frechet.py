"""Fréchet distances to the training and to the test images, their floor and their bias."""

import math

from bench.metrics.frechet import Moments, frechet_distance, moments
from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, RealImages


def fitted(samples: ImageSamples) -> Moments:
    """Return the moments of all samples."""
    return moments(samples.features)


@metric("FD", needs=("features", "train"), higher_is_better=False, bounds=(0.0, None))
def fd(samples: ImageSamples) -> float:
    """Fréchet distance to the training images in the data set's frozen classifier.

    A small data set lends both its parts to this reference, see `bench.metrics.reference`.
    """
    real = samples.reference
    return frechet_distance(real.reference, real.root, samples.once(fitted))


@metric("FD (test)", needs=("features", "test"), higher_is_better=False, bounds=(0.0, None))
def fd_test(samples: ImageSamples) -> float:
    """Fréchet distance to the test images."""
    real = samples.reference
    return frechet_distance(real.test, real.test_root, samples.once(fitted))


@constant("FD floor", needs=("train", "test"), bounds=(0.0, None), version="2")
def fd_floor(real: RealImages) -> float | None:
    """FD of as many fresh real images as there are samples.

    None where nothing tells it: the real images are all the same.
    """
    floor = real.reference.floor.item()
    return floor if math.isfinite(floor) else None


@constant("FD bias", needs=("train",), bounds=(0.0, None), version="2")
def fd_bias(real: RealImages) -> float | None:
    """What finite samples alone add to FD, near the data."""
    bias = real.reference.bias.item()
    return bias if math.isfinite(bias) else None
