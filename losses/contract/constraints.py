"""What a constraint promises: to wrap the discriminator, to change its weights in place, and to declare a pace."""

import math
from typing import Final

import torch
from torch import Tensor, nn

from losses.contract.check import Case
from losses.contract.toy_problem import ToyProblem, method_with
from losses.parts import Constraint

STEPS: Final = 3
RATE: Final = 1e-2


def _problem(case: Case[Constraint]) -> ToyProblem:
    problem = ToyProblem(method_with(case.part), case.seed)
    problem.critic.train()
    return problem


def wrap(case: Case[Constraint]) -> None:
    """The wrapped discriminator is a module with logits of the same shape, made without global random numbers."""
    before = torch.random.get_rng_state()
    problem = _problem(case)  # which wraps it
    assert torch.equal(before, torch.random.get_rng_state()), (
        "wrap draws from torch's global random numbers: give it a generator with a seed"
    )
    assert isinstance(problem.critic, nn.Module), f"wrap returns {type(problem.critic).__name__}, not a torch.nn.Module"
    logits = problem.run("discriminator").real_logits
    assert logits is not None
    assert bool(logits.isfinite().all()), "the wrapped discriminator's logits are not finite"
    assert list(problem.critic.parameters()), "the wrapped discriminator has no parameters to train"


def after_step(case: Case[Constraint]) -> None:
    """It leaves the weights finite, trainable, and the very tensors that the optimizer holds."""
    problem = _problem(case)
    held = dict(problem.critic.named_parameters())
    for _ in range(STEPS):
        case.part.after_step(problem.critic)
    after = dict(problem.critic.named_parameters())
    assert list(after) == list(held), "after_step adds, renames or removes parameters"
    for name, parameter in after.items():
        assert parameter is held[name], f"after_step replaces {name}: change it in place"
        assert parameter.is_leaf, f"after_step puts {name} into a graph: decorate it with @torch.no_grad()"
        assert parameter.requires_grad, f"after_step freezes {name}"
        assert bool(parameter.isfinite().all()), f"after_step makes {name} infinite or NaN"
    problem.run("discriminator").total.backward()


def declared_pace(case: Case[Constraint]) -> None:
    """The factors on the discriminator's steps and learning rate are usable numbers."""
    steps, factor = case.part.critic_steps, case.part.learning_rate_factor
    assert type(steps) is int, f"critic_steps is {steps!r}: expected an int"
    assert steps >= 1, f"critic_steps is {steps}: expected at least 1"
    assert isinstance(factor, int | float), f"learning_rate_factor is {factor!r}: expected a float"
    assert math.isfinite(factor), f"learning_rate_factor is {factor}: expected a finite number"
    assert factor > 0, f"learning_rate_factor is {factor}: expected more than 0"


def training(case: Case[Constraint]) -> None:
    """A discriminator trained under it stays finite, and a second run repeats the first bit for bit."""
    one, other = _train(case), _train(case)
    for left, right in zip(one, other, strict=True):
        assert bool(left.isfinite().all()), f"after {STEPS} steps a weight is not finite"
        assert torch.equal(left, right), "two trainings from the same weights end in different weights"


def _train(case: Case[Constraint]) -> list[Tensor]:
    problem = _problem(case)
    optimizer = torch.optim.Adam(problem.critic.parameters(), lr=RATE)
    for step in range(STEPS):
        optimizer.zero_grad()
        problem.run("discriminator", problem.batch(step), step=step).total.backward()
        optimizer.step()
        case.part.after_step(problem.critic)
    return [tensor.detach() for tensor in (*problem.critic.parameters(), *problem.critic.buffers())]


ALL: Final = (wrap, after_step, declared_pace, training)
