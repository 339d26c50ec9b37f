"""One trial from its description to its outcome: everything is built, then the loop trains it, then it is concluded."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch

from bench import data
from bench.config.judges import JUDGES
from bench.config.trial import Trial
from bench.events import Progress
from bench.extractors.weight_files import verified
from bench.metrics.evaluate import Scores
from bench.store.record import Outcome, Status
from bench.training import artifacts as files
from bench.training.average import MovingAverage
from bench.training.blocks import BLOCK_STEPS
from bench.training.build import build_step
from bench.training.checkpoint import Checkpoint, restore
from bench.training.checkpoint_file import State
from bench.training.clock import BlockClock
from bench.training.curves import TrainingCurves
from bench.training.evaluations import Evaluations
from bench.training.final_measures import judged_samples, measure
from bench.training.loop import TrainingLoop
from bench.training.materials import Materials
from bench.training.monitors import Monitors
from bench.training.outcome import make_outcome
from bench.training.run_options import RunOptions
from bench.training.stepper import EagerStepper, InlineRunner, MakeStepper, Runner
from bench.training.timing import Paces, peak_memory, reset_peak_memory, time_pace, time_phases
from bench.training.trajectory import status_of


class Run:
    """One trial while it trains. What is measured depends neither on the way its steps are made nor on its runner.

    Args:
        trial: what to train.
        options: where and how.
        emit: called with the trial's progress, a few times a second at most.
        make_stepper: makes what makes the steps.
        runner: makes the evaluations.
        materials: what it has in common with the other trials of the process.
        trials_in_process: how many trials train in this process at once.
        paces: which kinds of trial the process has timed.
        checkpoint: is written after blocks of steps; none by default.

    Raises:
        ValueError: for data or weights that cannot be had.
    """

    def __init__(
        self,
        trial: Trial,
        options: RunOptions,
        *,
        emit: Callable[[Progress], None],
        make_stepper: MakeStepper = EagerStepper,
        runner: Runner | None = None,
        materials: Materials | None = None,
        trials_in_process: int = 1,
        paces: Paces | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        spec = trial.spec
        self._started = datetime.now(UTC)
        self._trial = trial
        self._emit = emit
        self._last_emitted = 0.0
        self._progress_seconds = options.progress_seconds
        self._trials_in_process = trials_in_process
        self._paces = paces or Paces()
        self._checkpoint = checkpoint
        self._earlier_seconds = 0.0
        self._runner = runner or InlineRunner()
        self._judges = options.judges(data.workload(spec.workload))
        for weights in self._judges:
            verified(weights)  # before anything is trained; they are loaded when they are needed
        self._device = device = torch.device(options.device)
        reset_peak_memory(device)
        materials = materials or Materials(options)
        self._workload, self._arrays, images = materials.of(spec)
        evaluations = Evaluations(spec, self._workload, materials.evaluator(trial), device, self._runner)
        self.step = build_step(trial, images, device, stack=self._workload.stack)
        monitors = Monitors(BLOCK_STEPS, device)
        self.loop = TrainingLoop(
            spec=spec,
            generator=self.step.generator,
            stepper=make_stepper(self.step, monitors),
            average=MovingAverage(self.step.generator),
            monitors=monitors,
            curves=TrainingCurves(),
            evaluations=evaluations,
            clock=BlockClock(device),
            shares_process=trials_in_process > 1,
        )

    def resume(self, state: State) -> None:
        """Go on from a checkpoint; what it raises for one that does not fit may be anything, and spoils the run."""
        restore(state, self.loop, self.step)
        self._earlier_seconds = self.loop.clock.train_seconds() + self.loop.evaluations.seconds
        self.note(f"goes on at step {self.loop.completed_steps:,}")

    def steps(self) -> Iterator[int]:
        """Train, pausing after every step."""
        return self.loop.steps(self._after_block)

    @property
    def status(self) -> Status:
        """What became of the trial."""
        return status_of(self.loop.evaluations.distances, self.loop.curves.first_nonfinite_step)

    def conclude(self, artifacts: Path) -> Outcome:
        """Keep the artifacts, measure what is measured at the end, and return the outcome.

        Args:
            artifacts: an existing folder that receives `generator.safetensors` and `samples.png`.
        """
        self._runner.wait()  # what other trials of the process have under way
        evaluations, generator = self.loop.evaluations, self.step.generator
        lost = files.keep(generator, evaluations.samples, self._trial, self._workload, artifacts)
        # Timing goes on training the generator: what judges look at is drawn before.
        samples = None
        if self._judges and self.status != "nonfinite":
            samples = judged_samples(evaluations, generator, self._workload, self._trial.spec, self._device)
        cost = self._cost()
        final: Scores = {}
        for weights in self._judges:
            started = time.perf_counter()
            final |= measure(samples, weights, self._workload, self._arrays, self._device, self._report)
            cost[f"{JUDGES[weights.network].key}_seconds"] = time.perf_counter() - started
        return make_outcome(
            self.loop,
            status=self.status,
            message="; ".join(filter(None, (self.loop.stepper.message, lost))),
            final_metrics=final,
            cost=cost,
            started=self._started,
        )

    def _cost(self) -> dict[str, float | None]:
        """Return what the run cost on this machine; only the count of images may cross machines.

        The rates are those of the trial alone, or None where the process has measured them with another seed. The
        seconds of training and of evaluations are with whatever ran meanwhile, and together may be more than the trial
        took. The peak of memory is the process's, and absent where it is shared; with evaluations beside training it is
        of both at once. All but the seconds of training and of evaluations, of which earlier attempts have spent
        `earlier_seconds`, is of the last attempt alone; the pace is of earlier ones where it made one block at most.
        """
        spec, step, loop = self._trial.spec, self.step, self.loop
        stepping = loop.stepper.cost()  # of the training alone: timing makes further steps
        clock = time_pace(loop, self._device, self._paces)
        rate = None if clock is None else clock.steps_per_second()
        phases = time_phases(loop, step, self._device)
        shared = self._trials_in_process > 1
        return {
            "steps_per_second": rate,
            "images_per_second": None if rate is None else rate * spec.batch_size,
            "train_seconds": loop.clock.train_seconds(),
            **phases,
            "evaluation_seconds": loop.evaluations.seconds,
            "discriminator_images": 2 * spec.batch_size * step.critic_steps * loop.completed_steps,
            **({"pack": self._trials_in_process} if shared else {}),
            **stepping,
            **({"earlier_seconds": self._earlier_seconds} if self._earlier_seconds else {}),
            "peak_memory_bytes": None if shared else peak_memory(self._device),
        }

    def note(self, words: str) -> None:
        """Say something of the trial, once."""
        self._emit(self._progress(note=words))

    def _after_block(self) -> None:
        self._report()
        if self._checkpoint is not None:
            self._checkpoint.after_block(self.loop, self.step)

    def _report(self, doing: str = "") -> None:
        loop, spec = self.loop, self._trial.spec
        now = time.monotonic()
        done = loop.completed_steps == spec.steps and not doing
        if now - self._last_emitted < self._progress_seconds and not done:
            return
        self._last_emitted = now
        self._emit(self._progress(doing=doing))

    def _progress(self, *, doing: str = "", note: str = "") -> Progress:
        loop, spec = self.loop, self._trial.spec
        return Progress(
            trial_id=self._trial.id,
            step=loop.completed_steps,
            steps=spec.steps,
            images_per_second=(loop.clock.pace_so_far() or 0.0) * spec.batch_size,
            distance=next(reversed(loop.evaluations.distances), None),
            doing=doing,
            note=note,
        )
