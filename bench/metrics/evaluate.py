"""All metrics of a workload at once: `Evaluator` turns samples of a frozen generator into numbers by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from bench.config.workload import Workload
from bench.data import Arrays, content_hash, settled
from bench.extractors import workload_extractor
from bench.metrics.neighbors import PRECISION_NEIGHBOR
from bench.metrics.reference import load_or_build
from bench.metrics.registry import applicable
from bench.metrics.samples import ImageSamples, PointSamples, RealImages, RealPoints

Scores = dict[str, float | None]


class _Sampled(Protocol):
    primary: str

    @property
    def real(self) -> RealImages | RealPoints: ...

    def check(self, samples: Tensor) -> None: ...

    def wrap(self, samples: Tensor) -> ImageSamples | PointSamples: ...


class Evaluator:
    """Measures samples of one workload.

    Attributes:
        primary: the metric that is the workload's distance: `fd` for images, `sliced_w2` for toys.
        constants: numbers that do not depend on the samples and are printed beside the metrics, such as floors.
    """

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        device: torch.device,
        cache_dir: Path | None = None,
        samples: int | None = None,
        extractor: str = "",
    ) -> None:
        """Measure the real data, or read earlier measurements from the cache.

        Args:
            workload: what is evaluated.
            arrays: its data.
            device: where features are computed.
            cache_dir: where measurements of the real data are kept; a folder in the user's cache if None.
            samples: how many samples an evaluation will have, for the floors; the workload's number if None, or the
                one that its data decides on.
            extractor: the component `extractor` of the trial. The images are measured in the extractor that it names,
                and its weights are checked.

        Raises:
            ValueError: the extractor's weights are missing, or are not those that were planned.
        """
        workload = workload_extractor.as_recorded(workload, extractor)
        count = samples or workload.samples or settled(workload, arrays).samples
        with full_precision(device):
            self._sampled: _Sampled = (
                _Points(workload, arrays, device, count)
                if workload.is_toy
                else _Images(workload, arrays, device, count, cache_dir, extractor)
            )
            self.constants: Scores = {
                metric.about.name: metric(self._sampled.real) for metric in applicable(workload, "constant")
            }
        self._device = device
        self._metrics = applicable(workload, "measured")
        self.primary = self._sampled.primary

    @torch.no_grad()
    def evaluate(self, samples: Tensor) -> Scores:
        """Return every metric of the samples; all are None if a sample is not finite.

        Args:
            samples: uint8 images [N, C, 32, 32] with N > 3, or floating-point points [N, 2] for a toy.

        Raises:
            ValueError: the samples have another type or shape, or are too few.
        """
        if samples.is_floating_point() and not bool(samples.isfinite().all()):
            return dict.fromkeys(metric.about.name for metric in self._metrics)
        self._sampled.check(samples)
        with full_precision(self._device):
            wrapped = self._sampled.wrap(samples.to(self._device))
            return {metric.about.name: metric(wrapped) for metric in self._metrics}


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Measure in full float32, whatever precision the networks are trained in. Restore the settings afterwards."""
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


class _Images:
    primary = "fd"

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        device: torch.device,
        count: int,
        cache_dir: Path | None,
        expected: str,
    ) -> None:
        self._workload = workload
        self._device = device
        data_hash = content_hash(arrays)
        self._extractor = workload_extractor.load(workload, device, data_hash)
        identity = workload_extractor.identity(workload, data_hash)
        assert identity is not None
        if expected not in ("", identity.component):
            raise ValueError(
                f"the extractor of {workload.name} has changed since the trial was planned: it is "
                f"{identity.component}, planned was {expected}. Run the same command again: it plans with what there "
                "is now"
            )
        reference = load_or_build(workload, arrays, self._extractor, device, cache_dir, count)
        self.real = RealImages(workload, reference, count, identity.accuracy)

    def check(self, samples: Tensor) -> None:
        if len(samples) <= PRECISION_NEIGHBOR:
            raise ValueError(f"{len(samples)} samples are too few to evaluate; at least {PRECISION_NEIGHBOR + 1}")
        size = self._workload.image_size
        expected = (self._workload.channels, size, size)
        if samples.dtype != torch.uint8 or samples.shape[1:] != expected:
            raise ValueError(
                f"{self._workload.name} is evaluated on uint8 images [N, {', '.join(map(str, expected))}], "
                f"not on {samples.dtype} {[*samples.shape]}"
            )

    def wrap(self, samples: Tensor) -> ImageSamples:
        return ImageSamples(samples, self.real, self._extractor, self._device)


class _Points:
    primary = "sliced_w2"

    def __init__(self, workload: Workload, arrays: Arrays, device: torch.device, count: int) -> None:
        self._name = workload.name
        self.real = RealPoints(workload, arrays, device, count)

    def check(self, samples: Tensor) -> None:
        if not samples.is_floating_point() or samples.shape[1:] != (2,):
            raise ValueError(f"{self._name} is evaluated on points [N, 2], not on {samples.dtype} {[*samples.shape]}")

    def wrap(self, samples: Tensor) -> PointSamples:
        return PointSamples(samples, self.real)
