"""One discriminator update and one generator update: the only place that runs a backward pass or an optimizer.

The rules, each of which removes a mistake that training loops make: one `zero_grad`, one backward and one optimizer
step for each phase; fakes of the discriminator's phase come from a generator without graph; the discriminator is
frozen in the generator's phase; real and fake go through D in separate forwards unless its logits are samplewise;
penalties and objectives are summed before the one backward.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from bench.config.trial import Optimizer, Precision
from bench.training.batches import Batch, Batches
from bench.training.monitors import UPDATE_RATIO_EVERY
from bench.training.observations import (
    DiscriminatorRow,
    GeneratorRow,
    copy_parameters,
    signals_at,
    slopes_at,
    total_variance,
    update_ratio,
)
from bench.training.precision import autocast
from losses import Criterion, Method
from losses.profiling import D_BACKWARD, D_UPDATE, G_BACKWARD, G_FAKE, G_UPDATE, mark
from losses.types import Phase


def build_optimizer(module: nn.Module, optimizer: Optimizer, learning_rate: float) -> torch.optim.Optimizer:
    """Build one player's optimizer, fused where torch has it."""
    parameters = list(module.parameters())
    if optimizer.name == "adam":
        return torch.optim.Adam(parameters, lr=learning_rate, betas=optimizer.betas, fused=True)
    if optimizer.name == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=learning_rate, alpha=optimizer.betas[1])
    return torch.optim.SGD(parameters, lr=learning_rate, momentum=optimizer.betas[0])


_STATEFUL: Final = ("generator", "discriminator", "generator_optimizer", "discriminator_optimizer", "criterion")
"""What a step changes."""


