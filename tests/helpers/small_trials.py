"""Trials of a small network on made-up images, for tests of the engine."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor

import losses
from bench.config.protocol import CORE_NORM, PROTOCOL_VERSION
from bench.config.suite import load_suite
from bench.config.trial import Network, Optimizer, Spec, Trial
from bench.events import Progress
from bench.execution.training import train
from bench.plan import expand
from bench.store.record import Outcome
from bench.training import timing
from bench.training.batches import Batch, Batches
from bench.training.run_options import RunOptions
from bench.training.step import TrainingStep
from losses.types import Phase

ADAM = Optimizer(name="adam", lr_generator=2e-4, lr_discriminator=2e-4, betas=(0.5, 0.999))


def make_trial(method: str, *, width: int = 8, batch_size: int = 16, seed: int = 0, **changes: object) -> Trial:
    spec = Spec(
        protocol_version=PROTOCOL_VERSION,
        track="controlled",
        method=str(losses.get(method)),
        method_name=method,
        workload="digits",
        data_hash="",
        network=Network(name="dcgan-v2", width=width, channels=1, image_size=32, latent_size=100, d_norm=CORE_NORM),
        optimizer=ADAM,
        critic_steps=1,
        batch_size=batch_size,
        steps=10,
        evaluate_every=10,
        samples=10,
        precision="fp32",
        seed=seed,
    )
    return Trial(spec=msgspec.structs.replace(spec, **changes), components={})


def toy_trial(**changes: object) -> Trial:
    """Return a trial that can be trained and evaluated in a second: points in the plane."""
    settings = {"methods": ["nsgan"], "steps": 120, "evaluate_every": 60, "samples": 400}
    (trial,) = expand(load_suite("smoke", settings))
    return msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, **changes))


def brief_trial(**changes: object) -> Trial:
    """Return a trial that takes a tenth of that, in two blocks: for whatever does not depend on how long it trains."""
    return toy_trial(**{"steps": 12, "evaluate_every": 6, "samples": 100} | changes)


def leave_out_timing(patch: pytest.MonkeyPatch) -> None:
    """Time no further steps at the end of a trial of this process: they would be most of a short one."""
    patch.setattr(timing, "PHASE_STEPS", 0)
    patch.setattr(timing, "EXCLUSIVE_BLOCKS", 0)


def images(count: int = 100) -> Tensor:
    ramp = torch.arange(count * 32 * 32).reshape(count, 1, 32, 32)
    return (ramp * 7919 % 251).to(torch.uint8)


def watch_critic(step: TrainingStep) -> list[int]:
    """Return a list that takes the number of each of the discriminator's updates as its batch is asked for."""
    seen: list[int] = []
    batch = step.batch

    def watched(phase: Phase, index: int) -> Batch:
        if phase == "discriminator":
            seen.append(index)
        return batch(phase, index)

    step.batch = watched  # type: ignore[method-assign]
    return seen


class InFloat64:
    """The same batches with twice the digits."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def at(self, phase: str, step: int) -> Batch:
        batch = self._batches.at(phase, step)
        return Batch(lambda: batch.real.double(), lambda: batch.latents.double())


def train_alone(
    trial: Trial, folder: Path, emit: Callable[[Progress], None] = lambda _: None, **options: object
) -> Outcome:
    """Train one trial in this process, and raise what it raises."""
    folder.mkdir(parents=True, exist_ok=True)
    ((_, result),) = train([(trial, folder)], RunOptions(**options), emit)
    if isinstance(result, Exception):
        raise result
    return result
