"""One discriminator update and one generator update: the only place that runs a backward pass or an optimiser.

The rules, each of which removes a mistake that training loops make: one `zero_grad`, one backward and one optimiser
step for each phase; fakes of the discriminator's phase come from a generator without graph; the discriminator is
frozen in the generator's phase; real and fake go through D in separate forwards unless it judges each image alone;
penalties and objectives are summed before the one backward.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from bench.config.trial import Optimizer, Precision
from bench.training.batches import Batches
from bench.training.monitors import UPDATE_RATIO_EVERY
from bench.training.observations import (
    copy_parameters,
    observe_discriminator,
    observe_generator,
    total_variance,
    update_ratio,
)
from bench.training.precision import autocast
from losses import Criterion, Method
from losses.profiling import D_BACKWARD, D_UPDATE, G_BACKWARD, G_FAKE, G_UPDATE, mark
from losses.types import Phase


def build_optimizer(module: nn.Module, optimizer: Optimizer, learning_rate: float) -> torch.optim.Optimizer:
    """Build one player's optimiser, fused where torch has it, and on CUDA one whose update can be captured."""
    parameters = list(module.parameters())
    capturable = parameters[0].is_cuda
    if optimizer.name == "adam":
        return torch.optim.Adam(parameters, lr=learning_rate, betas=optimizer.betas, fused=True, capturable=capturable)
    if optimizer.name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=optimizer.betas[1], capturable=capturable)
    return torch.optim.SGD(parameters, lr=learning_rate, momentum=optimizer.betas[0])


