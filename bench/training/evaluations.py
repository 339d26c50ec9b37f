"""A trial's evaluations: each of the generator as it was when it fell due, whenever it is made."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bench.config.protocol import AVERAGE
from bench.config.trial import Spec
from bench.config.workload import Workload
from bench.metrics.evaluate import Evaluator, Scores
from bench.store.record import Evaluation
from bench.training.batches import to_uint8
from bench.training.sampling import BATCH, evaluation_latents, generate
from bench.training.stepper import Runner


class _Made(NamedTuple):
    evaluation: Evaluation
    samples: Tensor | None
    """None where one of them is not finite."""
    average: Scores
    """The metrics of the generator's moving average, where it was evaluated too."""
    seconds: float


class Evaluations:
    """Evaluates a trial's generator, and keeps what was found in the order of the steps.

    Attributes:
        made: the evaluations so far.
        samples: what the last of them with finite samples looked at: uint8 images, or points.
        average: the metrics of the generator's moving average; none before the last evaluation.
        seconds: the time they took, whatever ran meanwhile.
    """

    def __init__(
        self, spec: Spec, workload: Workload, evaluator: Evaluator, device: torch.device, runner: Runner
    ) -> None:
        """Draw the latents that every evaluation of the workload has.

        Args:
            spec: of the trial that is evaluated.
            workload: the trial's.
            evaluator: measures its samples.
            device: where everything is computed.
            runner: makes the evaluations.
        """
        self._evaluator = evaluator
        self._latents = evaluation_latents(workload, spec, device)
        self._precision = spec.precision
        self._workload = workload
        self._device = device
        self._runner = runner
        self._under_way: Future[_Made] | None = None
        self.made: list[Evaluation] = []
        self.samples: Tensor | None = None
        self.average: Scores = {}
        self.seconds = 0.0

    def evaluate(self, step: int, generator: nn.Module, average: nn.Module | None = None) -> None:
        """Evaluate the generator as it is now, once the evaluation before is kept; raises what that one raised.

        Where its moving average is given, that is evaluated too, on the same latents.
        """
        self.collect()
        self._under_way = self._runner.submit(self._measure, step, generator, average)
        self.collect_finished()

    def collect(self) -> None:
        """Wait for the evaluation under way, if there is one, and keep it; raises what it raised."""
        under_way, self._under_way = self._under_way, None
        if under_way is not None:
            self._keep(under_way.result())

    def collect_finished(self) -> bool:
        """Keep the evaluation under way if it has ended, as `collect` does; say whether one is still under way."""
        if self._under_way is not None and self._under_way.done():
            self.collect()
        return self._under_way is not None

    def generate(self, generator: nn.Module, batches: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the generator's samples of each batch of latents, in the trial's precision."""
        return generate(generator, batches, self._precision, self._device)

    @property
    def primary(self) -> str:
        """The metric that is the workload's distance."""
        return self._evaluator.primary

    @property
    def floor(self) -> float | None:
        """The primary distance that real data reaches."""
        return self._evaluator.constants[f"{self.primary}_floor"]

    @property
    def distances(self) -> list[float | None]:
        """The primary distance at each evaluation so far, the untrained generator's first."""
        return [evaluation.metrics.get(self.primary) for evaluation in self.made]

    def metrics(self) -> Scores:
        """Return the last evaluation's metrics, the workload's constants, and the primary distance under one name."""
        distances = self.distances
        trained = [distance for distance in distances[1:] if distance is not None]
        summary = {
            "": distances[-1],
            "_init": distances[0],
            "_best": min(trained, default=None),
            "_floor": self.floor,
        }
        named = {f"{name}{suffix}": value for name in ("distance", self.primary) for suffix, value in summary.items()}
        average = {f"{AVERAGE}{name}": value for name, value in self.average.items()}
        if average:
            average[f"{AVERAGE}distance"] = self.average[self.primary]
        return {**self._evaluator.constants, **self.made[-1].metrics, **named, **average}

    def snapshot(self) -> dict[str, Any]:
        """Return what was found so far; none is under way."""
        assert self._under_way is None
        return {
            "made": [(evaluation.step, evaluation.metrics) for evaluation in self.made],
            "samples": self.samples,
            "average": self.average,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `snapshot` returned."""
        self.made = [Evaluation(step=step, metrics=metrics) for step, metrics in state["made"]]
        self.samples, self.average, self.seconds = state["samples"], state["average"], state["seconds"]

    def _measure(self, step: int, generator: nn.Module, average: nn.Module | None) -> _Made:
        started = time.perf_counter()
        metrics, seen = self._metrics_of(generator)
        of_average = {} if average is None else self._metrics_of(average)[0]
        return _Made(Evaluation(step=step, metrics=metrics), seen, of_average, time.perf_counter() - started)

    def _metrics_of(self, generator: nn.Module) -> tuple[Scores, Tensor | None]:
        """Return the metrics of a generator's samples, and the samples where all are finite."""
        pieces, finite = [], []
        for samples in self.generate(generator, self._latents.split(BATCH)):
            # Batch by batch, while they are in the caches; in float32 all of them would take four times the memory.
            finite.append(samples.isfinite().all())
            pieces.append(samples if self._workload.is_toy else to_uint8(samples))
        seen = torch.cat(pieces) if bool(torch.stack(finite).all()) else None
        return {self.primary: None} if seen is None else self._evaluator.evaluate(seen), seen

    def _keep(self, made: _Made) -> None:
        self.made.append(made.evaluation)
        self.average = made.average
        if made.samples is not None:
            self.samples = made.samples
        self.seconds += made.seconds
