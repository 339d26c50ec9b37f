"""FID, KID and the Inception score, on torch-fidelity's Inception: the numbers that papers print under these names.

The network is torch-fidelity's own (`bench.extractors.inception_network`). What is computed from its features and
logits is ours, in double precision and on the device of the run: torch-fidelity computes KID in float32 on the CPU, and
refuses sets smaller than a subset.

The score: exp E KL(p(y|x) || p(y)), mean of ten splits (Salimans et al., 2016), drawn as torch-fidelity draws them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from bench.extractors import inception_network
from bench.extractors.embedding import OnImages
from bench.extractors.inception_network import embed, load
from bench.extractors.weight_files import Weights
from bench.metrics import tensor_cache
from bench.metrics.judged_workload import JudgedWorkload, Reals, Samples
from bench.metrics.kernel_distance import SUBSET_SEED
from bench.metrics.order import at_most

KID_IMAGES: Final = 50_000
"""KID draws its subsets from no more training images than this."""

_SPLITS: Final = 10


@dataclass(frozen=True, eq=False)
class InceptionSamples(Samples):
    """Generated images in Inception's features [N, 2048] and logits without bias [N, 1008], on the CPU."""

    logits: Tensor


def inception_score(logits: Tensor, *, splits: int = _SPLITS, seed: int = SUBSET_SEED) -> float | None:
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


class Inception(JudgedWorkload):
    """FID, KID and the Inception score of one workload, with their floor."""

    kept_tensors = ("features",)

    def load(self, weights: Weights) -> nn.Module:
        return load(weights, self.device)

    def identity(self) -> tuple[str, ...]:
        return inception_network.LAYERS

    def embed(self, images: Tensor, on_images: OnImages | None = None) -> tuple[Tensor, Tensor]:
        return embed(self.network, images, self.device, on_images)

    def measure_training(self, features: Tensor) -> tensor_cache.Tensors:
        return {"features": at_most(features, f"{self.workload.kind}/inception/order", KID_IMAGES)}

    def samples(self, reals: Reals, embedded: tuple[Tensor, ...]) -> InceptionSamples:
        features, logits = embedded
        return InceptionSamples(reals, features, self.device, logits)
