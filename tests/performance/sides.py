"""What the engine's step is held against: the reference loop, the bare step, and a replay of nothing."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import plain_loop
from plain_networks import Logits, in_torch_layers

from bench.config.trial import Precision
from bench.training.batches import to_network_range
from bench.training.precision import autocast
from bench.training.step import TrainingStep

BATCH, LATENT = 64, 128


class Reference:
    """The plain loop in float32: eager, contiguous, batches by a DataLoader, as the well-known tutorial has it."""

    def __init__(self, engine: TrainingStep, images: Tensor, device: torch.device) -> None:
        self.generator, self.discriminator = in_torch_layers(engine.generator), Logits(engine.discriminator)
        self._data = TensorDataset(images.cpu().float() / 127.5 - 1)
        self._device = device

    def batches(self, steps: int) -> Iterator[plain_loop.Batch]:
        sampler = RandomSampler(self._data, replacement=True, num_samples=steps * BATCH)
        for (real,) in DataLoader(self._data, batch_size=BATCH, sampler=sampler):
            latents = (torch.randn(BATCH, LATENT, device=self._device) for _ in range(2))
            yield real.to(self._device), next(latents), next(latents)

    def run(self, steps: int) -> None:
        for _ in plain_loop.train("nsgan", self.generator, self.discriminator, list(self.batches(steps))):
            pass


class Bare:
    """What is left of the engine's step without harness: the same networks and updates on one batch that stays.

    Its losses are those of `nsgan`, written out here or as the library makes them.
    """

    def __init__(
        self, step: TrainingStep, images: Tensor, precision: Precision, device: torch.device, *, library: bool = False
    ) -> None:
        self._step, self._precision, self._device, self._library = step, precision, device, library
        self._real = to_network_range(images[:BATCH])
        self._latents = torch.randn(BATCH, LATENT, device=device)

    def make_capturable(self) -> None:
        self._step.make_capturable()

    def run(self, _: int) -> None:
        step = self._step
        step.discriminator_optimizer.zero_grad(set_to_none=True)
        with autocast(self._precision, self._device):
            with torch.no_grad():
                fake = step.generator(self._latents)
            loss = self._library_discriminator(fake) if self._library else self._discriminator(fake)
        loss.backward()
        step.discriminator_optimizer.step()
        step.generator_optimizer.zero_grad(set_to_none=True)
        step.discriminator.requires_grad_(False)
        with autocast(self._precision, self._device):
            loss = self._library_generator() if self._library else self._generator()
        loss.backward()
        step.discriminator.requires_grad_(True)
        step.generator_optimizer.step()

    def _discriminator(self, fake: Tensor) -> Tensor:
        both = [torch.cat([self._real, fake])] if self._step.criterion.concat_batches else [self._real, fake]
        real_logits, fake_logits = torch.cat([self._step.discriminator(images)[0] for images in both]).split(BATCH)
        return softplus(-real_logits.float()).mean() + softplus(fake_logits.float()).mean()

    def _generator(self) -> Tensor:
        logits = self._step.discriminator(self._step.generator(self._latents))[0]
        return softplus(-logits.float()).mean()

    def _library_discriminator(self, fake: Tensor) -> Tensor:
        step = self._step
        joint = step.criterion.concat_batches
        return step.method.discriminator_loss(step.discriminator, self._real, fake, concat_batches=joint).total

    def _library_generator(self) -> Tensor:
        step = self._step
        return step.method.generator_loss(step.discriminator, step.generator, self._latents).total


class Idle:
    """Records nothing, and replays it."""

    def run(self, call: Callable[[], object]) -> None:
        call()

    def record(self, call: Callable[[], object], _: object) -> Callable[[], None]:
        call()
        return lambda: None
