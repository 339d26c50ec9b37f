"""FID, KID and the Inception score, on torch-fidelity's Inception: the numbers that papers print under these names.

The network is torch-fidelity's own (`bench.extractors.inception_network`). What is computed from its features and
logits is ours, in double precision and on the device of the run: torch-fidelity computes KID in float32 on the CPU, and
refuses sets smaller than a subset.

The score: exp E KL(p(y|x) || p(y)), mean of ten splits (Salimans et al., 2016). KID: the mean unbiased squared MMD of
100 random subsets of 1,000 (Bińkowski et al., 2018). Subsets and splits are drawn as torch-fidelity draws them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from bench.config.protocol import INCEPTION
from bench.config.workload import Workload
from bench.data import Arrays, content_hash
from bench.extractors import inception_network
from bench.extractors.embedding import OnImages
from bench.extractors.inception_network import embed, load
from bench.extractors.weight_files import Weights
from bench.files.places import default_cache_dir
from bench.metrics import tensor_cache
from bench.metrics.evaluate import Scores, full_precision
from bench.metrics.frechet import Moments, frechet_distance, moments_in_blocks, square_root
from bench.metrics.kernel_distance import squared_mmd
from bench.metrics.order import shuffled
from bench.metrics.real_images import ImageCounter, give_back_memory, kept_path, settled
from bench.metrics.registry import RegisteredMetric, registered
from bench.metrics.version import METRICS_VERSION

if TYPE_CHECKING:
    from bench.data import OnProgress

SAMPLES: Final = "fid_samples"
KID_IMAGES: Final = 50_000
"""KID draws its subsets from no more training images than this."""

_SUBSETS: Final = 100
_SUBSET_SIZE: Final = 1000
_SPLITS: Final = 10
_SEED: Final = 2020
_TENSORS: Final = ("mean", "covariance", "root", "features", "floor")


@dataclass(frozen=True, eq=False)
class InceptionReals:
    """Statistics of the real images. They are on the device, except for the features."""

    train: Moments
    root: Tensor
    features: Tensor
    """Of the training images, at most `KID_IMAGES` of them [M, 2048], on the CPU."""
    floor: float
    """FID of the real test images."""


@dataclass(frozen=True, eq=False)
class InceptionSamples:
    """Generated images in Inception's features [N, 2048] and logits without bias [N, 1008], on the CPU."""

    reals: InceptionReals
    features: Tensor
    logits: Tensor
    device: torch.device


def samples_of(workload: Workload, samples: int) -> int:
    """Return how many generated images FID is computed from in a trial whose evaluations have so many samples.

    It is the workload's number. A trial that was given fewer samples than the workload's own gets no more here either.
    """
    declared = workload.inception_samples
    return declared if samples >= workload.samples else min(declared, samples)


def kid(
    fakes: Tensor,
    reals: Tensor,
    device: torch.device,
    *,
    subsets: int = _SUBSETS,
    size: int = _SUBSET_SIZE,
    seed: int = _SEED,
) -> float:
    """Return the mean unbiased squared MMD of random subsets of features [N, d] and [M, d], N and M at least 2.

    A subset is smaller than `size` if either set has fewer features.
    """
    size = min(size, len(fakes), len(reals))
    draws = np.random.RandomState(seed)

    def drawn(features: Tensor) -> Tensor:
        return features[torch.from_numpy(draws.choice(len(features), size, replace=False))].to(device)

    distances = [squared_mmd(drawn(fakes), drawn(reals)) for _ in range(subsets)]
    return float(np.mean(distances))


