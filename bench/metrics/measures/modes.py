"""Modes found and how evenly, by the classifier or in a known mixture; and how surely the classifier reads samples."""

from typing import Final

from bench.metrics import modes as mode_counts
from bench.metrics.modes import captured, divergence_floor, histogram_divergence
from bench.metrics.registry import constant, metric
from bench.metrics.samples import ImageSamples, PointSamples, RealImages, RealPoints

_ROBUST_COUNT: Final = 5.0
"""`modes_5` asks for this many samples of a mode: one may be a slip of the classifier."""


@metric("modes", needs=("modes",), unit="count", higher_is_better=True, bounds=(0.0, None))
def modes(samples: ImageSamples | PointSamples) -> float:
    """Modes with at least one sample (toys: of high quality)."""
    return float(captured(samples.counts))


@metric("modes (5)", needs=("modes", "logits"), unit="count", higher_is_better=True, bounds=(0.0, None))
def modes_5(samples: ImageSamples) -> float:
    """Modes with at least five samples."""
    return float(captured(samples.counts, _ROBUST_COUNT))


@metric("KL uniform", needs=("modes",), unit="nats", higher_is_better=False, bounds=(0.0, None))
def kl_uniform(samples: ImageSamples | PointSamples) -> float | None:
    """Divergence of the mode histogram from the uniform one.

    None if no sample belongs to a mode.
    """
    return histogram_divergence(samples.counts, samples.real.uniform)


@constant("KL uniform floor", needs=("modes",), unit="nats", bounds=(0.0, None))
def kl_uniform_floor(real: RealImages | RealPoints) -> float:
    """KL uniform expected of as many real samples."""
    return real.imbalance + divergence_floor(real.workload.modes, real.count)


@metric("KL real", needs=("modes", "classes"), unit="nats", higher_is_better=False, bounds=(0.0, None))
def kl_real(samples: ImageSamples) -> float | None:
    """Divergence of the mode histogram from the training data's."""
    return histogram_divergence(samples.counts, samples.reference.frequencies)


@constant("KL real floor", needs=("modes", "classes"), unit="nats", bounds=(0.0, None))
def kl_real_floor(real: RealImages) -> float:
    """KL real expected of as many real samples."""
    return divergence_floor(real.workload.modes, real.count)


@metric("unreadable", needs=("logits",), unit="share", higher_is_better=False, bounds=(0.0, 1.0))
def unreadable(samples: ImageSamples) -> float:
    """Share of samples the classifier is less than 90 % sure of."""
    return mode_counts.unreadable_share(samples.logits)


@constant("unreadable floor", needs=("logits", "test"), unit="share", bounds=(0.0, 1.0))
def unreadable_floor(real: RealImages) -> float:
    """The same share of the real test images, or of stacks of them."""
    alone = real.reference.unreadable.item()
    # A stack is read where all of its images are, which are drawn independently.
    return alone if real.workload.stack == 1 else 1.0 - (1.0 - alone) ** real.workload.stack


@constant("classifier accuracy", needs=("classes",), unit="share", bounds=(0.0, 1.0))
def extractor_accuracy(real: RealImages) -> float | None:
    """Share of the test images whose class the classifier gets right.

    Of a stack of images it is the single images'.
    """
    return real.accuracy


@metric("classifier score", needs=("logits",), higher_is_better=True, bounds=(1.0, None))
def classifier_score(samples: ImageSamples) -> float:
    """Inception score in the data set's own classifier, between 1 and the number of modes."""
    return mode_counts.classifier_score(samples.logits)


@constant("classifier score ceiling", needs=("logits", "test"), bounds=(1.0, None))
def classifier_score_ceiling(real: RealImages) -> float:
    """Classifier score of the real test images."""
    return real.reference.classifier_score.item()
