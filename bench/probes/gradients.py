"""The over-trained discriminator of Arjovsky and Bottou (ICLR 2017, arXiv 1701.04862): does a loss's gradient vanish?

The generator is frozen, and a new discriminator is trained against it with the method's own loss. After some numbers of
updates, the gradient that the generator would get is measured, but not applied. Every method has the same start,
batches and latents. The generator's phase is always that of step 0, because the generator makes no step.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import torch
from torch import Tensor

import losses
from bench import data, plan
from bench.common.threads import torch_threads
from bench.config.protocol import CORE_NORM
from bench.config.suite import Suite
from bench.config.trial import Trial
from bench.events import OnProgress
from bench.methods import label
from bench.training import artifacts
from bench.training.build import build_step
from bench.training.observations import discriminator_statistics, generator_statistics, stacked
from bench.training.precision import configure
from bench.training.step import TrainingStep

UPDATES: Final = 1000
WIDTH: Final = 8
"""The width of networks for images where no generator is given: a quarter of what `digits` has, to save time."""
BATCH_SIZE: Final = 32

VANISHING: Final = 0.1
EXPLODING: Final = 10.0
"""The last norm over the largest of the first tenth: below the first number it vanishes, above the second explodes."""

_PER_DECADE: Final = 6
_EARLY: Final = 10
"""The last norm is compared with those of the first updates, one in this many."""

Trend = Literal["vanishing", "steady", "exploding", "nonfinite"]


@dataclass(frozen=True)
class Point:
    """What the generator would get from the discriminator after `updates` of its updates.

    - generator_gradient_norm: |grad_theta L_G| over all parameters of the generator.
    - generator_signal: median over samples of B * |dL_G/dx_f|.
    - generator_weight: mean of B * |dL_G/db|, the loss's own share of the signal; the rest is D's Jacobian.
    - discriminator_accuracy: P[a > b] on the next batch, which the discriminator has not been updated with.
    """

    updates: int
    generator_gradient_norm: float
    generator_signal: float
    generator_weight: float
    discriminator_accuracy: float


@dataclass(frozen=True)
class Curve:
    """One method's points, by rising number of updates, from 0 to the last."""

    method: str
    expression: str
    points: Sequence[Point]

    @property
    def ratio(self) -> float | None:
        """The last gradient norm over the largest of the first tenth of the updates; None where it is not finite.

        The slope of an untrained discriminator is small for every loss, so it is no reference. A discriminator that has
        begun to tell the two apart is.
        """
        last = self.points[-1]
        norms = [point.generator_gradient_norm for point in self.points if point.updates <= last.updates / _EARLY]
        finite = all(math.isfinite(norm) for norm in (*norms, last.generator_gradient_norm))
        return last.generator_gradient_norm / max(norms) if finite and max(norms) > 0 else None

    @property
    def verdict(self) -> Trend:
        """How the gradient developed, by `VANISHING` and `EXPLODING`."""
        if self.ratio is None:
            return "nonfinite"
        if self.ratio < VANISHING:
            return "vanishing"
        return "exploding" if self.ratio > EXPLODING else "steady"

    def near(self, updates: int) -> Point:
        """Return the point measured nearest to that many updates."""
        return min(self.points, key=lambda point: abs(point.updates - updates))

    def to_json(self) -> dict[str, object]:
        """Return the curve; what is not finite is None."""
        points = [
            {name: value if math.isfinite(value) else None for name, value in asdict(point).items()}
            for point in self.points
        ]
        return {
            "method": self.method,
            "expression": self.expression,
            "ratio": self.ratio,
            "verdict": self.verdict,
            "points": points,
        }


def measuring_points(updates: int) -> list[int]:
    """Return at how many updates to measure: 0, the last, every power of ten, and six a decade between."""
    count = math.ceil(math.log10(updates) * _PER_DECADE) + 1
    spaced = {round(10 ** (index / _PER_DECADE)) for index in range(count)}
    return sorted({0, updates, *(count for count in spaced if count < updates)})


