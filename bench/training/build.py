"""From the description of a trial to what trains: both networks, their random streams and the step."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

import losses
from bench.config.protocol import PROTOCOL_VERSION
from bench.config.trial import Trial
from bench.methods import refuse_changed_parts
from bench.networks import build_discriminator, build_generator
from bench.training.batches import Batches
from bench.training.memory import keep_freed_memory
from bench.training.precision import check_precision, choose_device, configure
from bench.training.run_options import RunOptions
from bench.training.seeding import Stream
from bench.training.step import TrainingStep


def prepare_process(trial: Trial, options: RunOptions) -> None:
    """Set what holds for the whole process: the device, threads, memory and precision.

    Raises:
        ValueError: for a trial of another protocol version, in a precision that the device does not have, or with a
            loss whose file has changed since the trial was planned.
    """
    if trial.spec.protocol_version != PROTOCOL_VERSION:
        raise ValueError(f"the trial follows protocol {trial.spec.protocol_version}; this is {PROTOCOL_VERSION}")
    refuse_changed_parts(trial)
    device = torch.device(options.device)
    check_precision(device, trial.spec.precision)
    choose_device(device)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    configure(trial.spec.precision)


def build_step(trial: Trial, images: Tensor, device: torch.device, *, stack: int = 1) -> TrainingStep:
    """Build everything that trains, on the device.

    Args:
        trial: whose spec says what to build.
        images: the training part, on the device, as `Batches` takes it.
        device: where it trains.
        stack: how many single-channel images make one sample.
    """
    spec = trial.spec

    def normal_for(player: str) -> Callable[[str, tuple[int, ...]], Tensor]:
        return lambda name, shape: Stream(spec.seed, f"init/{player}/{name}").normal(0, shape)[0]

    def on_device(module: nn.Module) -> nn.Module:
        return module.to(device).to(memory_format=torch.channels_last)

    method = losses.get(spec.method)
    generator = build_generator(spec.network, normal_for("generator"))
    discriminator = build_discriminator(
        spec.network, normal_for("discriminator"), pack=method.pack, outputs=method.outputs
    )
    batches = Batches(
        images, stack=stack, batch_size=spec.batch_size, latent_size=spec.network.latent_size, seed=spec.seed
    )
    return TrainingStep(
        method,
        on_device(generator),
        on_device(discriminator),
        batches,
        optimizer=spec.optimizer,
        critic_steps=spec.critic_steps,
        precision=spec.precision,
        seed=spec.seed,
        samplewise=discriminator.samplewise,
    )
