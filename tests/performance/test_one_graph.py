"""The other way to pack trials, on tapes: the very numbers of each trial alone."""

import pytest
import torch
from one_graph import OneGraph
from small_trials import images, make_trial
from tape import Tapes

from bench.training.monitors import UPDATE_RATIO_EVERY, Monitors
from bench.training.trainer import build_step

CPU = torch.device("cpu")
STEPS = 4 * UPDATE_RATIO_EVERY + 2


def built(seed, method):
    return build_step(make_trial(method, width=4, batch_size=8, seed=seed), images(), CPU)


def everything(step, monitors):
    monitors.flush(STEPS)
    weights = [weight.detach() for module in (step.generator, step.discriminator) for weight in module.parameters()]
    return [*weights, monitors.drain().values.nan_to_num(-7.0)]


@pytest.mark.parametrize("method", ["nsgan", "dragan"])
def test_trials_in_one_graph_are_each_the_trial_alone(method):
    together = [built(seed, method) for seed in range(3)]
    watched = [Monitors(STEPS, CPU) for _ in together]
    tapes = Tapes()
    pack = OneGraph(together, watched, tapes)
    for index in range(STEPS):
        pack.run(index)
    assert tapes.recordings == 4  # either player's update, measured or not, of all three at once
    assert tapes.replays > STEPS
    for seed, (step, monitors) in enumerate(zip(together, watched, strict=True)):
        alone, own = built(seed, method), Monitors(STEPS, CPU)
        for index in range(STEPS):
            own.record(index, *alone.run(index))
        for found, expected in zip(everything(step, monitors), everything(alone, own), strict=True):
            assert torch.equal(found, expected)
