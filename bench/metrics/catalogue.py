"""What each metric is called and which way is better, for tables and figures. Importing it needs no torch."""

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["", "share", "nats", "count"]


@dataclass(frozen=True)
class Metric:
    """One number of an evaluation. `higher_is_better` is None where neither direction is."""

    name: str
    title: str
    unit: Unit
    higher_is_better: bool | None
    summary: str


_METRICS: Final = (
    Metric("fd", "FD", "", False, "Fréchet distance to the training images in the data set's frozen classifier"),
    Metric("fd_test", "FD (test)", "", False, "Fréchet distance to the test images"),
    Metric("fd_init", "FD untrained", "", None, "FD of the untrained generator"),
    Metric("fd_best", "FD best", "", False, "the smallest FD of any evaluation"),
    Metric("fd_floor", "FD floor", "", None, "FD of the real test images to the real training images"),
    Metric("fd_bias", "FD bias", "", None, "what finite samples alone add to FD, near the data"),
    Metric("kid", "KD", "", False, "kernel distance: unbiased squared MMD under a cubic kernel"),
    Metric("precision", "precision", "share", True, "share of fakes within the reals' manifold (k = 3)"),
    Metric("recall", "recall", "share", True, "share of reals within the fakes' manifold (k = 3)"),
    Metric("density", "density", "", True, "mean number of real balls a fake lies in, over k = 5; 1 at the data"),
    Metric("coverage", "coverage", "share", True, "share of reals whose ball holds a fake (k = 5)"),
    Metric("modes", "modes", "count", True, "modes with at least one sample (toys: of high quality)"),
    Metric("modes_5", "modes (5)", "count", True, "modes with at least five samples"),
    Metric("modes_20", "modes (20 %)", "count", True, "modes with at least a fifth of their expected samples"),
    Metric("kl_uniform", "KL uniform", "nats", False, "divergence of the mode histogram from the uniform one"),
    Metric("kl_uniform_floor", "KL uniform floor", "nats", None, "KL uniform expected of as many real samples"),
    Metric("kl_real", "KL real", "nats", False, "divergence of the mode histogram from the training data's"),
    Metric("kl_real_floor", "KL real floor", "nats", None, "KL real expected of as many real samples"),
    Metric("unreadable", "unreadable", "share", False, "share of samples the classifier is less than 90 % sure of"),
    Metric("unreadable_floor", "unreadable floor", "share", None, "the same share of the real test images"),
    Metric("high_quality", "high quality", "share", True, "share of points within 3 standard deviations of a mode"),
    Metric("high_quality_ceiling", "high quality ceiling", "share", None, "that share of a perfect sampler's points"),
    Metric("sliced_w2", "sliced W2", "", False, "sliced 2-Wasserstein distance to fresh real points"),
    Metric("sliced_w2_init", "sliced W2 untrained", "", None, "sliced W2 of the untrained generator"),
    Metric("sliced_w2_best", "sliced W2 best", "", False, "the smallest sliced W2 of any evaluation"),
    Metric("sliced_w2_floor", "sliced W2 floor", "", None, "sliced W2 of real training points to fresh ones"),
    Metric("distance", "distance", "", False, "the workload's primary distance: FD for images, sliced W2 for toys"),
    Metric("distance_init", "distance untrained", "", None, "the primary distance of the untrained generator"),
    Metric("distance_best", "distance best", "", False, "the smallest primary distance of any evaluation"),
    Metric("distance_floor", "distance floor", "", None, "the primary distance of real data to real data"),
)

CATALOGUE: Final[dict[str, Metric]] = {metric.name: metric for metric in _METRICS}
"""Every metric that a record can hold, by name."""
