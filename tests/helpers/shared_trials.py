"""Training several small trials in one process, and how to tell that each is as it would be alone."""

from pathlib import Path

import torch

from bench.config.trial import Optimizer
from bench.execution import training
from bench.store.record import Outcome
from bench.training.run_options import RunOptions

CPU = torch.device("cpu")
EXPLOSIVE = Optimizer(name="sgd", lr_generator=1e30, lr_discriminator=1e30, betas=(0.0, 0.0))
MEASURED = ("status", "metrics", "history", "stability")
FILES = ("generator.safetensors", "samples.png")


def together(folder: Path, *trials, emit=lambda _: None, **options) -> list[Outcome | Exception]:
    members = []
    for index, trial in enumerate(trials):
        (folder / str(index)).mkdir(parents=True)
        members.append((trial, folder / str(index)))
    ended = dict(training.train(members, RunOptions(**options), emit))
    return [ended[index] for index in range(len(trials))]


def assert_same(found: Outcome | Exception, expected: Outcome) -> None:
    assert isinstance(found, Outcome), found
    assert [getattr(found, name) for name in MEASURED] == [getattr(expected, name) for name in MEASURED]
