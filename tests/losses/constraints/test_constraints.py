"""What holds for every constraint, and the two that only declare a pace."""

from collections.abc import Callable

import pytest
from torch import nn

import losses


@pytest.mark.parametrize("name", losses.names("constraint"))
def test_constraints_return_a_module_and_are_idempotent_after_a_step(name: str, smooth_critic: Callable) -> None:
    (constraint,) = losses.get(f"wasserstein + {name}").constraints
    critic = constraint.wrap(smooth_critic())
    assert isinstance(critic, nn.Module)
    constraint.after_step(critic)
    once = [parameter.clone() for parameter in critic.parameters()]
    constraint.after_step(critic)
    assert all((before == after).all() for before, after in zip(once, critic.parameters(), strict=True))


def test_pace_is_declared_by_the_method() -> None:
    assert losses.get("hinge").critic_steps == losses.get("hinge").learning_rate_factor == 1
    assert losses.get("hinge + critic_steps").critic_steps == 5
    assert losses.get("hinge + ttur").learning_rate_factor == 4
    both = losses.get("hinge + ttur(ratio=0.5) + critic_steps(count=3)")
    assert (both.critic_steps, both.learning_rate_factor) == (3, 0.5)


@pytest.mark.parametrize("name", ["ttur", "critic_steps"])
def test_pace_leaves_the_discriminator_alone(name: str, smooth_critic: Callable) -> None:
    (constraint,), critic = losses.get(f"hinge + {name}").constraints, smooth_critic()
    assert constraint.wrap(critic) is critic


@pytest.mark.parametrize("expression", ["ttur(ratio=0)", "critic_steps(count=0)"])
def test_a_pace_of_nothing_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        losses.get(f"hinge + {expression}")