class TrainingStep:
    """Both players, their optimizers and the method; `run(step)` makes one generator update and its critic updates.

    Steps count generator updates from 0. With `critic_steps` n, the discriminator's updates of step t are its
    updates n*t ... n*t + n - 1, and each has its own batch, latents and random numbers.

    The method's own pace is applied here, on top of the track's: its factors on the discriminator's updates and
    learning rate. `samplewise` says of the discriminator, as it is given, that an image's logit depends on no other
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
        samplewise: bool = False,
    ) -> None:
        self.method = method
        self.criterion = Criterion(method, discriminator, generator, seed=seed, concat_batches=samplewise)
        self.generator = generator.train()
        self.discriminator = self.criterion.discriminator.train()
        self.generator_optimizer = build_optimizer(generator, optimizer, optimizer.lr_generator)
        self.discriminator_optimizer = build_optimizer(
            self.discriminator, optimizer, optimizer.lr_discriminator * method.learning_rate_factor
        )
        self.critic_steps = critic_steps * method.critic_steps
        """The discriminator's updates for one of the generator."""
        self._needs_real_in_generator = method.needs_real_in_generator
        self._batches = batches
        self._precision = precision
        self._device = next(generator.parameters()).device
        self._capturable = False
        self._not_measured = torch.full((), torch.nan, device=self._device)

    def run(self, step: int) -> tuple[DiscriminatorRow, GeneratorRow]:
        """Make one step; return what is watched of the last discriminator update and of the generator update."""
        for update in self.critic_range(step):
            discriminator = self.update_discriminator(
                self.batch("discriminator", update), measured=self.measures(step, update)
            )
        return discriminator, self.update_generator(self.batch("generator", step), measured=self.measures(step))

    def critic_range(self, step: int) -> range:
        """Return the numbers of the discriminator's updates that belong to a step."""
        return range(step * self.critic_steps, (step + 1) * self.critic_steps)

    def measures(self, step: int, critic_step: int | None = None) -> bool:
        """Say whether a step measures its update ratios; of the discriminator's updates, the last one does."""
        return step % UPDATE_RATIO_EVERY == 0 and critic_step in (None, self.critic_range(step)[-1])

    def batch(self, phase: Phase, update: int) -> Batch:
        """Choose the update of a phase: return its batch, and let the parts draw its random numbers from here on."""
        if phase == "discriminator":
            self.criterion.choose_update(phase, update, update // self.critic_steps)
        else:
            self.criterion.choose_update(phase, (update + 1) * self.critic_steps, update)
        return self._batches.at(phase, update)

    def update_discriminator(self, batch: Batch, *, measured: bool) -> DiscriminatorRow:
        """Make the discriminator's update on a batch; return what is watched, its update ratio where it is measured."""
        row = self.discriminator_gradients(batch)
        return row._replace(update_ratio=self._apply(self.apply_discriminator, self.discriminator, measured=measured))

    def update_generator(self, batch: Batch, *, measured: bool) -> GeneratorRow:
        """Make the generator's update on a batch; return what is watched, its update ratio where it is measured."""
        row = self.generator_gradients(batch)
        return row._replace(update_ratio=self._apply(self.apply_generator, self.generator, measured=measured))

    def discriminator_gradients(self, batch: Batch) -> DiscriminatorRow:
        """Fill the discriminator's gradients from one batch; the generator is left without any."""
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        real = batch.real
        variance = total_variance(real)
        with autocast(self._precision, self._device):
            latents = batch.latents
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
        real_critic, fake_critic = self.method.objective.critics(parts.real_logits.detach(), parts.fake_logits.detach())
        return DiscriminatorRow(
            loss=parts.total.detach(),
            gradient_norm=norm,
            diversity=diversity,
            update_ratio=self._not_measured,
            real_critic=real_critic,
            fake_critic=fake_critic,
            real_slopes=slopes_at(parts.real_logits),
            fake_slopes=slopes_at(parts.fake_logits),
        )

    def generator_gradients(self, batch: Batch) -> GeneratorRow:
        """Fill the generator's gradients from one batch; the discriminator is frozen meanwhile."""
        self.generator_optimizer.zero_grad(set_to_none=True)
        real = batch.real if self._needs_real_in_generator else None
        with _frozen(self.discriminator):
            with autocast(self._precision, self._device):
                parts = self.criterion.generator_loss(batch.latents, real)
            assert parts.fake_images is not None
            assert parts.fake_logits is not None
            parts.fake_images.retain_grad()
            parts.fake_logits.retain_grad()
            with mark(G_BACKWARD):
                parts.total.backward()
        return GeneratorRow(
            loss=parts.total.detach(),
            gradient_norm=_gradient_norm(self.generator_optimizer),
            weight=slopes_at(parts.fake_logits).sum(),
            update_ratio=self._not_measured,
            signals=signals_at(parts.fake_images),
        )

    def apply_discriminator(self) -> None:
        """Update the discriminator from the gradients it has, then apply the method's constraints."""
        with mark(D_UPDATE):
            self.discriminator_optimizer.step()
            self.criterion.constrain()

    def apply_generator(self) -> None:
        """Update the generator from the gradients it has."""
        with mark(G_UPDATE):
            self.generator_optimizer.step()

    def make_capturable(self) -> None:
        """Let the optimizers' updates be recorded as CUDA graphs from here on; torch asks for it beforehand.

        Where nothing is recorded it makes some updates slower, and torch says so in a warning.
        """
        self._capturable = self._device.type != "cpu"
        self._settle_optimizers()

    def _settle_optimizers(self) -> None:
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                if "capturable" in group:  # a plain descent can be recorded as it is
                    group["capturable"] = self._capturable
            for parameter, kept in optimizer.state.items():
                if self._capturable and "step" in kept:
                    kept["step"] = kept["step"].to(parameter.device)

    def snapshot(self) -> dict[str, Any]:
        """Return all that the next step depends on; random streams have no state."""
        stateful = {name: getattr(self, name) for name in _STATEFUL}
        return {name: part.state_dict() for name, part in stateful.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `snapshot` returned."""
        for name in _STATEFUL:
            getattr(self, name).load_state_dict(state[name])
        self._settle_optimizers()  # the state is of steps that were made one way, and these may be made another

    @property
    def state(self) -> dict[str, dict[str, Tensor]]:
        """What stateful parts remember, by part name."""
        return self.criterion.state

    @property
    def random_generators(self) -> Collection[torch.Generator]:
        """The random generators of the method's parts."""
        return self.criterion.random_generators(self._device).values()

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
    """Ask for no gradient of the parameters inside."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def _gradient_norm(optimizer: torch.optim.Optimizer) -> Tensor:
    (group,) = optimizer.param_groups  # which lists the parameters already
    gradients = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
    return get_total_norm(gradients)
