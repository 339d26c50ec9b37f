"""Distances, precision and recall in CLIP: measured once, when a trial has ended, where its weights are named."""

from bench.config.judges import CLIP, JUDGES
from bench.metrics.judges import JudgeReals, JudgeSamples
from bench.metrics.registry import constant, describe, metric


@metric("FD[clip-vit-b-32]", needs=("clip",), higher_is_better=False, bounds=(0.0, None))
def clip_fd(samples: JudgeSamples) -> float:
    """Fréchet distance to the training images in CLIP, at the end of the run.

    `clip_samples` says of how many samples: fewer bias it upwards, so compare it among equal numbers only.
    """
    return samples.frechet_distance()


@constant("FD[clip-vit-b-32] floor", needs=("clip",), bounds=(0.0, None))
def clip_fd_floor(reals: JudgeReals) -> float:
    """FD in CLIP of the real test images, however many there are."""
    return reals.floor


@metric("KD[clip-vit-b-32]", needs=("clip",), higher_is_better=False)
def clip_kd(samples: JudgeSamples) -> float:
    """Kernel distance to the training images in CLIP, mean of 100 subsets of 1,000."""
    return samples.kernel_distance()


@metric("precision[clip-vit-b-32]", needs=("clip",), unit="share", higher_is_better=True, bounds=(0.0, 1.0))
def clip_precision(samples: JudgeSamples) -> float:
    """Share of fakes within the reals' manifold in CLIP (k = 3); says nothing without recall."""
    return samples.neighborhood.precision


@constant("precision[clip-vit-b-32] ceiling", needs=("clip",), unit="share", bounds=(0.0, 1.0))
def clip_precision_ceiling(reals: JudgeReals) -> float:
    """Precision in CLIP of training images against others, in the proportion of fakes to training images."""
    return reals.precision


@metric("recall[clip-vit-b-32]", needs=("clip",), unit="share", higher_is_better=True, bounds=(0.0, 1.0))
def clip_recall(samples: JudgeSamples) -> float:
    """Share of reals within the fakes' manifold in CLIP (k = 3)."""
    return samples.neighborhood.recall


@constant("recall[clip-vit-b-32] ceiling", needs=("clip",), unit="share", bounds=(0.0, 1.0))
def clip_recall_ceiling(reals: JudgeReals) -> float:
    """Recall in CLIP of training images against others, in the proportion of fakes to training images."""
    return reals.recall


describe(
    JUDGES[CLIP].samples,
    "CLIP samples",
    "How many samples the numbers in CLIP are computed from",
    needs=("clip",),
    higher_is_better=None,
    bounds=(4.0, None),
)
