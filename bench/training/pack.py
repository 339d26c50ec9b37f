"""Several trials in one process: their steps are made in turn, and on CUDA side by side.

A small network leaves most of a GPU idle, so that trials share one well. Each trial of a pack has everything of its own
(networks, optimisers, streams of random numbers, monitors, and on CUDA a stream of the device), and makes the very
steps that it would make alone: its numbers do not depend on what else is in the pack, nor on the size of it. What they
share is the process, with its context on the device, and the settings of that.

Throughput is no such number. When a trial has ended, the others stand still while its pace is measured. Evaluations
that are made beside training share one place to be made in, so that a pack needs memory for one of them at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from bench.config.trial import Trial
from bench.events import Progress
from bench.metrics.inception_weights import Weights
from bench.store.record import Outcome
from bench.training.aside import aside_for
from bench.training.capture import recorder_for
from bench.training.trainer import Run, prepare_process

Member = tuple[Trial, Path, Weights | None]
"""One trial of a pack with what is its own: the folder of its artifacts, and what FID is measured with."""


def train_pack(
    members: Sequence[Member],
    *,
    data_dir: Path | None,
    device: str,
    threads: int,
    emit: Callable[[Progress], None],
    capture: bool = False,
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Train trials at once; yield each one's place in the pack and its outcome, or what it raised, as they end.

    The arguments are those of `bench.training.trainer.train`. One trial's failure leaves the others as they are.

    Raises:
        ValueError: for trials of different precisions, which are a setting of the process; for a capture without CUDA.
    """
    precisions = sorted({trial.spec.precision for trial, _, _ in members})
    if len(precisions) > 1:
        raise ValueError(f"a pack has one precision, not {' and '.join(precisions)}: it is a setting of the process")
    if not members:
        return
    place = torch.device(device)
    running: dict[int, _Lane] = {}
    with aside_for(place, *precisions, capture=capture) as aside:
        for index, (trial, _, inception) in enumerate(members):
            try:
                prepare_process(trial, threads)
                recorder = recorder_for(place) if capture else None
                current = own_stream(place)
                with current():
                    run = Run(
                        trial, data_dir=data_dir, device=place, emit=emit, recorder=recorder,
                        inception=inception, pack=len(members), aside=aside,
                    )  # fmt: skip
                running[index] = _Lane(run, current)
            except Exception as error:  # noqa: BLE001 - this trial's result, which the caller words
                yield index, error
        while running:
            ended = [index for index, lane in running.items() if not lane.advance()]
            for index in ended:
                yield index, _concluded(running.pop(index), members[index][1], place)


def _concluded(lane: "_Lane", artifacts: Path, device: torch.device) -> Outcome | Exception:
    """Return what came of a trial, measuring its pace while the others stand still."""
    if lane.error is not None:
        return lane.error
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    try:
        with lane.current():
            return lane.run.conclude(artifacts)
    except Exception as error:  # noqa: BLE001 - this trial's result, which the caller words
        return error


def own_stream(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Return what makes a context in which work is queued on a stream of its own, where the device has streams."""
    if device.type != "cuda":
        return nullcontext
    stream = torch.cuda.Stream(device)
    return lambda: torch.cuda.stream(stream)


class _Lane:
    """A trial on its way, on a stream of its own where the device has streams."""

    def __init__(self, run: Run, current: Callable[[], AbstractContextManager[object]]) -> None:
        self.run = run
        self.current = current
        self.error: Exception | None = None
        self._steps = run.steps()

    def advance(self) -> bool:
        """Make the trial's next step, with what is due before it; return False once it has ended or failed."""
        try:
            with self.current():
                step = next(self._steps, None)
                if step is not None:
                    self.run.make(step)
        except Exception as error:  # noqa: BLE001 - this trial's result, which the caller words
            self.error = error
            return False
        return step is not None
