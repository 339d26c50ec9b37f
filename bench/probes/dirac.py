"""The Dirac-GAN of Mescheder, Geiger and Nowozin (ICML 2018, arXiv 1801.04406), driven through the real training step.

Real data is a point mass at 0, the generator a point mass at theta, and the discriminator a line of slope psi. It is
the smallest GAN there is, and its only equilibrium is (theta, psi) = (0, 0). A method converges locally if gradient
descent reaches it. The authors' discriminator is large on fakes and ours on reals, so ours is D(x) = -psi * x. Then
theta, psi and the start (1, 1) are theirs. Their alternating scheme moves the generator first.
"""

import copy
import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import linear_regression
from typing import Final, Literal

import torch
from torch import Tensor, nn

import losses
from bench.common.threads import torch_threads
from bench.config.trial import Optimizer
from bench.events import OnProgress
from bench.methods import label
from bench.training.batches import Batches
from bench.training.step import TrainingStep
from losses import Constraint, Method

STEP_SIZE: Final = 0.2
STEPS: Final = 500
BATCH_SIZE: Final = 512
"""All points of a batch are equal. Its size matters only to parts that draw random numbers, which it averages."""

_ANY_BATCH: Final = 4

ARRIVED: Final = 0.05
"""A trajectory is near the equilibrium when its last tenth stays within this share of its first radius."""
DECAYING: Final = -1e-3
"""Its radius falls when log(radius) changes by less than this a step."""
STEADY: Final = 4.0
"""It falls steadily, as that of a convergent linear system, when it falls in each quarter of the second half, at rates
that differ by at most this factor. The radius of an elliptical spiral does not fall quite evenly."""

Convergence = Literal["convergent", "near", "slow", "not convergent", "overflow"]
"""How a trajectory ended.

- convergent: near the equilibrium, and falling steadily over the second half.
- near: near it, but not falling steadily: a small orbit, a clipped slope, or noise.
- slow: not near, but falling over the second half.
- not convergent: neither.
- overflow: a number ceased to be finite.
"""


_SHIFT: Final = 1e-5
"""By how much a parameter is moved to either side to find a slope: in float64 it is then right to ten digits."""


@dataclass(frozen=True)
class Schedule:
    """The order of the players' moves: both from the same point, or the generator and then D `critic_steps` times."""

    name: str
    label: str
    critic_steps: int = 1
    together: bool = False
    consensus: float = 0.0
    """gamma of consensus optimization, which is defined where both move together: see `consensus_optimization`."""


SCHEDULES: Final = (
    Schedule("simultaneous", "simultaneous", together=True),
    Schedule("alternating", "alternating"),
    Schedule("alternating-5", "alternating, 5 D steps", critic_steps=5),
)


def consensus_optimization(gamma: float) -> Schedule:
    """Return simultaneous descent on L_G + gamma/2 |v|^2 and L_D + gamma/2 |v|^2.

    v = (dL_G/dtheta, dL_D/dpsi) is the gradient of both players, and both terms are differentiated by the own
    parameter (Mescheder, Nowozin and Geiger, The numerics of GANs, NeurIPS 2017, arXiv 1705.10461). In a game whose
    eigenvalues are imaginary, +-i f'(0), it adds the real part -gamma f'(0)^2.
    """
    return Schedule("consensus", f"consensus, gamma {gamma:g}", together=True, consensus=gamma)


_UNGIVEN: Final = {
    "image_shape": "works on images",
    "features": "reads features of the discriminator",
    "frozen_features": "compares images in fixed features",
    "second_latents": "compares the samples of different latents",
    "weights": "reads layers of weights",
}
"""What parts may need that a game of two numbers does not have."""