def inception_score(logits: Tensor, *, splits: int = _SPLITS, seed: int = _SEED) -> float | None:
    """Return exp E KL(p(y|x) || p(y)) of logits [N, k], mean of the splits; None with fewer logits than splits."""
    count = len(logits)
    if count < splits:
        return None
    permuted = logits[torch.from_numpy(np.random.RandomState(seed).permutation(count))]
    scores = []
    for split in range(splits):
        confidences = permuted[split * count // splits : (split + 1) * count // splits].double().log_softmax(1)
        marginal = confidences.exp().mean(0).log()
        scores.append((confidences.exp() * (confidences - marginal)).sum(1).mean().exp().item())
    return float(np.mean(scores))


class Inception:
    """FID, KID and the Inception score of one workload, with their floor."""

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        weights: Weights,
        device: torch.device,
        cache_dir: Path | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> None:
        """Load the network. Measure the real images, or read earlier measurements from the cache.

        Args:
            workload: made of images, and no stacks.
            arrays: its data.
            weights: of the network.
            device: where it computes.
            cache_dir: where measurements of the real images are kept; a folder in the user's cache if None.
            on_progress: called with how many images have been measured.

        Raises:
            ValueError: the weights cannot be used.
        """
        assert workload.has_single_images
        self._device = device
        self._network = load(weights, device)
        path = _cache_path(workload, arrays, weights, device, cache_dir or default_cache_dir())
        stored = tensor_cache.once(path, _TENSORS, lambda: _build(workload, arrays, self._network, device, on_progress))
        self._reals = InceptionReals(
            train=Moments(stored["mean"].to(device), stored["covariance"].to(device)),
            root=stored["root"].to(device),
            features=stored["features"],
            floor=stored["floor"].item(),
        )

    def measure(self, images: Tensor, on_images: OnImages | None = None) -> Scores:
        """Return the metrics of generated uint8 images [N, C, H, W], N > 1, the constants, and the number of images."""
        with full_precision(self._device):
            features, logits = embed(self._network, images, self._device, on_images)
            samples = InceptionSamples(self._reals, features, logits, self._device)
            measured = {metric.about.name: metric(samples) for metric in _registered("measured")}
        constants = {metric.about.name: metric(self._reals) for metric in _registered("constant")}
        return {**constants, **measured, SAMPLES: float(len(images))}


def prepare(
    workload: Workload, arrays: Arrays, weights: Weights, device: str, on_progress: "OnProgress | None" = None
) -> None:
    """Check the weights and measure the real images, so that trials find the results in the cache.

    Raises:
        ValueError: the weights cannot be used.
    """
    Inception(workload, arrays, weights, torch.device(device), on_progress=on_progress)
    give_back_memory()


def unmeasurable() -> Scores:
    """Return what a record has where there were no finite images to measure."""
    return dict.fromkeys(metric.about.name for metric in _registered("measured"))


def _registered(kind: str) -> list[RegisteredMetric]:
    return [metric for metric in registered() if "inception" in metric.about.needs and metric.about.kind == kind]


def _cache_path(workload: Workload, arrays: Arrays, weights: Weights, device: torch.device, folder: Path) -> Path:
    """Return the file that keeps the statistics of the real images. Its name holds everything they depend on."""
    what = (
        content_hash(arrays),
        INCEPTION,
        *inception_network.LAYERS,
        weights.sha256,
        f"metrics {METRICS_VERSION}",
        ",".join(_TENSORS),
    )
    return kept_path("inception", workload, what, device, folder)


def _build(
    workload: Workload, arrays: Arrays, network: nn.Module, device: torch.device, on_progress: "OnProgress | None"
) -> dict[str, Tensor]:
    """Measure the training images, and the test images against them."""
    total = len(arrays.train) + len(arrays.test)
    counted = ImageCounter(f"measuring {workload.kind} in Inception", total, on_progress)
    with settled(device):
        train, _ = embed(network, _images(arrays.train), device, counted)
        test, _ = embed(network, _images(arrays.test), device, counted)
        fitted = moments_in_blocks(train, device)
        root = square_root(fitted.covariance)
        floor = frechet_distance(fitted, root, moments_in_blocks(test, device))
    if len(train) > KID_IMAGES:
        train = shuffled(train, f"{workload.kind}/inception/order", KID_IMAGES)
    tensors = {"mean": fitted.mean, "covariance": fitted.covariance, "root": root, "features": train}
    tensors["floor"] = torch.tensor(floor, dtype=torch.float64)
    return {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}


def _images(array: "np.ndarray[Any, np.dtype[Any]]") -> Tensor:
    return torch.from_numpy(array)
