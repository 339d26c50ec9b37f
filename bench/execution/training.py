"""The trials of one process, one or several: composed of the training loop and of what accelerates it, where asked for.

The steps of several trials are made in turn, and on CUDA side by side. Each trial has everything of its own (networks,
optimizers, streams of random numbers, monitors, and on CUDA a stream of the device), and makes the very steps that it
would make alone: its numbers do not depend on what else is in the process, nor on how much. Throughput is no such
number: when the first trial of a method has ended, the others stand still while its pace is measured.
"""

import gc
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import torch

from bench.common.errors import first_line, is_memory_error
from bench.config.trial import Precision, Trial
from bench.events import Progress
from bench.execution.device import accelerator_name
from bench.execution.interface import NeedsOwnProcess
from bench.execution.memory import beside_others
from bench.store.checkpoints import checkpoint_path
from bench.store.environment import environment, program
from bench.store.record import Outcome
from bench.training.build import prepare_process
from bench.training.checkpoint import Checkpoint
from bench.training.checkpoint_file import Origin
from bench.training.materials import Materials
from bench.training.run import Run
from bench.training.run_options import RunOptions
from bench.training.stepper import EagerStepper, InlineRunner, MakeStepper, Runner
from bench.training.stopping import Stopped, StopRequest
from bench.training.timing import Paces
from bench.training.version import ENGINE_VERSION

Emit = Callable[[Progress], None]
Current = Callable[[], AbstractContextManager[object]]
"""Makes a context in which a trial's work is queued where it belongs."""


