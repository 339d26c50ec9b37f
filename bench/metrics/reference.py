"""Statistics of a workload's real images in an extractor's features, computed once and kept on disk."""

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from bench.config.workload import Workload
from bench.data import Arrays, content_hash, streams
from bench.extractors.embedding import embed
from bench.extractors.workload_extractor import identity
from bench.files.places import default_cache_dir
from bench.metrics import tensor_cache
from bench.metrics.floors import RealFeatures, measure_floors
from bench.metrics.frechet import Moments, frechet_distance, moments, square_root
from bench.metrics.modes import classifier_score, stacked_frequencies, unreadable_share
from bench.metrics.neighbors import (
    NEIGHBOR_IMAGES,
    authentic_share,
    median_distance,
    nearest,
    nearest_other,
    real_radii,
)
from bench.metrics.order import shuffled
from bench.metrics.version import METRICS_VERSION

TRAINING_IMAGES: Final = 60_000
"""Copies are looked for among at most this many training images."""

_SMALL: Final = 10_000
"""Of a data set with fewer images than this, both parts are the reference: moments of one part are too rough.

A test part with fewer images is too small to measure what fresh images get.
"""

_STACKS: Final = 26_000


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of real images. Every field is a tensor (a number is 0-dimensional), so that all are stored alike."""

    mean: Tensor
    covariance: Tensor
    root: Tensor
    """The square root of the covariance, as `frechet.square_root` returns it."""
    count: Tensor
    test_mean: Tensor
    test_covariance: Tensor
    test_root: Tensor
    test_count: Tensor
    train_mean: Tensor
    """Of the training part alone. It is the whole reference unless the data set is small."""
    train_covariance: Tensor
    train_root: Tensor
    train_count: Tensor
    between: Tensor
    """The Fréchet distance of the test part to the training part."""
    floor: Tensor
    """The Fréchet distance of as many fresh real images as an evaluation has samples; NaN if it is unknown."""
    bias: Tensor
    """What finite samples alone add to the distance of such images to the reference."""
    gap: Tensor
    """How much nearer finite samples alone bring any images to the training part than to the test part."""
    unreadable: Tensor
    """The share of real test images that the classifier cannot read; NaN without a classifier."""
    frequencies: Tensor
    """How often each mode occurs in the training part."""
    features: Tensor
    """Features of at most `NEIGHBOR_IMAGES` reference images, a fixed random choice."""
    precision_radii: Tensor
    coverage_radii: Tensor
    kid_floor: Tensor
    """The kernel distance of fresh real images to the reference."""
    neighbourhood: Tensor
    """Precision, recall, density and coverage [4] of fresh real images, at the ratio of fakes to the reference."""
    vendi: Tensor
    """The Vendi score of as many real images as an evaluation has samples, or of all if there are fewer."""
    classifier_score: Tensor
    """The classifier score of the real test images."""
    training: Tensor
    """Features of at most `TRAINING_IMAGES` training images [M, d]; empty for a workload of random stacks."""
    training_nearest: Tensor
    """The squared distance [M] of each of them to its nearest other one."""
    test_nearest: Tensor
    """The median distance of real test images to the nearest training image."""
    test_authentic: Tensor
    """The share of authentic images among the real test images."""

    @property
    def reference(self) -> Moments:
        return Moments(self.mean, self.covariance)

    @property
    def train(self) -> Moments:
        return Moments(self.train_mean, self.train_covariance)

    @property
    def test(self) -> Moments:
        return Moments(self.test_mean, self.test_covariance)

    def to(self, device: torch.device) -> "Reference":
        return Reference(**{name: tensor.to(device) for name, tensor in _tensors(self).items()})


def _tensors(reference: Reference) -> dict[str, Tensor]:
    return {field.name: getattr(reference, field.name) for field in dataclasses.fields(reference)}


def _stacked(features: Tensor, stack: int, stream: str) -> Tensor:
    """Return the features [26000, stack d] of randomly stacked images, given those of the single ones [N, d]."""
    drawn = streams.integers(stream, _STACKS * stack, len(features))
    return features[torch.from_numpy(drawn).to(features.device)].reshape(_STACKS, -1)


def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _copies(train: Tensor, test: Tensor, workload: Workload) -> dict[str, Tensor]:
    """Measure how close the real test images come to single training images [N, d]."""
    if workload.stack > 1:
        empty = {"training": train[:0], "training_nearest": train[:0, 0]}
        return {**empty, "test_nearest": _scalar(0.0), "test_authentic": _scalar(0.0)}
    kept = shuffled(train, f"{workload.kind}/reference/training", TRAINING_IMAGES)
    radii = nearest_other(kept)
    squared, indices = nearest(shuffled(test, f"{workload.kind}/reference/copies", NEIGHBOR_IMAGES), kept)
    return {
        "training": kept,
        "training_nearest": radii,
        "test_nearest": _scalar(median_distance(squared)),
        "test_authentic": _scalar(authentic_share(squared, indices, radii)),
    }


def arranged(workload: Workload, train: Tensor, test: Tensor) -> RealFeatures:
    """Return the sets that are compared, given the features of single images [N, d] of either part."""
    stack, name = workload.stack, workload.kind
    fresh = len(test) >= _SMALL
    if stack > 1:
        stacks = _stacked(train, stack, f"{name}/reference/train")
        tested = _stacked(test, stack, f"{name}/reference/test")
        return RealFeatures(stacks, tested, stacks, images=train, test_images=test, stack=stack, fresh=fresh)
    if len(train) + len(test) < _SMALL:
        both = torch.cat([train, test])
        return RealFeatures(train, test, both, images=both, test_images=test, fresh=False)
    return RealFeatures(train, test, train, images=train, test_images=test, fresh=fresh)


def build(workload: Workload, arrays: Arrays, extractor: nn.Module, device: torch.device, count: int) -> Reference:
    """Measure the real images, and what as many of them as an evaluation has samples would get.

    The reference of `fd` is the training part, or both parts of a small data set. A stacked workload's are stacks drawn
    from the training part out of a fixed stream; as the extractor reads channels alone, single images are embedded
    once and their features are stacked.
    """
    train, _ = embed(extractor, torch.from_numpy(arrays.train), device)
    test, test_logits = embed(extractor, torch.from_numpy(arrays.test), device)
    frequencies = torch.from_numpy(np.bincount(arrays.train_labels)).double() / len(arrays.train_labels)
    copies = _copies(train, test, workload)
    real = arranged(workload, train, test)
    fitted, tested, trained = moments(real.reference), moments(real.test), moments(real.train)
    test_root = square_root(tested.covariance)
    between = frechet_distance(tested, test_root, trained)
    features = shuffled(real.reference, f"{workload.kind}/reference/order", NEIGHBOR_IMAGES)
    radii = real_radii(features)
    floors = measure_floors(real, workload.kind, count, between, (features, radii))
    return Reference(
        mean=fitted.mean,
        covariance=fitted.covariance,
        root=square_root(fitted.covariance),
        count=torch.tensor(len(real.reference)),
        test_mean=tested.mean,
        test_covariance=tested.covariance,
        test_root=test_root,
        test_count=torch.tensor(len(real.test)),
        train_mean=trained.mean,
        train_covariance=trained.covariance,
        train_root=square_root(trained.covariance),
        train_count=torch.tensor(len(real.train)),
        between=_scalar(between),
        unreadable=_scalar(unreadable_share(test_logits) if workload.modes else math.nan),
        frequencies=stacked_frequencies(frequencies, workload.stack),
        features=features,
        precision_radii=radii[0],
        coverage_radii=radii[1],
        # Channels are drawn independently, so that the score of stacks is a power of the single images'.
        classifier_score=_scalar(classifier_score(test_logits) ** workload.stack if workload.modes else math.nan),
        **{field.name: torch.tensor(getattr(floors, field.name)).double() for field in dataclasses.fields(floors)},
        **copies,
    )


def cache_path(workload: Workload, arrays: Arrays, device: torch.device, cache_dir: Path, count: int) -> Path:
    """Return the file that keeps a reference, given how many samples an evaluation has.

    Its name is a hash of everything that the numbers depend on.
    """
    assert workload.extractor is not None
    # Only references are kept in `cache_dir`; the classifier is always in the user's cache.
    known = identity(workload, content_hash(arrays))
    assert known is not None, f"the classifier of {workload.name} is not trained"
    parts = (content_hash(arrays), known.component, f"metrics {METRICS_VERSION}", f"{count} samples")
    layout = ",".join(field.name for field in dataclasses.fields(Reference))
    # Devices, releases of torch and numbers of threads give other last bits, and bits are compared between runs.
    machine = (tensor_cache.device_key(device), str(torch.__version__), str(torch.get_num_threads()))
    key = hashlib.sha256("\n".join((workload.kind, str(workload.stack), layout, *parts, *machine)).encode()).hexdigest()
    return cache_dir / f"reference-{workload.kind}-{key[:16]}.safetensors"


def load_or_build(
    workload: Workload, arrays: Arrays, extractor: nn.Module, device: torch.device, cache_dir: Path | None, count: int
) -> Reference:
    """Return the reference for evaluations of `count` samples from the cache, or build it and write it there.

    It is the user's cache if no folder is given.
    """
    path = cache_path(workload, arrays, device, cache_dir if cache_dir is not None else default_cache_dir(), count)
    names = [field.name for field in dataclasses.fields(Reference)]

    def measure() -> tensor_cache.Tensors:
        tensors = _tensors(build(workload, arrays, extractor, device, count))
        return {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}

    return Reference(**tensor_cache.once(path, names, measure)).to(device)
