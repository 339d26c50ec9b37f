"""The Vendi score, and what real images reach."""

from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, RealImages
from bench.metrics.vendi import vendi_score


@metric("Vendi", needs=("features",), unit="count", higher_is_better=True, bounds=(1.0, None))
def vendi(samples: ImageSamples) -> float:
    """How many samples with nothing in common would be as diverse (cosine kernel); it knows nothing of fidelity."""
    return vendi_score(samples.features)


@constant("Vendi ceiling", needs=("train", "test"), unit="count", bounds=(1.0, None))
def vendi_ceiling(real: RealImages) -> float:
    """Vendi score of as many real images as there are samples, or of all there are."""
    return real.reference.vendi.item()