def train(
    trials: Sequence[tuple[Trial, Path]], options: RunOptions, emit: Emit
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Train and evaluate trials in this process; yield each one's place and its outcome, or what it raised, at its end.

    One trial's failure leaves the others as they are.

    Args:
        trials: what to train, each with an existing folder that receives its `generator.safetensors` and `samples.png`.
        options: where and how. With `capture`, a method that cannot be captured is trained eagerly, and the outcome's
            message says why.
        emit: called with the trials' progress, a few times a second at most.

    Raises:
        ValueError: for trials of different precisions, which are a setting of the process.
    """
    precisions = sorted({trial.spec.precision for trial, _ in trials})
    if len(precisions) != 1:
        raise ValueError(f"the trials of a process have one precision, not {' and '.join(precisions) or 'none'}")
    device = torch.device(options.device)
    materials, paces = Materials(options), Paces()
    running: dict[int, _Lane] = {}
    stop = StopRequest()
    keeps = options.checkpoint_dir is not None and options.checkpoint_minutes > 0
    with stop.listening() if keeps else nullcontext(), runner_for(options, precisions[0]) as runner:

        def lane_of(trial: Trial, artifacts: Path) -> _Lane:
            # Apart, so that nothing here holds what belongs to a lane once that has ended.
            prepare_process(trial, options)
            current = current_for(device, len(trials))
            checkpoint = checkpoint_of(trial, options, len(trials), stop, emit) if keeps else None
            make = partial(
                Run, trial, options, emit=emit, make_stepper=make_stepper_for(options, runner), runner=runner,
                materials=materials, trials_in_process=len(trials), paces=paces, checkpoint=checkpoint,
            )  # fmt: skip
            with current():
                run = begin(make, checkpoint, device)
            return _Lane(run, artifacts, current, device, stop)

        for index, (trial, artifacts) in enumerate(trials):
            try:
                running[index] = lane_of(trial, artifacts)
            except Exception as error:  # noqa: BLE001 - this trial's result, which the caller words
                others = [*running, *range(index + 1, len(trials))]
                alive = yield from _failed(index, error, others, device, company=len(trials) - 1)
                if not alive:
                    return
        with stop.deferred():
            yield from _in_turn(running, device, company=len(trials) - 1)
            if stop.requested:
                raise Stopped


def _in_turn(
    running: "dict[int, _Lane]", device: torch.device, *, company: int
) -> Iterator[tuple[int, Outcome | Exception]]:
    """Make the steps of all trials in turn until each has ended, or has been stopped."""
    while running:
        for index, lane in list(running.items()):
            result = lane.advance()
            if result is None:
                continue
            del running[index]
            if isinstance(result, Exception):
                alive = yield from _failed(index, result, running, device, company=company)
                if not alive:
                    return
            elif not isinstance(result, Stopped):
                yield index, result


def _failed(
    index: int, error: Exception, others: Iterable[int], device: torch.device, *, company: int
) -> Generator[tuple[int, Outcome | Exception], None, bool]:
    """Tell of a trial that failed beside so many; say whether the others can go on, and tell of them if they cannot."""
    forget_frames(error)
    alive = recovers(device)
    yield index, beside_others(error, company)
    if alive:
        return True
    for other in others:
        yield other, NeedsOwnProcess(f"the GPU failed with another trial of the process: {first_line(error)}")
    return False


def begin(make: Callable[[], Run], checkpoint: Checkpoint | None, device: torch.device) -> Run:
    """Return a run that goes on from its checkpoint, if there is one that it can go on from.

    A lack of memory says nothing of the checkpoint, which is kept for an attempt that has more.
    """
    run = make()
    if checkpoint is None or (state := checkpoint.read(device)) is None:
        return run
    try:
        run.resume(state)
        checkpoint.last_step = run.loop.completed_steps
    except Exception as error:
        if is_memory_error(error):
            raise
        run = make()  # whatever is wrong with it, the trial can be trained without
        run.note(f"starts anew: its checkpoint does not fit ({type(error).__name__})")
    return run


def checkpoint_of(trial: Trial, options: RunOptions, trials: int, stop: StopRequest, emit: Emit) -> Checkpoint:
    """Return the checkpoint of a trial that trains here and now."""
    assert options.checkpoint_dir is not None
    place = environment(options.device, options.threads, accelerator_name(options.device))
    return Checkpoint(
        checkpoint_path(Path(options.checkpoint_dir), trial.id),
        Origin(trial_id=trial.id, engine=ENGINE_VERSION, commit=program(), fingerprint=place.fingerprint),
        minutes=options.checkpoint_minutes,
        stop=stop,
        trials_in_process=trials,
        note=lambda words: emit(Progress.remark(trial, words)),
    )


class _Lane:
    """A trial on its way."""

    def __init__(self, run: Run, artifacts: Path, current: Current, device: torch.device, stop: StopRequest) -> None:
        self._run = run
        self._stop = stop
        self._device = device
        self._artifacts = artifacts
        self._current = current
        self._steps = run.steps()

    def advance(self) -> Outcome | Exception | Stopped | None:
        """Make the trial's next step, with what is due before it; once there is none, return what came of the trial.

        That is `Stopped` where the process has been asked to end.
        """
        result: Outcome | Exception
        try:
            with self._current():
                if next(self._steps, None) is not None:
                    return None
                if self._device.type == "cuda":
                    torch.cuda.synchronize(self._device)  # the others stand still while this one's pace is measured
                with self._stop.at_once():
                    result = self._run.conclude(self._artifacts)
        except Stopped as stopped:
            return stopped
        except Exception as error:  # noqa: BLE001 - this trial's result, which the caller words
            result = error
        del self._run, self._steps  # the others want the memory
        return result


def forget_frames(error: BaseException) -> None:
    """Let an error be kept without the variables of the frames it came through, which hold a trial's networks."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def recovers(device: torch.device) -> bool:
    """Give back the memory of a trial that failed; say whether its device still computes.

    After some errors CUDA refuses everything for the rest of the process.
    """
    gc.collect()  # networks, optimizers and steps refer to each other
    if device.type != "cuda":
        return True
    try:
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
    except RuntimeError:
        return False
    return True


def runner_for(options: RunOptions, precision: Precision) -> AbstractContextManager[Runner]:
    """Return a context with what evaluates trials of this precision.

    Only captured steps have evaluations beside them: they are fast, so that evaluations are a larger share of a trial.
    """
    if not options.capture:
        return nullcontext(InlineRunner())
    from bench.accelerate.background import BackgroundRunner, can_overlap

    device = torch.device(options.device)
    return BackgroundRunner(device) if can_overlap(device, precision) else nullcontext(InlineRunner())


def make_stepper_for(options: RunOptions, runner: Runner) -> MakeStepper:
    """Return what makes a trial's stepper: eager, or captured; ValueError for a capture without CUDA."""
    if not options.capture:
        return EagerStepper
    from bench.accelerate.capture import CapturedStepper, recorder_for

    device = torch.device(options.device)
    # A trial's recorder is made among the trial's own work: it records on the stream that is current then.
    return lambda step, monitors: CapturedStepper(step, monitors, recorder_for(device), sync=runner.wait)


def current_for(device: torch.device, trials: int) -> Current:
    """Return what makes a trial's context: one of a stream of its own where several share a CUDA device."""
    if device.type != "cuda" or trials == 1:
        return nullcontext
    from bench.accelerate.streams import own_stream

    return own_stream(device)
