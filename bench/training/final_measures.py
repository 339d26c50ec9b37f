"""What judges such as Inception measure once training has ended, on more images than an evaluation has."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.config.judges import JUDGES
from bench.config.protocol import INCEPTION
from bench.config.trial import Spec
from bench.config.workload import Workload
from bench.data import Arrays
from bench.extractors.weight_files import Weights
from bench.metrics.evaluate import Scores
from bench.metrics.judged_workload import samples_of, unmeasurable
from bench.metrics.judges import judged_workload
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
    judge = weights.network
    if samples is None:
        return unmeasurable(judge)
    measured, total = 0, len(samples)
    doing = "FID" if judge == INCEPTION else JUDGES[judge].title

    def count(images: int) -> None:
        nonlocal measured
        measured += images
        report(f"{doing} {measured:,}/{total:,}")

    return judged_workload(judge)(workload, arrays, weights, device).measure(samples, count)
