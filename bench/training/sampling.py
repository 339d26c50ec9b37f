"""What a generator draws: in training when it is evaluated, and later from its stored weights."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from bench import data
from bench.config.trial import Precision, Spec
from bench.config.workload import Workload
from bench.networks import build_generator
from bench.training.artifacts import load_generator
from bench.training.batches import to_uint8
from bench.training.precision import autocast, configure
from bench.training.seeding import Stream

BATCH = 500
"""Latents that are sampled at once; the last bits of a sample depend on it."""


def evaluation_latents(workload: Workload, spec: Spec, device: torch.device) -> Tensor:
    """Return the bank [samples, latent_size] that every trial of a workload is evaluated on.

    There is one a workload, so that differences between evaluations are never the latents'.
    """
    return Stream(0, _bank_name(workload), device).normal(0, (spec.samples, spec.network.latent_size))[0]


def further_latents(workload: Workload, spec: Spec, count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield `count` latents of the bank or some more, in batches, that come after those of the evaluations."""
    # Step 0 of the stream are the evaluations' latents; each later step is one batch.
    return _latent_batches(Stream(0, _bank_name(workload), device), 1, count, spec)


def seeded_latents(workload: Workload, spec: Spec, seed: int, count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield `count` latents of a seed or some more, in batches: the first ones are the same for every count."""
    return _latent_batches(Stream(seed, f"sample/{workload.kind}", device), 0, count, spec)


def _latent_batches(stream: Stream, first: int, count: int, spec: Spec) -> Iterator[Tensor]:
    for step in range(first, first + math.ceil(max(0, count) / BATCH)):
        yield stream.normal(step, (BATCH, spec.network.latent_size))[0]


def _bank_name(workload: Workload) -> str:
    return f"evaluation/{workload.kind}"


@torch.no_grad()
def generate(
    generator: nn.Module, batches: Iterable[Tensor], precision: Precision, device: torch.device
) -> Iterator[Tensor]:
    """Yield the samples of each batch of latents in float32; the generator's mode is restored."""
    was_training = generator.training
    generator.eval()
    try:
        with autocast(precision, device):
            for batch in batches:
                yield generator(batch).float()
    finally:
        generator.train(was_training)


def sample(path: str | Path, *, count: int, seed: int | None = None, device: str = "cpu") -> tuple[Tensor, Workload]:
    """Draw samples from a stored generator.

    Args:
        path: the `generator.safetensors` of a recorded trial.
        count: how many samples, at least 1.
        seed: of the latents, the first of which are the same for every count; by default they are the first of the
            bank that the workload is evaluated on, so that the first samples are those of `samples.png`.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        uint8 images [count, C, H, W], or points [count, 2]; and the workload they imitate.

    Raises:
        ValueError: a file that is no recorded generator, a count below 1, or one above what the bank has.
    """
    trial, weights = load_generator(Path(path))
    spec = trial.spec
    workload = data.workload(spec.workload)
    if count < 1:
        raise ValueError(f"the number of samples must be at least 1, not {count}")
    if seed is None and count > spec.samples:
        raise ValueError(
            f"{spec.workload} is evaluated on {spec.samples:,} latents, fewer than {count:,}; "
            "give a seed to draw others"
        )
    where = torch.device(device)
    configure(spec.precision)
    generator = build_generator(spec.network, lambda _, shape: torch.zeros(shape))
    try:
        generator.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of the network that its header names: {error}") from error
    generator.to(where).to(memory_format=torch.channels_last)
    # Whole batches, as in training: the last bits of a product depend on the size of the batch.
    batches: Iterable[Tensor]
    if seed is None:
        batches = evaluation_latents(workload, spec, where)[: math.ceil(count / BATCH) * BATCH].split(BATCH)
    else:
        batches = seeded_latents(workload, spec, seed, count, where)
    drawn = torch.cat(list(generate(generator, batches, spec.precision, where)))[:count].cpu()
    if not bool(drawn.isfinite().all()):
        raise ValueError(
            f"the generator of trial {trial.id} gives samples that are not finite; there is nothing to draw"
        )
    return drawn if workload.is_toy else to_uint8(drawn), workload
