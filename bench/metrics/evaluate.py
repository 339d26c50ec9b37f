"""All metrics of a workload at once: hand `Evaluator` the samples of a frozen generator, get numbers by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import torch
from torch import Tensor

from bench.config.workload import Workload
from bench.data import Arrays
from bench.metrics.extractors import embed, load_extractor
from bench.metrics.frechet import fd_bias, frechet_distance, moments
from bench.metrics.kernel import kid
from bench.metrics.modes import captured, divergence_floor, histogram_divergence, mode_indices, unreadable_share
from bench.metrics.neighbours import PRECISION_NEIGHBOUR, compare
from bench.metrics.reference import NEIGHBOUR_IMAGES, load_or_build
from bench.metrics.toys import HIGH_QUALITY_CEILING, mixture_scores, sliced_w2

Scores = dict[str, float | None]

_ROBUST_COUNT: Final = 5.0
"""`modes_5` asks for this many samples of a mode: one may be a slip of the classifier."""


class _Measures(Protocol):
    constants: Scores

    @property
    def primary(self) -> str: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def check(self, samples: Tensor) -> None: ...

    def measure(self, samples: Tensor) -> Scores: ...


class Evaluator:
    """Everything that is measured on samples of one workload.

    Attributes:
        primary: the metric that is the workload's distance: `fd` for images, `sliced_w2` for toys.
        constants: what is printed beside the metrics and does not depend on the samples, such as floors.
    """

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        device: torch.device,
        cache_dir: Path | None = None,
        samples: int | None = None,
    ) -> None:
        """Measure the real data, or read from the cache what was measured before.

        Args:
            workload: what is evaluated.
            arrays: its data.
            device: where features are computed.
            cache_dir: where measurements of the real data are kept; a folder in the user's cache when None.
            samples: how many samples an evaluation will have, for the floors; the workload's number when None.
        """
        count = samples if samples is not None else workload.samples
        with full_precision(device):
            self._measures: _Measures = (
                _ToyMeasures(workload, arrays, device, count)
                if workload.is_toy
                else _ImageMeasures(workload, arrays, device, count, cache_dir)
            )
        self._device = device
        self.primary = self._measures.primary
        self.constants = self._measures.constants

    @torch.no_grad()
    def evaluate(self, samples: Tensor) -> Scores:
        """Return every metric of the samples; all of them None if a sample is not finite.

        Args:
            samples: uint8 images [N, C, 32, 32] with N > 3, or floating-point points [N, 2] for a toy.

        Raises:
            ValueError: the samples have another type or shape, or are too few.
        """
        if samples.is_floating_point() and not bool(samples.isfinite().all()):
            return dict.fromkeys(self._measures.names)
        self._measures.check(samples)
        with full_precision(self._device):
            return self._measures.measure(samples.to(self._device))


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Measure in float32 proper, whatever precision the networks are trained in; restored afterwards."""
    products = torch.get_float32_matmul_precision()
    convolutions = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(products)
        torch.backends.cudnn.allow_tf32 = convolutions


class _ImageMeasures:
    primary = "fd"
    names = (
        *("fd", "fd_test", "kid", "precision", "recall", "density", "coverage"),
        *("modes", "modes_5", "kl_uniform", "kl_real", "unreadable"),
    )

    def __init__(
        self, workload: Workload, arrays: Arrays, device: torch.device, count: int, cache_dir: Path | None
    ) -> None:
        assert workload.extractor is not None
        self._workload = workload
        self._device = device
        self._extractor = load_extractor(workload.extractor, device)
        self._reference = load_or_build(workload, arrays, self._extractor, device, cache_dir)
        real = self._reference
        imbalance = histogram_divergence(real.frequencies, self._uniform())
        assert imbalance is not None
        floor = divergence_floor(workload.modes, count)
        self.constants: Scores = {
            "fd_floor": real.floor.item(),
            "fd_bias": fd_bias(real.covariance, count, int(real.count.item())),
            "kl_uniform_floor": imbalance + floor,
            "kl_real_floor": floor,
            "unreadable_floor": real.unreadable.item(),
        }

    def _uniform(self) -> Tensor:
        return torch.full_like(self._reference.frequencies, 1.0 / self._workload.modes)

    def check(self, samples: Tensor) -> None:
        if len(samples) <= PRECISION_NEIGHBOUR:
            raise ValueError(f"{len(samples)} samples are too few to evaluate; at least {PRECISION_NEIGHBOUR + 1}")
        size = self._workload.image_size
        expected = (self._workload.channels, size, size)
        if samples.dtype != torch.uint8 or samples.shape[1:] != expected:
            raise ValueError(
                f"{self._workload.name} is evaluated on uint8 images [N, {', '.join(map(str, expected))}], "
                f"not on {samples.dtype} {[*samples.shape]}"
            )

    def measure(self, samples: Tensor) -> Scores:
        real = self._reference
        features, logits = embed(self._extractor, samples, self._device)
        fitted = moments(features)
        few = features[:NEIGHBOUR_IMAGES]
        neighbourhood = compare(few, real.features, (real.precision_radii, real.coverage_radii))
        counts = torch.bincount(mode_indices(logits), minlength=self._workload.modes)
        return {
            "fd": frechet_distance(real.train, real.root, fitted),
            "fd_test": frechet_distance(real.test, real.test_root, fitted),
            "kid": kid(few, real.features),
            "precision": neighbourhood.precision,
            "recall": neighbourhood.recall,
            "density": neighbourhood.density,
            "coverage": neighbourhood.coverage,
            "modes": float(captured(counts)),
            "modes_5": float(captured(counts, _ROBUST_COUNT)),
            "kl_uniform": histogram_divergence(counts, self._uniform()),
            "kl_real": histogram_divergence(counts, real.frequencies),
            "unreadable": unreadable_share(logits),
        }


class _ToyMeasures:
    primary = "sliced_w2"
    names = ("modes", "modes_20", "high_quality", "kl_uniform", "sliced_w2")

    def __init__(self, workload: Workload, arrays: Arrays, device: torch.device, count: int) -> None:
        assert workload.mixture is not None
        self._name = workload.name
        self._mixture = workload.mixture
        self._fresh = torch.from_numpy(arrays.test).to(device)
        real = torch.from_numpy(arrays.train[:count]).to(device)
        self.constants: Scores = {
            "sliced_w2_floor": sliced_w2(real, self._fresh),
            "kl_uniform_floor": divergence_floor(workload.modes, count),
            "high_quality_ceiling": HIGH_QUALITY_CEILING,
        }

    def check(self, samples: Tensor) -> None:
        if not samples.is_floating_point() or samples.shape[1:] != (2,):
            raise ValueError(f"{self._name} is evaluated on points [N, 2], not on {samples.dtype} {[*samples.shape]}")

    def measure(self, samples: Tensor) -> Scores:
        return {**mixture_scores(samples, self._mixture), "sliced_w2": sliced_w2(samples, self._fresh)}
