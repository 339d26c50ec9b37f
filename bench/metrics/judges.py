"""Distances and neighbors in CLIP's and VGG16's features: what a judge beside Inception measures of a trial's images.

The networks are torch-fidelity's own (`bench.extractors.judge_networks`), and so is the definition of every number.
What is computed from the features is ours, distances in double precision, on the device of the run. Precision and
recall in VGG16 are those of Kynkäänniemi et al. (2019).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from bench.config.judges import JUDGES, Judge
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress, content_hash
from bench.extractors import judge_networks
from bench.extractors.embedding import OnImages
from bench.extractors.judge_networks import embed, load
from bench.extractors.weight_files import Weights
from bench.files.places import default_cache_dir
from bench.metrics import tensor_cache
from bench.metrics.evaluate import Scores, full_precision
from bench.metrics.floors import deals
from bench.metrics.frechet import Moments, frechet_distance, moments_in_blocks, square_root
from bench.metrics.inception import kid
from bench.metrics.neighbors import NEIGHBOR_IMAGES, Neighborhood, compare, real_radii
from bench.metrics.order import shuffled
from bench.metrics.real_images import ImageCounter, give_back_memory, kept_path, settled
from bench.metrics.registry import RegisteredMetric, registered
from bench.metrics.version import METRICS_VERSION

_TENSORS: Final = (
    "mean", "covariance", "root", "features", "precision_radii", "coverage_radii", "floor", "precision", "recall"
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class JudgeReals:
    """Statistics of the real images. They are on the device, except for the features."""

    train: Moments
    root: Tensor
    features: Tensor
    """Of at most `NEIGHBOR_IMAGES` training images [M, d], on the CPU."""
    radii: tuple[Tensor, Tensor]
    """Of the balls around them."""
    floor: float
    """The Fréchet distance of the real test images."""
    precision: float
    """Of training images that stand for fakes, to others, at the ratio of as many fakes as the workload has."""
    recall: float


@dataclass(frozen=True, eq=False)
class JudgeSamples:
    """Generated images in a judge's features [N, d], on the CPU."""

    reals: JudgeReals
    features: Tensor
    device: torch.device

    def frechet_distance(self) -> float:
        """Return the Fréchet distance to all training images."""
        return frechet_distance(self.reals.train, self.reals.root, moments_in_blocks(self.features, self.device))

    def kernel_distance(self) -> float:
        """Return the kernel distance to the training images, as that of Inception is computed."""
        return kid(self.features, self.reals.features, self.device)

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """Precision and recall of at most `NEIGHBOR_IMAGES` of the images."""
        fakes = _few(self.features, "judges/fakes").to(self.device)
        return compare(fakes, self.reals.features.to(self.device), self.reals.radii)


class JudgedWorkload:
    """A workload's real images in the features of a judge, and what generated ones measure against them."""

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
        self._judge = JUDGES[weights.network]
        self._device = device
        self._network = load(weights, device)
        path = _cache_path(workload, arrays, weights, device, cache_dir or default_cache_dir())
        stored = tensor_cache.once(path, _TENSORS, lambda: self._build(workload, arrays, on_progress))
        self._reals = JudgeReals(
            train=Moments(stored["mean"].to(device), stored["covariance"].to(device)),
            root=stored["root"].to(device),
            features=stored["features"],
            radii=(stored["precision_radii"].to(device), stored["coverage_radii"].to(device)),
            **{name: stored[name].item() for name in ("floor", "precision", "recall")},
        )

    def measure(self, images: Tensor, on_images: OnImages | None = None) -> Scores:
        """Return the metrics of generated uint8 images [N, C, H, W], N > 3, the constants, and the number of images."""
        judge = self._judge
        with full_precision(self._device):
            features = embed(self._network, judge.name, images, self._device, on_images)
            samples = JudgeSamples(self._reals, features, self._device)
            measured = {metric.about.name: metric(samples) for metric in _registered(judge, "measured")}
        constants = {metric.about.name: metric(self._reals) for metric in _registered(judge, "constant")}
        return {**constants, **measured, judge.samples: float(len(images))}

    def _build(self, workload: Workload, arrays: Arrays, on_progress: OnProgress | None) -> tensor_cache.Tensors:
        """Measure the training images, the test images against them, and some of them against the others."""
        name, device = self._judge.name, self._device
        total = len(arrays.train) + len(arrays.test)
        counted = ImageCounter(f"measuring {workload.kind} in {name}", total, on_progress)
        with settled(device):
            train = embed(self._network, name, torch.from_numpy(arrays.train), device, counted)
            test = embed(self._network, name, torch.from_numpy(arrays.test), device, counted)
            fitted = moments_in_blocks(train, device)
            root = square_root(fitted.covariance)
            floor = frechet_distance(fitted, root, moments_in_blocks(test, device))
            features = _few(train, f"{workload.kind}/{name}/order")
            radii = real_radii(features.to(device))
            stream = f"{workload.kind}/{name}/ceilings"
            precision, recall = _ceilings(deals(features.to(device), workload.inception_samples, stream))
        tensors = {"mean": fitted.mean, "covariance": fitted.covariance, "root": root, "features": features}
        tensors["precision_radii"], tensors["coverage_radii"] = radii
        numbers = {"floor": floor, "precision": precision, "recall": recall}
        tensors |= {key: torch.tensor(value, dtype=torch.float64) for key, value in numbers.items()}
        return {key: tensor.contiguous().cpu() for key, tensor in tensors.items()}


def prepare(
    workload: Workload, arrays: Arrays, weights: Weights, device: str, on_progress: OnProgress | None = None
) -> None:
    """Check the weights and measure the real images, so that trials find the results in the cache.

    Raises:
        ValueError: the weights cannot be used.
    """
    JudgedWorkload(workload, arrays, weights, torch.device(device), on_progress=on_progress)
    give_back_memory()


def unmeasurable(judge: Judge) -> Scores:
    """Return what a record has where there were no finite images to measure."""
    return dict.fromkeys(metric.about.name for metric in _registered(judge, "measured"))


def _registered(judge: Judge, kind: str) -> list[RegisteredMetric]:
    return [metric for metric in registered() if judge.key in metric.about.needs and metric.about.kind == kind]


def _few(features: Tensor, stream: str) -> Tensor:
    """Return at most `NEIGHBOR_IMAGES` of the features; all of them in their order, of which draws depend."""
    return features if len(features) <= NEIGHBOR_IMAGES else shuffled(features, stream, NEIGHBOR_IMAGES)


def _ceilings(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Return precision and recall of real images that stand for fakes, mean over the pairs."""
    reached = [compare(*pair) for pair in pairs]
    count = len(reached)
    return sum(agreement.precision for agreement in reached) / count, sum(
        agreement.recall for agreement in reached
    ) / count


def _cache_path(workload: Workload, arrays: Arrays, weights: Weights, device: torch.device, folder: Path) -> Path:
    """Return the file that keeps the statistics of the real images. Its name holds everything they depend on."""
    judge = weights.network
    what = (
        content_hash(arrays),
        judge,
        judge_networks.LAYERS[judge],
        weights.sha256,
        f"metrics {METRICS_VERSION}",
        f"{workload.inception_samples} samples",
        ",".join(_TENSORS),
    )
    return kept_path(judge, workload, what, device, folder)