class PointMass(nn.Module):
    """The generator: every latent becomes theta, [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, latents: Tensor) -> Tensor:
        return self.theta.expand(len(latents), 1)


class Slope(nn.Module):
    """The discriminator: D(x) = -psi * x, [B, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        return -self.psi * points


class DiracGan:
    """The two players and the training step of a method that has no `refusal`."""

    def __init__(
        self, method: Method, *, critic_steps: int = 1, batch_size: int = BATCH_SIZE, step_size: float = STEP_SIZE
    ) -> None:
        self.generator, self.discriminator = PointMass(), Slope()
        self.step = TrainingStep(
            method,
            self.generator,
            self.discriminator,
            Batches(torch.zeros(1, 1, dtype=torch.float64), stack=1, batch_size=batch_size, latent_size=1, seed=0),
            optimizer=Optimizer(name="sgd", lr_generator=step_size, lr_discriminator=step_size, betas=(0.0, 0.0)),
            critic_steps=critic_steps,
        )

    @property
    def position(self) -> tuple[float, float]:
        """The current (theta, psi)."""
        return self.generator.theta.item(), self.discriminator.psi.item()

    @property
    def radius(self) -> float:
        """The distance to the equilibrium."""
        return math.hypot(*self.position)

    def move_together(self, index: int, *, consensus: float = 0.0) -> None:
        """Make step `index` of simultaneous descent: both gradients are computed before either player moves."""
        field = self._gradients(index)
        if consensus:
            slopes = self._slopes_of_the_field(index)
            for player, own, slope in zip(self._players, field, slopes, strict=True):
                player.grad = own + consensus * slope
        self.step.apply_discriminator()
        self.step.apply_generator()

    @property
    def _players(self) -> tuple[nn.Parameter, nn.Parameter]:
        return self.generator.theta, self.discriminator.psi

    def _gradients(self, index: int) -> list[Tensor]:
        """Fill both players' gradients of step `index`, and return them."""
        self.step.discriminator_gradients(self.step.batch("discriminator", index * self.step.critic_steps))
        self.step.generator_gradients(self.step.batch("generator", index))
        return [torch.zeros_like(player) if player.grad is None else player.grad.clone() for player in self._players]

    def _slopes_of_the_field(self, index: int) -> list[Tensor]:
        """Return the gradient of |v|^2 / 2 by theta and psi, with v as of step `index`, by central differences.

        What stateful parts remember is as before.
        """
        before = copy.deepcopy(self.step.snapshot())
        slopes = []
        for player in self._players:
            ends = []
            for shift in (_SHIFT, -_SHIFT):
                with torch.no_grad():
                    player.add_(shift)
                ends.append(torch.stack(self._gradients(index)).square().sum() / 2)
                self.step.restore(before)
            slopes.append((ends[0] - ends[1]) / (2 * _SHIFT))
        return slopes

    def move_in_turn(self, index: int) -> None:
        """Make step `index` of alternating descent: the generator, then the discriminator's steps."""
        self.step.generator_gradients(self.step.batch("generator", index))
        self.step.apply_generator()
        for critic_step in self.step.critic_range(index):
            self.step.discriminator_gradients(self.step.batch("discriminator", critic_step))
            self.step.apply_discriminator()


@dataclass(frozen=True)
class Trajectory:
    """The path of one method under one schedule: (theta, psi) at the start and after each step.

    It ends early, with the last finite position, if a number is not finite.
    """

    method: str
    expression: str
    schedule: Schedule
    positions: Sequence[tuple[float, float]]
    steps: int
    """How many were planned."""

    @property
    def radii(self) -> list[float]:
        """The distance to the equilibrium at each position."""
        return [math.hypot(theta, psi) for theta, psi in self.positions]

    @property
    def overflowed(self) -> bool:
        return len(self.positions) <= self.steps

    @property
    def rate(self) -> float | None:
        """The slope of log(radius) by steps, by least squares over the second half; None for an overflow.

        A linearized flow with eigenvalue v has log|1 + h v| here under simultaneous steps of size h.
        """
        return None if self.overflowed else self._slope(len(self.positions) // 2, len(self.positions))

    @property
    def verdict(self) -> Convergence:
        """How it ended, by `ARRIVED`, `DECAYING` and `STEADY`."""
        radii = self.radii
        if self.overflowed:
            return "overflow"
        if max(radii[-max(1, self.steps // 10) :]) < ARRIVED * radii[0]:
            return "convergent" if radii[-1] == 0 or self._falls_steadily() else "near"
        return "slow" if self.rate is not None and self.rate < DECAYING else "not convergent"

    def _falls_steadily(self) -> bool:
        bounds = [len(self.positions) * eighths // 8 for eighths in (4, 5, 6, 7, 8)]
        slopes = [slope for first, end in pairwise(bounds) if (slope := self._slope(first, end)) is not None]
        return len(slopes) == len(bounds) - 1 and max(slopes) < DECAYING and min(slopes) / max(slopes) <= STEADY

    def _slope(self, first: int, end: int) -> float | None:
        """Fit log(radius) over the positions from `first` to before `end`; None where that leaves no line."""
        tail = [
            (step, math.log(radius)) for step, radius in enumerate(self.radii[:end]) if step >= first and radius > 0
        ]
        return linear_regression(*zip(*tail, strict=True)).slope if len(tail) > 1 else None

    def to_json(self) -> dict[str, object]:
        """Return the result, without the positions."""
        return {
            "method": self.method,
            "expression": self.expression,
            "schedule": self.schedule.name,
            "radius": None if self.overflowed else self.radii[-1],
            "rate": self.rate,
            "verdict": self.verdict,
            "finite_steps": len(self.positions) - 1,
        }


def refusal(method: Method) -> str | None:
    """Say why a method cannot be used in a game of two numbers; None if it can."""
    if method.outputs > 1:
        return f"{method.name}: {method.objective.name} reads {method.outputs} outputs a sample; a Dirac-GAN has one"
    if method.pack > 1:
        return f"{method.name} joins {method.pack} samples to one input; a Dirac-GAN's discriminator reads one number"
    for part in method.parts:
        lacking = sorted(part.needs & _UNGIVEN.keys())
        if lacking:
            return f"{method.name}: {part.name} {_UNGIVEN[lacking[0]]}, of which a Dirac-GAN has none"
        if isinstance(part, Constraint) and _leaves_unchanged(part):
            return f"{method.name}: {part.name} changes layers of weights, of which a Dirac-GAN has none"
    game = DiracGan(method, batch_size=_ANY_BATCH)
    try:
        game.move_together(0)
    except ValueError as error:
        return f"{method.name} cannot run in a Dirac-GAN: {error}"
    return None


def _leaves_unchanged(constraint: Constraint) -> bool:
    """Whether a constraint that wraps the discriminator finds nothing to change in this one."""
    if type(constraint).wrap is Constraint.wrap:
        return False
    return len(list(constraint.wrap(Slope()).modules())) == 1


def follow(
    method: Method,
    schedule: Schedule,
    *,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
    batch_size: int = BATCH_SIZE,
) -> Trajectory:
    """Follow a method from (1, 1) under a schedule, if it has no `refusal`."""
    game = DiracGan(method, critic_steps=schedule.critic_steps, batch_size=batch_size, step_size=step_size)
    positions = [game.position]
    for index in range(steps):
        if schedule.together:
            game.move_together(index, consensus=schedule.consensus)
        else:
            game.move_in_turn(index)
        if not math.isfinite(game.radius):
            break
        positions.append(game.position)
    return Trajectory(label(method), str(method), schedule, positions, steps)


def probe(
    expressions: Iterable[str],
    *,
    steps: int = STEPS,
    step_size: float = STEP_SIZE,
    consensus: float | None = None,
    on_progress: OnProgress | None = None,
) -> list[Trajectory]:
    """Follow each method under each of `SCHEDULES`, method by method, and by consensus optimization if it has a gamma.

    Raises:
        ValueError: a method is unknown or has a `refusal`. Nothing is run then.
    """
    methods = [losses.game(expression) for expression in expressions]
    schedules = SCHEDULES if consensus is None else (*SCHEDULES, consensus_optimization(consensus))
    for method in methods:
        reason = refusal(method)
        if reason is not None:
            raise ValueError(reason)
    trajectories = []
    with torch_threads(1):
        for method in methods:
            for done, schedule in enumerate(schedules):
                if on_progress is not None:
                    on_progress(label(method), done, len(schedules))
                trajectories.append(follow(method, schedule, steps=steps, step_size=step_size))
            if on_progress is not None:
                on_progress(label(method), len(schedules), len(schedules))
    return trajectories


def to_csv(trajectories: Iterable[Trajectory]) -> str:
    """Return every position as a row: method, expression, schedule, step, theta, psi, radius."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "expression", "schedule", "step", "theta", "psi", "radius"])
    for trajectory in trajectories:
        for step, ((theta, psi), radius) in enumerate(zip(trajectory.positions, trajectory.radii, strict=True)):
            writer.writerow(
                [trajectory.method, trajectory.expression, trajectory.schedule.name, step, theta, psi, radius]
            )
    return text.getvalue()
