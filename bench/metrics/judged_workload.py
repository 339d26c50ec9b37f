"""A workload as a judge such as Inception sees it: its real images, and what generated ones measure against them.

The networks are torch-fidelity's own. What is computed from their features is ours, distances in double precision and
on the device of the run. What differs from judge to judge is in `bench.metrics.inception` and `bench.metrics.judges`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from bench.config.judges import JUDGES
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress, content_hash
from bench.extractors.embedding import OnImages
from bench.extractors.weight_files import Weights
from bench.files.places import default_cache_dir
from bench.metrics import tensor_cache
from bench.metrics.evaluate import Scores, full_precision
from bench.metrics.frechet import Moments, frechet_distance, moments_in_blocks, square_root
from bench.metrics.kernel_distance import kid
from bench.metrics.real_images import ImageCounter, kept_path, settled
from bench.metrics.registry import RegisteredMetric, registered
from bench.metrics.version import METRICS_VERSION


@dataclass(frozen=True, eq=False, kw_only=True)
class Reals:
    """Statistics of the real images in a judge's features. They are on the device, except for the features."""

    train: Moments
    root: Tensor
    """Of the covariance of the training images."""
    features: Tensor
    """Of some of the training images [M, d], on the CPU."""
    floor: float
    """The Fréchet distance of the real test images."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Generated images in a judge's features [N, d], on the CPU."""

    reals: Reals
    features: Tensor
    device: torch.device

    def frechet_distance(self) -> float:
        """Return the Fréchet distance to all training images."""
        return frechet_distance(self.reals.train, self.reals.root, moments_in_blocks(self.features, self.device))

    def kernel_distance(self) -> float:
        """Return the kernel distance to the training images: mean of 100 subsets of 1,000."""
        return kid(self.features, self.reals.features, self.device)


class JudgedWorkload(ABC):
    """A workload's real images in the features of a judge, and what generated ones measure against them."""

    kept_tensors: ClassVar[tuple[str, ...]]
    """The names of what `measure_training` returns."""

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        weights: Weights,
        device: torch.device,
        cache_dir: Path | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Load the network. Measure the real images, or read earlier measurements from the cache.

        Args:
            workload: made of images, and no stacks.
            arrays: its data.
            weights: of the judge.
            device: where it computes.
            cache_dir: where measurements of the real images are kept; a folder in the user's cache if None.
            on_progress: called with how many images have been measured.

        Raises:
            ValueError: the weights cannot be used.
        """
        assert workload.has_single_images
        self.workload = workload
        self.device = device
        self.judge = weights.network
        self.network = self.load(weights)
        what = (
            content_hash(arrays),
            self.judge,
            weights.sha256,
            f"metrics {METRICS_VERSION}",
            *self.identity(),
        )
        path = kept_path(JUDGES[self.judge].key, workload, what, device, cache_dir or default_cache_dir())
        names = ("mean", "covariance", "root", "floor", *self.kept_tensors)
        self._reals = self.reals(tensor_cache.once(path, names, lambda: self._build(arrays, on_progress)))

    @abstractmethod
    def load(self, weights: Weights) -> nn.Module:
        """Return the network, on the device."""

    @abstractmethod
    def identity(self) -> Iterable[str]:
        """Return what the measurements of the real images depend on, beside the data, the weights and the machine."""

    @abstractmethod
    def embed(self, images: Tensor, on_images: OnImages | None = None) -> tuple[Tensor, ...]:
        """Return the features of uint8 images [N, d], on the CPU, and what else the network gives."""

    @abstractmethod
    def measure_training(self, features: Tensor) -> tensor_cache.Tensors:
        """Return what is kept of the training images [N, d] beside their moments, by `kept_tensors`."""

    def reals(self, stored: tensor_cache.Tensors) -> Reals:
        """Return the statistics of the real images from the tensors that are kept of them."""
        return Reals(
            train=Moments(stored["mean"].to(self.device), stored["covariance"].to(self.device)),
            root=stored["root"].to(self.device),
            features=stored["features"],
            floor=stored["floor"].item(),
        )

    @abstractmethod
    def samples(self, reals: Reals, embedded: tuple[Tensor, ...]) -> Samples:
        """Return what metrics are computed from, given what `embed` returns for generated images."""

    def measure(self, images: Tensor, on_images: OnImages | None = None) -> Scores:
        """Return the metrics of generated uint8 images [N, C, H, W], the constants, and the number of images.

        N > 1 in Inception, and N > 3 where neighbors are looked for.
        """
        with full_precision(self.device):
            samples = self.samples(self._reals, self.embed(images, on_images))
            measured = {metric.about.name: metric(samples) for metric in _registered(self.judge, "measured")}
        constants = {metric.about.name: metric(self._reals) for metric in _registered(self.judge, "constant")}
        return {**constants, **measured, JUDGES[self.judge].samples: float(len(images))}

    def _build(self, arrays: Arrays, on_progress: OnProgress | None) -> tensor_cache.Tensors:
        """Measure the training images, and the test images against them."""
        total = len(arrays.train) + len(arrays.test)
        counted = ImageCounter(f"measuring {self.workload.kind} in {JUDGES[self.judge].title}", total, on_progress)
        with settled(self.device):
            train, *_ = self.embed(torch.from_numpy(arrays.train), counted)
            test, *_ = self.embed(torch.from_numpy(arrays.test), counted)
            fitted = moments_in_blocks(train, self.device)
            root = square_root(fitted.covariance)
            floor = frechet_distance(fitted, root, moments_in_blocks(test, self.device))
            tensors = {
                "mean": fitted.mean,
                "covariance": fitted.covariance,
                "root": root,
                "floor": torch.tensor(floor, dtype=torch.float64),
                **self.measure_training(train),
            }
        return {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}


def samples_of(workload: Workload, samples: int) -> int:
    """Return how many generated images judges look at in a trial whose evaluations have so many samples.

    It is the workload's number. A trial that was given fewer samples than the workload's own gets no more here either.
    """
    declared = workload.inception_samples
    return declared if samples >= workload.samples else min(declared, samples)


def unmeasurable(network: str) -> Scores:
    """Return what a record has of a judge where there were no finite images to measure."""
    return dict.fromkeys(metric.about.name for metric in _registered(network, "measured"))


def _registered(network: str, kind: str) -> list[RegisteredMetric]:
    key = JUDGES[network].key
    return [metric for metric in registered() if key in metric.about.needs and metric.about.kind == kind]