def probe(
    methods: Sequence[str],
    *,
    workload: str | None = None,
    generator: Path | None = None,
    updates: int = UPDATES,
    width: int | None = None,
    batch_size: int = BATCH_SIZE,
    seed: int = 0,
    data_dir: Path | None = None,
    on_progress: OnProgress | None = None,
) -> list[Curve]:
    """Over-train a discriminator with each method and follow the generator's gradient.

    Args:
        methods: names or expressions.
        workload: the data; by default `digits`, or what the given generator was trained on.
        generator: the `generator.safetensors` of a recorded trial; the networks are then those of that trial. By
            default the generator is untrained.
        updates: how many the discriminator makes.
        width: of both networks, where no generator is given; by default `WIDTH` for images, the workload's own for
            points.
        batch_size: of every batch.
        seed: of the initial weights, batches and latents.
        data_dir: the folder of downloaded data; None for the default one.
        on_progress: told how many updates of a method are done.

    Raises:
        ValueError: for what `bench.plan.expand` refuses, data that cannot be had, a file that is no recorded generator,
            one of another workload, or a width beside a generator.
    """
    trials, images, weights = _trials(methods, workload, generator, width, batch_size, seed, data_dir)
    stack = data.workload(trials[0].spec.workload).stack
    curves = []
    configure("fp32")
    with torch_threads(1):
        for trial in trials:
            step = build_step(trial, images, torch.device("cpu"), stack=stack)
            if weights is not None:
                _load(step, weights)
            name = label(step.method)
            curves.append(Curve(name, trial.spec.method, follow(step, updates, name=name, on_progress=on_progress)))
    return curves


def follow(step: TrainingStep, updates: int, *, name: str = "", on_progress: OnProgress | None = None) -> list[Point]:
    """Make that many updates of the discriminator, and measure at `measuring_points`; the generator stays as it is."""
    wanted = set(measuring_points(updates))
    points = []
    for done in range(updates + 1):
        measured = _generator_statistics(step) if done in wanted else None
        row = step.discriminator_gradients(step.batch("discriminator", done))
        statistics = discriminator_statistics(stacked([row]))
        if measured is not None:
            points.append(Point(done, *measured, statistics["discriminator_accuracy"].item()))
            if on_progress is not None:
                on_progress(name, done, updates)
        if done < updates:
            step.apply_discriminator()
    return points


def _generator_statistics(step: TrainingStep) -> tuple[float, float, float]:
    """Return [norm, signal, weight] of the generator's phase; what parts remember is as if nobody had looked."""
    remembered = {part: {name: tensor.clone() for name, tensor in own.items()} for part, own in step.state.items()}
    statistics = generator_statistics(stacked([step.generator_gradients(step.batch("generator", 0))]))
    step.criterion.state = remembered
    norm, signal, weight = (statistics[f"generator_{name}"].item() for name in ("gradient_norm", "signal", "weight"))
    return norm, signal, weight


def _trials(
    methods: Sequence[str],
    workload: str | None,
    generator: Path | None,
    width: int | None,
    batch_size: int,
    seed: int,
    data_dir: Path | None,
) -> tuple[list[Trial], Tensor, dict[str, Tensor] | None]:
    """Return a trial for each method, which says how to build its networks; the images; a given generator's weights."""
    if generator is None:
        network, weights = None, None
    else:
        recorded, weights = artifacts.load_generator(generator)
        network, trained_on = recorded.spec.network, recorded.spec.workload
        if workload not in (None, trained_on):
            raise ValueError(f"{generator} was trained on {trained_on!r}, not on {workload!r}: leave the workload out")
        if width is not None:
            raise ValueError(f"{generator} has width {network.width}: leave the width out")
        workload = trained_on
    suite = Suite(
        name="probe",
        methods=list(methods),
        workloads=[workload or "digits"],
        seeds=1,
        batch_size=batch_size,
        d_norm=CORE_NORM if network is None else network.d_norm,
    )
    for method in methods:  # a misspelt one is told before a download
        losses.game(method)
    images = torch.from_numpy(data.load(suite.workloads[0], data_dir).train)  # before the plan, which fetches nothing
    trials = []
    # No classifier is trained for it: nothing is evaluated.
    for trial in plan.expand(suite, data_dir, fetch=False):
        own = trial.spec.network
        # Networks for points are small at their own width already.
        chosen = network or msgspec.structs.replace(
            own, width=width or (WIDTH if own.name == "dcgan-v2" else own.width)
        )
        trials.append(
            msgspec.structs.replace(trial, spec=msgspec.structs.replace(trial.spec, network=chosen, seed=seed))
        )
    return trials, images, weights


def _load(step: TrainingStep, weights: dict[str, Tensor]) -> None:
    try:
        step.generator.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the file's weights are not those of the network that its header names: {error}") from error


def to_csv(curves: Iterable[Curve]) -> str:
    """Return every point as a row, under the names of `Point`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "expression", *Point.__dataclass_fields__])
    for curve in curves:
        for point in curve.points:
            writer.writerow([curve.method, curve.expression, *asdict(point).values()])
    return text.getvalue()