class TrainingStep:
    """Both players, their optimisers and the method; `run(step)` makes one generator update and its critic updates.

    Steps count generator updates from 0. With `critic_steps` n, the discriminator's updates of step t are its
    updates n*t ... n*t + n - 1, and each has its own batch, latents and random numbers.

    The method's own pace is applied here, on top of the track's: its factors on the discriminator's updates and
    learning rate. `judges_alone` says of the discriminator, as it is given, that an image's logit depends on no other
    image and that no forward changes the next.
    """

    def __init__(
        self,
        method: Method,
        generator: nn.Module,
        discriminator: nn.Module,
        batches: Batches,
        *,
        optimizer: Optimizer,
        critic_steps: int = 1,
        precision: Precision = "fp32",
        seed: int = 0,
        judges_alone: bool = False,
    ) -> None:
        self.method = method
        self.criterion = Criterion(method, discriminator, generator, seed=seed, concat_batches=judges_alone)
        self.generator = generator.train()
        self.discriminator = self.criterion.discriminator.train()
        self.generator_optimizer = build_optimizer(generator, optimizer, optimizer.lr_generator)
        self.discriminator_optimizer = build_optimizer(
            self.discriminator, optimizer, optimizer.lr_discriminator * method.learning_rate_factor
        )
        self.critic_steps = critic_steps * method.critic_steps
        """The discriminator's updates for one of the generator."""
        self._reads_real_in_generator = method.needs_real_in_generator
        self._batches = batches
        self._precision = precision
        self._device = next(generator.parameters()).device
        self._not_measured = torch.full((), torch.nan, device=self._device)

    def run(self, step: int) -> tuple[Tensor, Tensor]:
        """Make one step; return the row of the last discriminator update and that of the generator update.

        They are those of `bench.training.observations`; each ends with its update ratio, which is NaN on steps that do
        not measure it.
        """
        for critic_step in self.critic_range(step):
            self.place("discriminator", critic_step)
            discriminator = self.update_discriminator(measured=self.measures(step, critic_step))
        self.place("generator", step)
        return discriminator, self.update_generator(measured=self.measures(step))

    @property
    def joint(self) -> bool:
        """Whether reals and fakes may share a forward of the discriminator."""
        return self.criterion.concat_batches

    @property
    def state(self) -> dict[str, dict[str, Tensor]]:
        """What stateful parts remember, by part name."""
        return self.criterion.state

    def critic_range(self, step: int) -> range:
        """Return the numbers of the discriminator's updates that belong to a step."""
        return range(step * self.critic_steps, (step + 1) * self.critic_steps)

    def measures(self, step: int, critic_step: int | None = None) -> bool:
        """Say whether a step measures its update ratios; of the discriminator's updates, the last one does."""
        return step % UPDATE_RATIO_EVERY == 0 and critic_step in (None, self.critic_range(step)[-1])

    def place(self, phase: Phase, index: int) -> None:
        """Choose the update of a phase whose batch, latents and random numbers are read from here on."""
        self._batches.place(phase, index)
        if phase == "discriminator":
            self.criterion.choose_update(phase, index, index // self.critic_steps)
        else:
            self.criterion.choose_update(phase, (index + 1) * self.critic_steps, index)

    @property
    def generators(self) -> Collection[torch.Generator]:
        """The random generators of the method's parts."""
        return self.criterion.random_generators(self._device).values()

    def update_discriminator(self, *, measured: bool) -> Tensor:
        """Make the discriminator's update that was placed; return its row and its update ratio."""
        row = self._discriminator_gradients()
        return torch.hstack([row, self._apply(self.apply_discriminator, self.discriminator, measured=measured)])

    def update_generator(self, *, measured: bool) -> Tensor:
        """Make the generator's update that was placed; return its row and its update ratio."""
        row = self._generator_gradients()
        return torch.hstack([row, self._apply(self.apply_generator, self.generator, measured=measured)])

    def discriminator_gradients(self, critic_step: int) -> Tensor:
        """Fill the discriminator's gradients from one batch; the generator is left without any."""
        self.place("discriminator", critic_step)
        return self._discriminator_gradients()

    def generator_gradients(self, step: int) -> Tensor:
        """Fill the generator's gradients from one batch; the discriminator is frozen meanwhile."""
        self.place("generator", step)
        return self._generator_gradients()

    def _discriminator_gradients(self) -> Tensor:
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        real = self._batches.placed_real("discriminator")
        variance = total_variance(real)
        with autocast(self._precision, self._device):
            latents = self._batches.placed_latents("discriminator")
            with torch.no_grad(), mark(G_FAKE):
                fake = self.generator(latents)
            diversity = total_variance(fake) / variance  # images are watched while they are in the caches
            parts = self.criterion.discriminator_loss(real, latents, fake_images=fake)
        assert parts.real_logits is not None
        assert parts.fake_logits is not None
        parts.real_logits.retain_grad()
        parts.fake_logits.retain_grad()
        with mark(D_BACKWARD):
            parts.total.backward()
        norm = _gradient_norm(self.discriminator_optimizer)
        logits = parts.real_logits, parts.fake_logits
        critics = self._critics(parts.real_logits.detach(), parts.fake_logits.detach())
        return observe_discriminator(parts.total, norm, diversity, critics, logits)

    def _generator_gradients(self) -> Tensor:
        self.generator_optimizer.zero_grad(set_to_none=True)
        real = self._batches.placed_real("generator") if self._reads_real_in_generator else None
        with _frozen(self.discriminator):
            with autocast(self._precision, self._device):
                parts = self.criterion.generator_loss(self._batches.placed_latents("generator"), real)
            assert parts.fake_images is not None
            assert parts.fake_logits is not None
            parts.fake_images.retain_grad()
            parts.fake_logits.retain_grad()
            with mark(G_BACKWARD):
                parts.total.backward()
        norm = _gradient_norm(self.generator_optimizer)
        return observe_generator(parts.total, norm, parts.fake_images, parts.fake_logits)

    def apply_discriminator(self) -> None:
        """Update the discriminator from the gradients it has, then apply the method's constraints."""
        with mark(D_UPDATE):
            self.discriminator_optimizer.step()
            self.criterion.constrain()

    def apply_generator(self) -> None:
        """Update the generator from the gradients it has."""
        with mark(G_UPDATE):
            self.generator_optimizer.step()

    def _critics(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Return the objective's critic on reals and fakes, by which logits are ranked."""
        critic = self.method.objective.critic
        return critic(real, real, fake), critic(fake, real, fake)

    def _apply(self, update: Callable[[], None], module: nn.Module, *, measured: bool) -> Tensor:
        """Make an update and return its ratio; the weights are copied only where it is measured."""
        if not measured:
            update()
            return self._not_measured
        before = copy_parameters(module)
        update()
        return update_ratio(module, before)


@contextmanager
def _frozen(module: nn.Module) -> Iterator[None]:
    """Owe the parameters no gradient inside."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def _gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    (group,) = optimizer.param_groups  # which lists the parameters already
    gradients = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
    return get_total_norm(gradients)
