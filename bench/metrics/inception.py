"""FID, KID and the Inception score, on torch-fidelity's Inception: the numbers that papers print under these names.

The network is torch-fidelity's own, with the weights of TensorFlow's graph of 2015-12-05 and its resizing to 299x299;
only what is done with features and logits is ours, in double precision. Convolutions run channels-last in float32,
which changes the last bits of a feature and takes two thirds of the time on a CPU.

The score: exp E KL(p(y|x) || p(y)), mean of ten splits (Salimans et al., 2016). KID: the mean unbiased squared MMD of
100 random subsets of 1,000 (Bińkowski et al., 2018). Subsets and splits are drawn as torch-fidelity draws them.
"""

import contextlib
import hashlib
import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from bench.common.threads import torch_threads
from bench.config.protocol import INCEPTION
from bench.config.workload import Workload
from bench.data import Arrays, content_hash
from bench.files.regular import UnusableFileError, read_regular
from bench.metrics import kept
from bench.metrics.cache import default_cache_dir
from bench.metrics.evaluate import Scores, full_precision
from bench.metrics.extractors import batches
from bench.metrics.frechet import Moments, frechet_distance, moments_in_blocks, square_root
from bench.metrics.inception_weights import HOW_TO_GET, Weights
from bench.metrics.kernel import squared_mmd
from bench.metrics.order import shuffled
from bench.metrics.pins import VERSION
from bench.metrics.registry import Entry, entries
from bench.store.environment import usable_cpus

if TYPE_CHECKING:
    from bench.data import OnProgress

OnImages = Callable[[int], None]
"""Called with how many more images have gone through Inception."""

LAYERS: Final = ("2048", "logits_unbiased")
"""torch-fidelity's names of what FID and KID, and of what the Inception score is computed from."""

SAMPLES: Final = "fid_samples"
KID_IMAGES: Final = 50_000
"""KID draws its subsets from no more training images than this."""

_BATCH: Final = 64
"""torch-fidelity's: features depend on it in their last bits."""
_SUBSETS: Final = 100
_SUBSET_SIZE: Final = 1000
_SPLITS: Final = 10
_SEED: Final = 2020
_KEPT: Final = ("mean", "covariance", "root", "features", "floor")

_LARGEST_WEIGHTS: Final = 2**30
"""Bytes of a file of weights; the official one has a tenth of it."""


