"""What is measured once training has ended: FID, KID and the Inception score, on more images than an evaluation has."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.config.trial import Spec
from bench.config.workload import Workload
from bench.data import Arrays
from bench.extractors.inception_weights import Weights
from bench.metrics.evaluate import Scores
from bench.metrics.inception import Inception, samples_of, unmeasurable
from bench.training.batches import to_uint8
from bench.training.evaluations import Evaluations
from bench.training.sampling import further_latents


def inception_samples(
    evaluations: Evaluations, generator: nn.Module, workload: Workload, spec: Spec, device: torch.device
) -> Tensor | None:
    """Return the images that Inception looks at: the last evaluation's, and as many more of the bank as it needs.

    None where there are none, since a number has ceased to be finite.
    """
    if evaluations.samples is None:
        return None
    wanted = samples_of(workload, spec.samples)
    pieces, finite = [evaluations.samples.cpu()], True
    more = further_latents(workload, spec, wanted - spec.samples, device)
    for images in evaluations.generate(generator, more):
        finite = finite and bool(images.isfinite().all())
        pieces.append(to_uint8(images).cpu())
    return torch.cat(pieces)[:wanted] if finite else None


def measure_inception(
    samples: Tensor | None,
    weights: Weights,
    workload: Workload,
    arrays: Arrays,
    device: torch.device,
    report: Callable[[str], None],
) -> Scores:
    """Return FID, KID and the Inception score of the samples; what there is to say where there are none."""
    if samples is None:
        return unmeasurable()
    measured, total = 0, len(samples)

    def count(images: int) -> None:
        nonlocal measured
        measured += images
        report(f"FID {measured:,}/{total:,}")

    return Inception(workload, arrays, weights, device).measure(samples, count)
