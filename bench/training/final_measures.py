"""What judges such as Inception measure once training has ended, on more images than an evaluation has."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.config.judges import JUDGES
from bench.config.trial import Spec
from bench.config.workload import Workload
from bench.data import Arrays
from bench.extractors.weight_files import Weights
from bench.metrics import inception, judges
from bench.metrics.evaluate import Scores
from bench.metrics.inception import Inception, samples_of
from bench.metrics.judges import JudgedWorkload
from bench.training.batches import to_uint8
from bench.training.evaluations import Evaluations
from bench.training.sampling import further_latents


def judged_samples(
    evaluations: Evaluations, generator: nn.Module, workload: Workload, spec: Spec, device: torch.device
) -> Tensor | None:
    """Return the images that judges look at: the last evaluation's, and as many more of the bank as are needed.

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


def measure(
    samples: Tensor | None,
    weights: Weights,
    workload: Workload,
    arrays: Arrays,
    device: torch.device,
    report: Callable[[str], None],
) -> Scores:
    """Return what a judge measures of the samples; what there is to say where there are none."""
    judge = JUDGES.get(weights.network)
    if samples is None:
        return inception.unmeasurable() if judge is None else judges.unmeasurable(judge)
    measured, total = 0, len(samples)
    doing = "FID" if judge is None else judge.title

    def count(images: int) -> None:
        nonlocal measured
        measured += images
        report(f"{doing} {measured:,}/{total:,}")

    measuring = Inception if judge is None else JudgedWorkload
    return measuring(workload, arrays, weights, device).measure(samples, count)
