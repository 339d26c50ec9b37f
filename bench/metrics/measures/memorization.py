"""Does a generator repeat its training images? Diagnostics, never part of a ranking.

None of them is proof on its own: a generator far from the data has high ratios and is always `authentic`. Read them
next to their floors, and only for generators whose distance is good.
"""

import math

from torch import Tensor

from bench.metrics.frechet import frechet_distance
from bench.metrics.measures.frechet import fd_test, fitted
from bench.metrics.neighbors import authentic_share, median_distance, nearest
from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, RealImages


@metric("FD gap", needs=("features", "train", "test"), higher_is_better=None)
def fd_gap(samples: ImageSamples) -> float | None:
    """FD to the test part less FD to the training part, over the FD of the two.

    Copies of the training part get 1, copies of the test part -1. Unseen images get `fd_gap_floor`. That is above 0 if
    the test part is the smaller one, since distances to fewer images are biased upwards more. None if the parts have no
    distance.
    """
    real = samples.reference
    between = real.between.item()
    to_train = frechet_distance(real.train, real.train_root, samples.once(fitted))
    return (samples.once(fd_test) - to_train) / between if between > 0.0 else None


@constant("FD gap of unseen images", needs=("train", "test"), version="2")
def fd_gap_floor(real: RealImages) -> float | None:
    """FD gap that finite samples alone cause in images nobody has seen."""
    between, gap = real.reference.between.item(), real.reference.gap.item()
    return gap / between if between > 0.0 and math.isfinite(gap) else None


def _nearest_training(samples: ImageSamples) -> tuple[Tensor, Tensor]:
    return nearest(samples.few, samples.reference.training)


@metric(
    "neighbor ratio",
    needs=("features", "training_images", "test"),
    higher_is_better=None,
    bounds=(0.0, None),
    version="2",
)
def neighbour_ratio(samples: ImageSamples) -> float | None:
    """Median distance to the nearest training image, over that of real test images.

    Far below 1 for copies, about 1 at the data, above 1 where samples are far from it.
    None if the test images are copies themselves.
    """
    of_test_images = samples.reference.test_nearest.item()
    return median_distance(samples.once(_nearest_training)[0]) / of_test_images if of_test_images > 0.0 else None


@metric(
    "authentic",
    needs=("features", "training_images"),
    unit="share",
    higher_is_better=True,
    bounds=(0.0, 1.0),
    version="2",
)
def authentic(samples: ImageSamples) -> float:
    """Share of fakes that are no copies of a training image (AuthPct).

    They are farther from their nearest training image than that one is from the training image nearest to it;
    Alaa et al., "How faithful is your synthetic data?", 2022. 0 for copies, about a half at the data.
    """
    return authentic_share(*samples.once(_nearest_training), samples.reference.training_nearest)


@constant("authentic, real", needs=("training_images", "test"), unit="share", bounds=(0.0, 1.0), version="2")
def authentic_ceiling(real: RealImages) -> float:
    """Share of authentic images among the real test images."""
    return real.reference.test_authentic.item()
