"""The other way to pack trials: one recording whose branches are their steps, so that one launch replays all of them.

An experiment beside `bench.training.pack`, where each trial has graphs and a stream of its own. It is for trials of one
method without lazy terms, which is what it takes to compare the two.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import torch

from bench.training.capture import WARM_UP, CapturedStep, Recorder
from bench.training.monitors import Monitors
from bench.training.step import TrainingStep
from losses.types import Phase

Branches = Callable[[Sequence[Callable[[], None]]], None]
"""Makes calls that do not depend on each other."""


def in_turn(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()


def forked(device: torch.device, count: int) -> Branches:
    """Return what makes so many calls side by side, each on a stream of its own; in turn where there are no streams."""
    if device.type != "cuda":
        return in_turn
    streams = [torch.cuda.Stream(device) for _ in range(count)]

    def branches(calls: Sequence[Callable[[], None]]) -> None:
        trunk = torch.cuda.current_stream(device)
        begun = trunk.record_event()
        for stream, call in zip(streams, calls, strict=True):
            stream.wait_event(begun)
            with torch.cuda.stream(stream):
                call()
        for stream in streams:
            trunk.wait_stream(stream)

    return branches


class OneGraph:
    """Trains several trials, each update of all of them in one recording."""

    def __init__(self, steps: Sequence[TrainingStep], monitors: Sequence[Monitors], recorder: Recorder) -> None:
        self._steps, self._monitors = steps, monitors
        self._lanes = [CapturedStep(step, recorder, own) for step, own in zip(steps, monitors, strict=True)]
        self._branches = forked(next(steps[0].generator.parameters()).device, len(steps))
        self._recorder = recorder
        self._ran: Counter[tuple[Phase, bool]] = Counter()
        self._replays: dict[tuple[Phase, bool], Callable[[], None]] = {}

    def run(self, index: int) -> None:
        """Make one step of every trial; one update of the discriminator each."""
        for phase in ("discriminator", "generator"):
            for step in self._steps:
                step.place(phase, index)
            if phase == "generator":
                for monitors in self._monitors:
                    monitors.place(index)
            self._update(phase, index, measured=self._steps[0].measures(index))

    def _update(self, phase: Phase, index: int, *, measured: bool) -> None:
        kind = (phase, measured)
        if kind in self._replays:
            self._replays[kind]()
            return

        def call() -> None:
            self._branches([partial(lane.make, phase, measured=measured) for lane in self._lanes])

        if self._ran[kind] < WARM_UP:
            self._recorder.run(call)
            self._ran[kind] += 1
        else:
            generators = [generator for step in self._steps for generator in step.generators]
            self._replays[kind] = self._recorder.record(call, generators)
