"""What a metric may use: the samples of one evaluation and the real data. Each tensor is computed once, on demand."""

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Generic, Self, TypeVar, cast

import torch
from torch import Tensor, nn

from bench.config.workload import Mixture, Workload
from bench.data import Arrays
from bench.extractors.embedding import embed
from bench.metrics.modes import histogram_divergence, mode_indices
from bench.metrics.neighbors import NEIGHBOR_IMAGES
from bench.metrics.order import shuffled
from bench.metrics.reference import Reference
from bench.metrics.toys import high_quality_counts

_Value = TypeVar("_Value")

_POINT_SETS = 5
"""The most sets of training points that are measured as if they were samples."""


class _Shared:
    def __init__(self) -> None:
        self._known: dict[Hashable, object] = {}

    def once(self, compute: Callable[[Self], _Value]) -> _Value:
        """Return compute(self). It is computed at the first call only, so that several metrics can share it."""
        if compute not in self._known:
            self._known[compute] = compute(self)
        return cast(_Value, self._known[compute])


class RealImages(_Shared):
    """The real images of a workload, the number of samples of an evaluation, and the accuracy of the classifier."""

    def __init__(self, workload: Workload, reference: Reference, count: int, accuracy: float | None) -> None:
        super().__init__()
        self.workload = workload
        self.reference = reference
        self.count = count
        self.accuracy = accuracy

    @cached_property
    def uniform(self) -> Tensor:
        """The same share for every mode [K]."""
        return torch.full_like(self.reference.frequencies, 1.0 / self.workload.modes)

    @property
    def imbalance(self) -> float:
        """The divergence, in nats, of the real modes' histogram from the uniform one."""
        divergence = histogram_divergence(self.reference.frequencies, self.uniform)
        assert divergence is not None
        return divergence


class RealPoints(_Shared):
    """A toy's mixture, fresh points of it [M, 2], and sets of as many training points as an evaluation has samples."""

    def __init__(self, workload: Workload, arrays: Arrays, device: torch.device, count: int) -> None:
        super().__init__()
        assert workload.mixture is not None
        self.workload = workload
        self.mixture: Mixture = workload.mixture
        self.fresh = torch.from_numpy(arrays.test).to(device)
        points = torch.from_numpy(arrays.train).to(device)
        self.train = points[: _POINT_SETS * count].split(count)
        self.count = count
        self.uniform = torch.full((workload.modes,), 1.0 / workload.modes, device=device)
        self.imbalance = 0.0


_Real = TypeVar("_Real", RealImages, RealPoints)


class _Samples(_Shared, Generic[_Real]):
    def __init__(self, real: _Real) -> None:
        super().__init__()
        self.real: _Real = real


class ImageSamples(_Samples[RealImages]):
    """Generated images in the extractor's features."""

    def __init__(self, images: Tensor, real: RealImages, extractor: nn.Module, device: torch.device) -> None:
        super().__init__(real)
        self._images = images
        self._extractor = extractor
        self._device = device

    @property
    def reference(self) -> Reference:
        return self.real.reference

    @cached_property
    def _embedded(self) -> tuple[Tensor, Tensor]:
        return embed(self._extractor, self._images, self._device)

    @property
    def features(self) -> Tensor:
        """Features of all samples [N, d]."""
        return self._embedded[0]

    @property
    def logits(self) -> Tensor:
        """Logits of all samples [N, k], or [N, C, k] of C channels."""
        return self._embedded[1]

    @cached_property
    def counts(self) -> Tensor:
        """How many samples were read as each mode [K]."""
        return torch.bincount(mode_indices(self.logits), minlength=self.real.workload.modes)

    @cached_property
    def few(self) -> Tensor:
        """Features of at most `NEIGHBOR_IMAGES` samples, a fixed random choice, for metrics that compare all pairs."""
        return shuffled(self.features, "evaluation/few", NEIGHBOR_IMAGES)


class PointSamples(_Samples[RealPoints]):
    """Generated points [N, 2]."""

    def __init__(self, points: Tensor, real: RealPoints) -> None:
        super().__init__(real)
        self.points = points

    @cached_property
    def _assigned(self) -> tuple[Tensor, float]:
        return high_quality_counts(self.points, self.real.mixture)

    @property
    def counts(self) -> Tensor:
        """How many samples of high quality belong to each mode [K]."""
        return self._assigned[0]

    @property
    def high_quality(self) -> float:
        """The share of samples of high quality."""
        return self._assigned[1]
