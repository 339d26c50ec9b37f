"""Stage 4: trials that share a process have the numbers of trials alone, whatever becomes of the others."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import msgspec
import torch
from gpu_agreement import MEASURED
from gpu_results import Found
from gpu_setup import Check, Setup

from bench.config.trial import Optimizer, Trial
from bench.execution.training import train
from bench.store.record import Outcome
from bench.training.loop import TrainingLoop
from bench.training.run_options import RunOptions

EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
FAILING = 1
"""The seed of the trial that fails, or ends early."""


def company(setup: Setup) -> Iterator[Check]:
    for capture in (False, True):
        how = "captured" if capture else "plain"
        yield f"3 trials of which one fails, {how}", lambda capture=capture: one_fails(setup, capture=capture)
    # More than `run` lets into a process: it leaves a margin.
    count = 5 if setup.small else 20
    yield f"{count} trials of which one ends early, captured", lambda: one_ends_early(setup, count)


def one_fails(setup: Setup, *, capture: bool) -> Found:
    trials = [_trial(setup, seed) for seed in range(3)]
    make = TrainingLoop.make

    def failing(loop: TrainingLoop, step: int) -> None:
        if loop.spec.seed == FAILING and step == 7:
            raise RuntimeError("this trial is meant to fail")
        make(loop, step)

    with mock.patch.object(TrainingLoop, "make", failing):
        found = _together(setup, trials, capture=capture)
    if not isinstance(found[FAILING], RuntimeError) or "meant to fail" not in str(found[FAILING]):
        return Found("failed", f"the trial that fails came to {found[FAILING]!r}")
    return _survivors(setup, trials, found, [0, 2], capture=capture)


def one_ends_early(setup: Setup, count: int) -> Found:
    trials = [_trial(setup, seed) for seed in range(count)]
    early = msgspec.structs.replace(trials[FAILING].spec, optimizer=EXPLOSIVE)
    trials[FAILING] = msgspec.structs.replace(trials[FAILING], spec=early)
    found = _together(setup, trials, capture=True)
    ended = found[FAILING]
    if not isinstance(ended, Outcome) or ended.status != "nonfinite":
        return Found("failed", f"the trial that ends early came to {getattr(ended, 'status', ended)!r}")
    return _survivors(setup, trials, found, [0, count // 2, count - 1], capture=True)


def _survivors(
    setup: Setup, trials: Sequence[Trial], found: Sequence[object], places: Sequence[int], *, capture: bool
) -> Found:
    """Hold survivors to the same trials alone in a process."""
    for place in places:
        ours = found[place]
        if not isinstance(ours, Outcome):
            return Found("failed", f"trial {place} of the {len(trials)} failed: {ours!r}")
        (alone,) = _together(setup, [trials[place]], capture=capture)
        if not isinstance(alone, Outcome):
            return Found("failed", f"trial {place} failed alone: {alone!r}")
        other = [name for name in MEASURED if getattr(ours, name) != getattr(alone, name)]
        if other:
            return Found("failed", f"trial {place} has other {', '.join(other)} than alone")
    return Found("ok", f"{len(places)} survivors have the numbers of trials alone")


def _trial(setup: Setup, seed: int) -> Trial:
    if setup.small:
        return setup.trial("ring8", seed, steps=60, evaluate_every=60, samples=40)
    return setup.trial("digits", seed, steps=100, evaluate_every=50, samples=500)


def _together(setup: Setup, trials: Sequence[Trial], *, capture: bool) -> list[Outcome | Exception]:
    options = RunOptions(device=setup.device_name, threads=torch.get_num_threads(), capture=capture)
    with TemporaryDirectory() as folder:
        members = [(trial, Path(folder) / str(place)) for place, trial in enumerate(trials)]
        for _, artifacts in members:
            artifacts.mkdir()
        ended = dict(train(members, options, lambda _: None))
    return [ended[place] for place in range(len(trials))]
