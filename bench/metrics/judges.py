"""Distances and neighbors in CLIP's and VGG16's features: what a judge beside Inception measures of a trial's images.

The networks are torch-fidelity's own (`bench.extractors.judge_networks`), and so is the definition of every number.
Precision and recall in VGG16 are those of Kynkäänniemi et al. (2019).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from bench.config.judges import BESIDE_INCEPTION
from bench.config.workload import Workload
from bench.data import Arrays, OnProgress
from bench.extractors import judge_networks
from bench.extractors.embedding import OnImages
from bench.extractors.judge_networks import embed, load
from bench.extractors.weight_files import Weights
from bench.metrics import tensor_cache
from bench.metrics.floors import deals
from bench.metrics.inception import Inception
from bench.metrics.judged_workload import JudgedWorkload, Reals, Samples
from bench.metrics.neighbors import NEIGHBOR_IMAGES, Neighborhood, compare, real_radii
from bench.metrics.order import at_most
from bench.metrics.real_images import give_back_memory


@dataclass(frozen=True, eq=False, kw_only=True)
class JudgeReals(Reals):
    """Statistics of the real images; the features are of at most `NEIGHBOR_IMAGES` training images."""

    radii: tuple[Tensor, Tensor]
    """Of the balls around them."""
    precision: float
    """Of training images that stand for fakes, to others, at the ratio of as many fakes as the workload has."""
    recall: float


@dataclass(frozen=True, eq=False)
class JudgeSamples(Samples):
    """Generated images in a judge's features [N, d], on the CPU."""

    reals: JudgeReals

    @cached_property
    def neighborhood(self) -> Neighborhood:
        """Precision and recall of at most `NEIGHBOR_IMAGES` of the images."""
        fakes = at_most(self.features, "judges/fakes", NEIGHBOR_IMAGES).to(self.device)
        return compare(fakes, self.reals.features.to(self.device), self.reals.radii)


class JudgedBesideInception(JudgedWorkload):
    """Distances, precision and recall of one workload in CLIP or VGG16, with their floor and ceilings."""

    kept_tensors = ("features", "precision_radii", "coverage_radii", "precision", "recall")

    def load(self, weights: Weights) -> nn.Module:
        return load(weights, self.device)

    def identity(self) -> tuple[str, ...]:
        return judge_networks.LAYERS[self.judge], f"{self.workload.inception_samples} samples"

    def embed(self, images: Tensor, on_images: OnImages | None = None) -> tuple[Tensor]:
        return (embed(self.network, self.judge, images, self.device, on_images),)

    def measure_training(self, features: Tensor) -> tensor_cache.Tensors:
        stream = f"{self.workload.kind}/{self.judge}"
        features = at_most(features, f"{stream}/order", NEIGHBOR_IMAGES)
        here = features.to(self.device)
        radii = real_radii(here)
        precision, recall = _ceilings(deals(here, self.workload.inception_samples, f"{stream}/ceilings"))
        return {
            "features": features,
            "precision_radii": radii[0],
            "coverage_radii": radii[1],
            "precision": torch.tensor(precision, dtype=torch.float64),
            "recall": torch.tensor(recall, dtype=torch.float64),
        }

    def reals(self, stored: tensor_cache.Tensors) -> JudgeReals:
        return JudgeReals(
            **vars(super().reals(stored)),
            radii=(stored["precision_radii"].to(self.device), stored["coverage_radii"].to(self.device)),
            precision=stored["precision"].item(),
            recall=stored["recall"].item(),
        )

    def samples(self, reals: Reals, embedded: tuple[Tensor, ...]) -> JudgeSamples:
        assert isinstance(reals, JudgeReals)
        (features,) = embedded
        return JudgeSamples(reals, features, self.device)


def judged_workload(network: str) -> type[JudgedWorkload]:
    """Return the class that measures in a judge's features, Inception's too."""
    return JudgedBesideInception if network in BESIDE_INCEPTION else Inception


def prepare(
    workload: Workload, arrays: Arrays, weights: Weights, device: str, on_progress: OnProgress | None = None
) -> None:
    """Check the weights and measure the real images, so that trials find the results in the cache.

    Raises:
        ValueError: the weights cannot be used.
    """
    judged_workload(weights.network)(workload, arrays, weights, torch.device(device), on_progress=on_progress)
    give_back_memory()


def _ceilings(pairs: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Return precision and recall of real images that stand for fakes, mean over the pairs."""
    reached = [compare(*pair) for pair in pairs]
    precision = sum(agreement.precision for agreement in reached) / len(reached)
    recall = sum(agreement.recall for agreement in reached) / len(reached)
    return precision, recall
