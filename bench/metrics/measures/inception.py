"""FID, KID and the Inception score: measured once, when a trial has ended, where Inception's weights are there."""

from bench.config.judges import JUDGES
from bench.config.protocol import INCEPTION
from bench.metrics import inception
from bench.metrics.inception import InceptionSamples
from bench.metrics.judged_workload import Reals
from bench.metrics.registry import constant, describe, metric


@metric("FID", needs=("inception",), higher_is_better=False, bounds=(0.0, None))
def fid(samples: InceptionSamples) -> float:
    """Fréchet distance to the training images in Inception (inception-v3-compat), at the end of the run.

    `fid_samples` says of how many samples: fewer bias it upwards, so compare it among equal numbers only.
    """
    return samples.frechet_distance()


@constant("FID floor", needs=("inception",), bounds=(0.0, None))
def fid_floor(reals: Reals) -> float:
    """FID of the real test images, however many there are."""
    return reals.floor


@metric("KID", needs=("inception",), higher_is_better=False)
def inception_kid(samples: InceptionSamples) -> float:
    """Kernel distance to the training images in Inception, mean of 100 subsets of 1,000."""
    return samples.kernel_distance()


@metric("IS", needs=("inception",), higher_is_better=True, bounds=(1.0, 1008.0))
def inception_score(samples: InceptionSamples) -> float | None:
    """Inception score, mean of ten splits.

    None with fewer than ten samples.
    """
    return inception.inception_score(samples.logits)


describe(
    JUDGES[INCEPTION].samples,
    "FID samples",
    "How many samples FID, KID and IS in Inception are computed from",
    needs=("inception",),
    higher_is_better=None,
    bounds=(2.0, None),
)
