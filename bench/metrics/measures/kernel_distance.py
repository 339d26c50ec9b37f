"""The kernel distance."""

from bench.metrics.kernel_distance import kernel_distance
from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, RealImages


@metric("KD", needs=("features", "train"), higher_is_better=False, version="2")
def kid(samples: ImageSamples) -> float:
    """Kernel distance: unbiased squared MMD under a cubic kernel."""
    return kernel_distance(samples.few, samples.reference.features)


@constant("KD floor", needs=("train", "test"), version="2")
def kid_floor(real: RealImages) -> float:
    """KD of fresh real images; unbiased, so that it is about 0 but for its scatter."""
    return real.reference.kid_floor.item()