@dataclass(frozen=True, eq=False)
class InceptionReals:
    """What is known of the real images, on the device but for the features."""

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

    The workload's number; a trial that was given fewer samples than the workload's own gets no more here either.
    """
    declared = workload.inception_samples
    return declared if samples >= workload.samples else min(declared, samples)


def load(weights: Weights, device: torch.device) -> nn.Module:
    """Load torch-fidelity's Inception: uint8 [N, 3, H, W] -> (features [N, 2048], unbiased logits [N, 1008]).

    Raises:
        ValueError: the file has changed since it was identified, or holds no weights of this network.
    """
    content = verified(weights)
    try:
        # First without running anything that a file of unknown origin may hold; torch-fidelity would run it.
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        TypeError,
        AttributeError,
        ValueError,
        LookupError,
    ) as error:
        raise ValueError(
            f"{weights.path} holds no weights of {INCEPTION}: it is cut short, or no file of tensors; {HOW_TO_GET}"
        ) from error
    try:
        # Imported here: it takes seconds, and only runs with Inception need it.
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        network: nn.Module = FeatureExtractorInceptionV3(
            INCEPTION, list(LAYERS), feature_extractor_weights_path=io.BytesIO(content)
        )
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{weights.path} holds no weights of {INCEPTION}: names or shapes of its tensors are others; {HOW_TO_GET}"
        ) from error
    return network.to(device).to(memory_format=torch.channels_last)


def verified(weights: Weights) -> bytes:
    """Return the content of the file.

    Raises:
        ValueError: it cannot be read, or is not what it was when it was identified.
    """
    try:
        content = read_regular(Path(weights.path), largest=_LARGEST_WEIGHTS)
    except UnusableFileError as error:
        raise ValueError(f"the Inception weights {weights.path} {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != weights.sha256:
        raise ValueError(
            f"{weights.path} has changed since the run began: SHA-256 {found[:12]}..., it was {weights.label}...; "
            "run the same command again"
        )
    return content


@torch.no_grad()
def embed(
    network: nn.Module, images: Tensor, device: torch.device, on_images: OnImages | None = None
) -> tuple[Tensor, Tensor]:
    """Return Inception's features and unbiased logits of uint8 images [N, 1 or 3, H, W], on the CPU.

    A grey image is repeated as three channels.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"Inception takes uint8 images [N, 1 or 3, H, W], not {images.dtype} {[*images.shape]}")
    pieces = []
    for batch in batches(images, _BATCH):
        features, logits = network(batch.to(device).expand(-1, 3, -1, -1))
        pieces.append((features.cpu(), logits.cpu()))
        if on_images is not None:
            on_images(len(batch))
    return torch.cat([features for features, _ in pieces]), torch.cat([logits for _, logits in pieces])


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

    A subset is smaller than `size` where there are not as many of either.
    """
    size = min(size, len(fakes), len(reals))
    draws = np.random.RandomState(seed)

    def drawn(features: Tensor) -> Tensor:
        return features[torch.from_numpy(draws.choice(len(features), size, replace=False))].to(device)

    found = [squared_mmd(drawn(fakes), drawn(reals)) for _ in range(subsets)]
    return float(np.mean(found))


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
    """FID, KID and the Inception score of one workload, and what stands beside them."""

    def __init__(
        self,
        workload: Workload,
        arrays: Arrays,
        weights: Weights,
        device: torch.device,
        cache_dir: Path | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> None:
        """Load the network, and measure the real images or read from the cache what was measured before.

        Args:
            workload: made of images, and no stacks.
            arrays: its data.
            weights: of the network.
            device: where it computes.
            cache_dir: where measurements of the real images are kept; a folder in the user's cache when None.
            on_progress: is told how many of the images have been measured.

        Raises:
            ValueError: the weights cannot be used.
        """
        assert workload.has_single_images
        self._device = device
        self._network = load(weights, device)
        path = _cache_path(workload, arrays, weights, device, cache_dir or default_cache_dir())
        stored = kept.once(path, _KEPT, lambda: _build(workload, arrays, self._network, device, on_progress))
        self._reals = InceptionReals(
            train=Moments(stored["mean"].to(device), stored["covariance"].to(device)),
            root=stored["root"].to(device),
            features=stored["features"],
            floor=stored["floor"].item(),
        )

    def measure(self, images: Tensor, on_images: OnImages | None = None) -> Scores:
        """Return every metric of generated uint8 images [N, C, H, W], N > 1, the constants and how many there were."""
        with full_precision(self._device):
            features, logits = embed(self._network, images, self._device, on_images)
            samples = InceptionSamples(self._reals, features, logits, self._device)
            measured = {each.about.name: each(samples) for each in _registered("measured")}
        constants = {each.about.name: each(self._reals) for each in _registered("constant")}
        return {**constants, **measured, SAMPLES: float(len(images))}


def prepare(
    workload: Workload, arrays: Arrays, weights: Weights, device: str, on_progress: "OnProgress | None" = None
) -> None:
    """Try the weights and measure the real images, so that trials find in the cache what they need.

    Raises:
        ValueError: the weights cannot be used.
    """
    Inception(workload, arrays, weights, torch.device(device), on_progress=on_progress)
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()  # this process goes on beside those that train


def unmeasurable() -> Scores:
    """Return what stands in a record where there were no finite images to measure."""
    return dict.fromkeys(each.about.name for each in _registered("measured"))


def _registered(kind: str) -> list[Entry]:
    return [each for each in entries() if "inception" in each.about.needs and each.about.kind == kind]


@contextlib.contextmanager
def _settled(device: torch.device) -> Iterator[None]:
    """Compute as every process of this machine would, whatever it trains in and with how many threads.

    Real images are measured by whoever comes first, and bits are compared between runs.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with torch_threads(usable_cpus()), full_precision(device):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def _cache_path(workload: Workload, arrays: Arrays, weights: Weights, device: torch.device, folder: Path) -> Path:
    """Return the file that what is known of the real images is kept in, under everything the numbers depend on."""
    what = (content_hash(arrays), INCEPTION, *LAYERS, weights.sha256, f"metrics {VERSION}", ",".join(_KEPT))
    machine = (device.type, str(torch.__version__), str(usable_cpus()))
    key = hashlib.sha256("\n".join((workload.kind, *what, *machine)).encode()).hexdigest()
    return folder / f"inception-{workload.kind}-{key[:16]}.safetensors"


def _build(
    workload: Workload, arrays: Arrays, network: nn.Module, device: torch.device, on_progress: "OnProgress | None"
) -> dict[str, Tensor]:
    """Measure the training images, and the test images against them."""
    total = len(arrays.train) + len(arrays.test)
    counted = _Counter(f"measuring {workload.kind} in Inception", total, on_progress)
    with _settled(device):
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


class _Counter:
    """Adds up images, and tells a data set's progress."""

    def __init__(self, name: str, total: int, on_progress: "OnProgress | None") -> None:
        self._name = name
        self._total = total
        self._done = 0
        self._on_progress = on_progress

    def __call__(self, images: int) -> None:
        self._done += images
        if self._on_progress is not None:
            self._on_progress(self._name, self._done, self._total)
