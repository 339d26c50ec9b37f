"""The training loop: all steps of a trial, and what happens between blocks of them.

What one step does is in `bench.training.step`. A block is a few dozen steps: in between, the losses and gradient norms
that were watched are read, and every now and then the generator is evaluated.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from bench.config.trial import Spec
from bench.training.average import MovingAverage
from bench.training.blocks import block_ends
from bench.training.clock import BlockClock
from bench.training.curves import TrainingCurves
from bench.training.evaluations import Evaluations
from bench.training.monitors import Monitors
from bench.training.stepper import Stepper


@dataclass(kw_only=True)
class TrainingLoop:
    """Trains for `spec.steps` steps, or until a loss or a gradient norm ceases to be finite."""

    spec: Spec
    generator: nn.Module
    stepper: Stepper
    average: MovingAverage
    monitors: Monitors
    curves: TrainingCurves
    evaluations: Evaluations
    clock: BlockClock
    shares_process: bool = False
    """Whether other trials train meanwhile, so that blocks of steps tell no pace."""
    completed_steps: int = 0
    """More than 0 before the first step where training goes on from a checkpoint."""

    def steps(self, report: Callable[[], None]) -> Iterator[int]:
        """Train, pausing after every step: other trials may make theirs in between.

        Args:
            report: called after each block.

        Yields:
            The number of the step that was made. When it ends, all evaluations and curves are there.
        """
        if not self.completed_steps:
            self.evaluations.evaluate(0, self.generator)
        ends = block_ends(self.spec.steps, self.spec.evaluate_every)
        for first, last in pairwise([self.completed_steps, *(end for end in ends if end > self.completed_steps)]):
            if self.curves.first_nonfinite_step is not None:  # the checkpoint is of a run that had ended
                break
            overlapped = self.evaluations.collect_finished() or self.shares_process
            self.clock.start()
            for step in range(first, last):
                self.make(step)
                yield step
            self.clock.stop(last - first, overlapped=overlapped)
            self.completed_steps = last
            self.curves.add(self.monitors.flush(last))
            if last == self.spec.steps:
                self.evaluations.evaluate(last, self.generator, self.average.module)
            elif last % self.spec.evaluate_every == 0:
                self.evaluations.evaluate(last, self.generator)
            ended = last == self.spec.steps or self.curves.first_nonfinite_step is not None
            if ended:
                self.evaluations.collect()
            report()
            if ended:
                break
        self.curves.add(self.monitors.drain())

    def make(self, step: int) -> None:
        """Make one step: update the discriminator, then the generator, then the generator's moving average."""
        self.stepper.run(step)
        self.average.update(step)
