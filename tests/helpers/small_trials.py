"""Trials of a small network on made-up images, for tests of the engine."""

import msgspec
import torch
from torch import Tensor

import losses
from bench.config.protocol import CORE_NORM, PROTOCOL_VERSION
from bench.config.suite import load_suite
from bench.config.trial import Network, Optimizer, Spec, Trial
from bench.plan import expand
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


def images(count: int = 100) -> Tensor:
    ramp = torch.arange(count * 32 * 32).reshape(count, 1, 32, 32)
    return (ramp * 7919 % 251).to(torch.uint8)


def watch_critic(step: TrainingStep) -> list[int]:
    """Return a list that takes the number of each of the discriminator's updates as it is placed."""
    seen: list[int] = []
    place = step.place

    def placed(phase: Phase, index: int) -> None:
        if phase == "discriminator":
            seen.append(index)
        place(phase, index)

    step.place = placed  # type: ignore[method-assign]
    return seen
