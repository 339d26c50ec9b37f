"""An objective that breaks the contract is told what it breaks, and nothing else."""

from collections.abc import Callable

import pytest
from made_parts import failures, make_constraint, make_logit_transform, make_objective, make_regularizer, make_transform
from torch import Tensor
from torch.nn.functional import softplus

import losses
from losses import contract, registry


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize(
    "make",
    [make_objective, make_regularizer, make_transform, lambda: make_logit_transform(lambda b: 2 * b), make_constraint],
)
def test_the_parts_that_are_broken_below_are_whole_before(make: Callable[[], type[losses.Part]]) -> None:
    assert failures(make()) == {}


def needing_reals(b: Tensor, a: Tensor | None) -> Tensor:
    if a is None:
        raise ValueError("pass real_logits")
    return softplus(a - b).mean()


def read_by_python(b: Tensor, _: Tensor | None) -> Tensor:
    return softplus(-b).mean() * (1.0 if b.detach().sum() > -1e9 else 2.0)


BROKEN_OBJECTIVES: dict[str, tuple[set[str], dict[str, object]]] = {
    "the discriminator's sign is flipped": (
        {"signs"},
        {"discriminator": lambda a, b: softplus(a).mean() + softplus(-b).mean()},
    ),
    "the generator's sign is flipped": ({"signs"}, {"generator": lambda b, _: -softplus(-b).mean()}),
    "a sum over the batch": ({"repeated batch"}, {"generator": lambda b, _: softplus(-b).sum()}),
    "only the first sample counts": ({"order"}, {"generator": lambda b, _: softplus(-b[0])}),
    "a branch is detached": (
        {"derivative"},
        {"discriminator": lambda a, b: softplus(-a).mean() + (softplus(b) * softplus(b).detach()).mean()},
    ),
    "a logarithm of a probability": ({"huge logits"}, {"generator": lambda b, _: -b.sigmoid().log().mean()}),
    "reals are read undeclared": (
        {"generator reads reals as declared"},
        {"generator": lambda b, a: softplus(-b).mean() if a is None else softplus(a - b).mean()},
    ),
    "reals are declared and not read": ({"generator reads reals as declared"}, {"needs_real_in_generator": True}),
    "pairs are made by broadcasting": (
        {"pairs by broadcasting"},
        {"discriminator": lambda a, b: softplus(b - a).mean()},
    ),
    "in the generator too": (
        {"pairs by broadcasting"},
        {"generator": needing_reals, "needs_real_in_generator": True},
    ),
    "a tensor is read from Python": ({"no host read"}, {"generator": read_by_python}),
    "the loss is always float32": (
        {"scalar", "derivative"},
        {"generator": lambda b, _: softplus(-b.float()).mean()},
    ),
    "another critic than one number a sample": ({"critic"}, {"critic": lambda self, t, a, b: t[:, None]}),
    "an alias with other gradients": (
        {"alias"},
        {"alias": property(lambda self: registry.part("hinge")())},
    ),
    "a docstring of another shape": ({"description"}, {"docstring": "Only a summary."}),
    "a class that can be inherited from": ({"registration"}, {"is_final": False}),
}


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("how", BROKEN_OBJECTIVES)
def test_a_broken_objective_fails_exactly_what_it_breaks(how: str) -> None:
    expected, members = BROKEN_OBJECTIVES[how]
    assert set(failures(make_objective(**members))) == expected


@pytest.mark.usefixtures("scratch_registry")
def test_a_vector_head_is_judged_by_where_its_critic_moves() -> None:
    vector = {
        "outputs": property(lambda self: 3),
        "critic": lambda self, logits, real, fake: logits.mean(1),
    }
    assert failures(make_objective(**vector)) == {}
    flipped = make_objective(**vector, discriminator=lambda a, b: softplus(a).mean() + softplus(-b).mean())
    assert set(failures(flipped)) == {"signs"}
    assert set(failures(make_objective(**vector, generator=lambda b, _: softplus(b).mean()))) == {"signs"}


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("output", [0, 39])
def test_a_single_wrong_derivative_of_a_wide_head_is_found(output: int) -> None:
    """A wide head is not moved logit by logit: see that none is left out."""

    def discriminator(a: Tensor, b: Tensor) -> Tensor:
        detached = b[3, output].tanh().detach() * b[3, output].tanh()
        return softplus(-a).mean() + softplus(b).mean() + detached / b.numel()

    wide = {"outputs": property(lambda self: 40), "critic": lambda self, logits, real, fake: logits.mean(1)}
    made = make_objective(discriminator, **wide)
    (derivative,) = [check for check in contract.checks(made) if check.name == "derivative"]
    with pytest.raises(AssertionError, match="the gradient of the discriminator's loss is not its derivative"):
        derivative()
