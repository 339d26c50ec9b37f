"""Trials that are interrupted on purpose: what is trained up to a step goes through a file into fresh objects."""

from collections.abc import Iterator
from pathlib import Path

import torch

from bench.config.trial import Trial
from bench.store.record import Outcome
from bench.training import checkpoint, checkpoint_file
from bench.training.build import prepare_process
from bench.training.checkpoint_file import Origin, State
from bench.training.run import Run
from bench.training.run_options import RunOptions

CPU = torch.device("cpu")
MEASURED = ("status", "message", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")


class InterruptionError(Exception):
    """Somebody pulls the plug."""


def origin_of(trial: Trial) -> Origin:
    return Origin(trial_id=trial.id, engine="1", commit=None, fingerprint="here")


def begin(trial: Trial, **made_by: object) -> Run:
    """Build a run, with whatever torch's own random numbers are just then."""
    prepare_process(trial, RunOptions())
    torch.manual_seed(torch.seed())
    return Run(trial, RunOptions(), emit=lambda _: None, **made_by)


def until(run: Run, step: int, path: Path) -> None:
    """Train up to the end of the block that ends at a step, keep that in a file, and stop."""

    def after_block() -> None:
        if run.loop.completed_steps == step:
            run.loop.evaluations.collect()
            checkpoint_file.write(path, origin_of(run._trial), checkpoint.snapshot(run.loop, run.step))
            raise InterruptionError

    try:
        for _ in run.loop.steps(after_block):
            pass
    except InterruptionError:
        return
    raise AssertionError(f"no block ends at step {step}")


def go_on(trial: Trial, path: Path, **made_by: object) -> Run:
    """Return a fresh run that takes up what a file has."""
    run = begin(trial, **made_by)
    state = checkpoint_file.read(path, origin_of(trial), CPU)
    assert state is not None
    run.resume(state)
    return run


def to_the_end(run: Run, folder: Path) -> tuple[State, Outcome]:
    """Train what is left; return what everything is in the end, before the outcome is made, and the outcome."""
    for _ in run.steps():
        pass
    step = run.step
    everything = {  # also what a snapshot might have forgotten
        "networks": [each.state_dict() for each in (step.generator, step.discriminator, run.loop.average.module)],
        "optimizers": [each.state_dict() for each in (step.generator_optimizer, step.discriminator_optimizer)],
        "remembered": step.state,
        "snapshot": checkpoint.snapshot(run.loop, step),
    }
    state = cloned(everything)
    folder.mkdir(parents=True)
    return state, run.conclude(folder)


def cloned(state: object) -> object:
    """Return a copy that later steps do not change."""
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {name: cloned(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [cloned(value) for value in state]
    return state


TIMES = (("snapshot", "clock"), ("snapshot", "evaluations", "seconds"))


def differences(one: object, other: object, place: tuple[object, ...] = ()) -> Iterator[str]:
    """Yield where two states differ in any bit, times left out."""
    if place in TIMES:
        return
    name = "/".join(map(str, place))
    assert type(one) is type(other), name
    if isinstance(one, list):
        one, other = dict(enumerate(one)), dict(enumerate(other))
    if isinstance(one, dict):
        if list(one) != list(other):
            yield f"{name}: {list(one)} and {list(other)}"
            return
        for key, value in one.items():
            yield from differences(value, other[key], (*place, key))
    elif bits(one) != bits(other):
        yield f"{name}: {one} and {other}"


def bits(value: object) -> object:
    """Return what two equal values have in common; NaN is no other than NaN."""
    if not isinstance(value, torch.Tensor):
        return repr(value)
    return value.dtype, value.shape, value.stride(), value.contiguous().numpy().tobytes()
