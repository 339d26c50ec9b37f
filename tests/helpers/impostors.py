"""Samples that find all modes and are no data: what the score of mode workloads must not fall for.

    PYTHONPATH=tests/helpers python -m impostors [WORKLOAD ...]

prints what each is given by scoring versions 1 and 2. Everything is drawn from one seed.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench import data
from bench.config.workload import Workload
from bench.metrics.evaluate import Evaluator
from bench.statistics.scores import fidelity, mode_score

REAL, IMPOSTOR, DEGRADED = "real", "impostor", "degraded"

Draw = Callable[[int, torch.Generator], Tensor]
"""Draws so many samples."""


@dataclass(frozen=True)
class Case:
    """A way to sample: real data, an impostor that scores nothing, or something in between."""

    name: str
    kind: str
    draw: Draw


@dataclass(frozen=True)
class Judged:
    """What a case is given."""

    case: Case
    metrics: dict[str, float | None]
    without: float
    """The score without fidelity, as scoring version 1 has it."""
    fidelity: float
    score: float


def judge(evaluator: Evaluator, workload: Workload, case: Case, count: int, seed: int = 3) -> Judged:
    """Measure and score `count` samples of a case."""
    measured = evaluator.evaluate(case.draw(count, torch.Generator().manual_seed(seed)))
    metrics = {**evaluator.constants, **measured}
    found, divergence = metrics["modes"], metrics["kl_uniform"]
    assert found is not None
    share = fidelity(metrics, workload)
    modes = (found, divergence or 0.0, workload.modes)
    return Judged(case, metrics, mode_score(*modes), share, mode_score(*modes, share))


def points(workload: Workload) -> list[Case]:
    """Return the cases of a mixture in the plane."""
    assert workload.mixture is not None
    centres, sigma = torch.tensor(workload.mixture.centres), workload.mixture.sigma
    reach = 1.2 * float(centres.abs().max())

    def sampler(width: float = 1.0, modes: int = len(centres)) -> Draw:
        def draw(count: int, rng: torch.Generator) -> Tensor:
            place = torch.randint(modes, (count,), generator=rng)
            return centres[place] + width * sigma * torch.randn(count, 2, generator=rng)

        return draw

    def square(count: int, rng: torch.Generator) -> Tensor:
        return reach * (2.0 * torch.rand(count, 2, generator=rng) - 1.0)

    def circle(count: int, rng: torch.Generator) -> Tensor:
        angle = math.tau * torch.rand(count, generator=rng)
        radius = 1.0 + sigma * torch.randn(count, generator=rng)
        return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)

    def between(count: int, rng: torch.Generator) -> Tensor:
        share = torch.rand(count, 1, generator=rng)  # of two equal modes, which K-th of the pairs are, it is a sample
        return share * sampler()(count, rng) + (1.0 - share) * sampler()(count, rng)

    shown = [
        Case("the mixture itself", REAL, sampler()),
        Case("twice as wide", DEGRADED, sampler(2.0)),
        Case("four times as wide", DEGRADED, sampler(4.0)),
        Case("modes blurred tenfold", IMPOSTOR, sampler(10.0)),
        Case("uniform square", IMPOSTOR, square),
        Case("between two points", DEGRADED, between),
        Case("one mode only", IMPOSTOR, sampler(modes=1)),
    ]
    return [*shown, Case("continuous circle", IMPOSTOR, circle)] if workload.name == "ring8" else shown


@dataclass(frozen=True)
class _Stacks:
    """Stacks of real images, and what can be done to them."""

    workload: Workload
    arrays: data.Arrays

    def real(self, count: int, rng: torch.Generator, images: Tensor | None = None) -> Tensor:
        chosen = torch.from_numpy(self.arrays.train) if images is None else images
        drawn = chosen[torch.randint(len(chosen), (count * self.workload.channels,), generator=rng)]
        return drawn.reshape(self._shape(count))

    def test(self, count: int, rng: torch.Generator) -> Tensor:
        return self.real(count, rng, torch.from_numpy(self.arrays.test))

    def one_mode(self, count: int, rng: torch.Generator) -> Tensor:
        return self.real(count, rng, torch.from_numpy(self.arrays.train[self.arrays.train_labels == 4]))

    def inverted(self, count: int, rng: torch.Generator) -> Tensor:
        return 255 - self.real(count, rng)

    def repeated(self, number: int) -> Draw:
        def draw(count: int, rng: torch.Generator) -> Tensor:
            return self.real(number, rng)[torch.randint(number, (count,), generator=rng)]

        return draw

    def noise(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randint(256, self._shape(count), dtype=torch.uint8, generator=rng)

    def half_noise(self, count: int, rng: torch.Generator) -> Tensor:
        both = torch.cat([self.real(count - count // 2, rng), self.noise(count // 2, rng)])
        return both[torch.randperm(count, generator=rng)]

    def mixed(self, share: float) -> Draw:
        return lambda count, rng: _bytes(
            (1.0 - share) * self.real(count, rng).float() + share * self.real(count, rng).float()
        )

    def noisy(self, levels: float) -> Draw:
        return lambda count, rng: _bytes(
            self.real(count, rng).float() + levels * torch.randn(self._shape(count), generator=rng)
        )

    def shifted(self, pixels: int) -> Draw:
        return lambda count, rng: self.real(count, rng).roll(pixels, 3)

    def blurred(self, width: int) -> Draw:
        return lambda count, rng: _bytes(_running_mean(self.real(count, rng).float(), width, (2, 3)))

    def smooth(self, width: int) -> Draw:
        def draw(count: int, rng: torch.Generator) -> Tensor:
            # Twice along each axis: nearly a Gaussian.
            field = _running_mean(torch.randn(self._shape(count), generator=rng), width, (2, 3, 2, 3))
            low, high = field.amin((2, 3), keepdim=True), field.amax((2, 3), keepdim=True)
            return _bytes(255.0 * (field - low) / (high - low))

        return draw

    def _shape(self, count: int) -> tuple[int, int, int, int]:
        return count, self.workload.channels, self.workload.image_size, self.workload.image_size


def stacks(workload: Workload, arrays: data.Arrays) -> list[Case]:
    """Return the cases of stacked images."""
    made = _Stacks(workload, arrays)
    return [
        Case("training stacks", REAL, made.real),
        Case("test stacks", REAL, made.test),
        Case("a tenth of a second stack", DEGRADED, made.mixed(0.1)),
        Case("a quarter of a second stack", DEGRADED, made.mixed(0.25)),
        Case("average of two stacks", IMPOSTOR, made.mixed(0.5)),
        *(Case(f"smooth random fields, {width}", IMPOSTOR, made.smooth(width)) for width in (5, 9, 13)),
        Case("uniform noise", IMPOSTOR, made.noise),
        Case("one mode only", IMPOSTOR, made.one_mode),
        Case("inverted", IMPOSTOR, made.inverted),
        *(Case(f"noise of {levels} levels", DEGRADED, made.noisy(levels)) for levels in (32, 64)),
        Case("noise of 160 levels", IMPOSTOR, made.noisy(160.0)),
        *(Case(f"shifted by {pixels} pixels", DEGRADED, made.shifted(pixels)) for pixels in (2, 4)),
        Case("shifted by 8 pixels", IMPOSTOR, made.shifted(8)),
        Case("blurred over 5 pixels", DEGRADED, made.blurred(5)),
        Case("blurred over 13 pixels", IMPOSTOR, made.blurred(13)),
        Case("half of them noise", DEGRADED, made.half_noise),
        Case("2,000 stacks, repeated", DEGRADED, made.repeated(2_000)),
    ]


def cases(workload: Workload, arrays: data.Arrays) -> list[Case]:
    return points(workload) if workload.is_toy else stacks(workload, arrays)


def _bytes(values: Tensor) -> Tensor:
    return values.round().clamp(0.0, 255.0).to(torch.uint8)


def _running_mean(images: Tensor, width: int, axes: tuple[int, ...]) -> Tensor:
    """Return the mean over `width` pixels along one axis after the other, the edges repeated."""
    half = width // 2
    for axis in axes:
        ends = [images.narrow(axis, place, 1) for place in (0, images.shape[axis] - 1)]
        images = torch.cat([ends[0]] * half + [images] + [ends[1]] * half, axis).unfold(axis, width, 1).mean(-1)
    return images


def table(name: str, data_dir: Path | None = None) -> Iterator[str]:
    """Yield the lines of the table of a workload, at its own number of samples."""
    workload, arrays = data.workload(name), data.load(name, data_dir)
    evaluator = Evaluator(workload, arrays, torch.device("cpu"))
    shares = ("high_quality",) if workload.is_toy else ("unreadable", "precision", "recall", "coverage")
    yield f"| {name}, {workload.samples:,} samples | {' | '.join(shares)} | modes | scoring 1 | fidelity | scoring 2 |"
    yield f"|{'---|' * (len(shares) + 5)}"
    for case in cases(workload, arrays):
        found = judge(evaluator, workload, case, workload.samples)
        numbers = [f"{found.metrics[share]:.3f}" for share in shares]
        scores = [f"{value:.3f}" for value in (found.without, found.fidelity, found.score)]
        yield "| " + " | ".join([case.name, *numbers, f"{found.metrics['modes']:.0f}", *scores]) + " |"


if __name__ == "__main__":
    for each in sys.argv[1:] or ("ring8", "grid25", "stacked-digits"):
        for line in table(each):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
