"""Distances, precision and recall in VGG16: measured once, when a trial has ended, where its weights are named."""

from bench.config.judges import JUDGES, VGG16
from bench.metrics.judges import JudgeReals, JudgeSamples
from bench.metrics.registry import constant, describe, metric


@metric("FD[vgg16]", needs=("vgg16",), higher_is_better=False, bounds=(0.0, None))
def vgg16_fd(samples: JudgeSamples) -> float:
    """Fréchet distance to the training images in VGG16, at the end of the run.

    `vgg16_samples` says of how many samples: fewer bias it upwards, so compare it among equal numbers only.
    """
    return samples.frechet_distance()


@constant("FD[vgg16] floor", needs=("vgg16",), bounds=(0.0, None))
def vgg16_fd_floor(reals: JudgeReals) -> float:
    """FD in VGG16 of the real test images, however many there are."""
    return reals.floor


@metric("KD[vgg16]", needs=("vgg16",), higher_is_better=False)
def vgg16_kd(samples: JudgeSamples) -> float:
    """Kernel distance to the training images in VGG16, mean of 100 subsets of 1,000."""
    return samples.kernel_distance()


@metric("precision[vgg16]", needs=("vgg16",), unit="share", higher_is_better=True, bounds=(0.0, 1.0))
def vgg16_precision(samples: JudgeSamples) -> float:
    """Share of fakes within the reals' manifold in VGG16 (k = 3); says nothing without recall."""
    return samples.neighborhood.precision


@constant("precision[vgg16] ceiling", needs=("vgg16",), unit="share", bounds=(0.0, 1.0))
def vgg16_precision_ceiling(reals: JudgeReals) -> float:
    """Precision in VGG16 of training images against others, in the proportion of fakes to training images."""
    return reals.precision


@metric("recall[vgg16]", needs=("vgg16",), unit="share", higher_is_better=True, bounds=(0.0, 1.0))
def vgg16_recall(samples: JudgeSamples) -> float:
    """Share of reals within the fakes' manifold in VGG16 (k = 3)."""
    return samples.neighborhood.recall


@constant("recall[vgg16] ceiling", needs=("vgg16",), unit="share", bounds=(0.0, 1.0))
def vgg16_recall_ceiling(reals: JudgeReals) -> float:
    """Recall in VGG16 of training images against others, in the proportion of fakes to training images."""
    return reals.recall


describe(
    JUDGES[VGG16].samples,
    "VGG16 samples",
    "How many samples the numbers in VGG16 are computed from",
    needs=("vgg16",),
    higher_is_better=None,
    bounds=(4.0, None),
)
