"""Every registered part keeps the contract of its kind, and a part that breaks it is told what it breaks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import losses
from losses import contract, registry
from losses.contract.host_sync import ForbidHostSync
from losses.contract.toy_problem import ToyProblem, method_with

PARTS = registry.parts()
CASES = [
    pytest.param(part, check, id=f"{name}: {check.name}")
    for name, part in PARTS.items()
    for check in contract.checks(part)
]
DOCSTRING = """Made to be examined.

Formula:
    x
{parameters}
BatchNorm:
    ok: made.

Source:
    This test.
"""
WEIGHTED = DOCSTRING.format(
    parameters="\nParameters:\n    weight: factor.\n    every: compute the term on every k-th step.\n"
)
BARE = DOCSTRING.format(parameters="")


@pytest.mark.parametrize(("part", "check"), CASES)
def test_every_part_keeps_the_contract(part: type[losses.Part], check: contract.Check) -> None:
    finding = contract.weigh(check, part.waived.get(check.name))
    assert not finding.is_failure, finding.message


@pytest.mark.parametrize("name", PARTS)
def test_every_waiver_is_of_a_check(name: str) -> None:
    assert [each.message for each in contract.other_waivers(PARTS[name]) if each.is_failure] == []


# --- parts made to be examined ------------------------------------------------------------------------------------


def make_objective(
    discriminator: Callable[[Tensor, Tensor], Tensor] = lambda a, b: softplus(-a).mean() + softplus(b).mean(),
    generator: Callable[[Tensor, Tensor | None], Tensor] = lambda b, a: softplus(-b).mean(),
    *,
    docstring: str = BARE,
    is_final: bool = True,
    **members: object,
) -> type[losses.Objective]:
    @dataclass(frozen=True)
    class Made(losses.Objective):
        __doc__ = docstring

    # The methods are set before the class is registered, so that it is no longer abstract.
    members = {
        "discriminator": lambda self, real_logits, fake_logits: discriminator(real_logits, fake_logits),
        "generator": lambda self, fake_logits, real_logits=None: generator(fake_logits, real_logits),
        **members,
    }
    return register_made(Made, members, is_final=is_final)


def make_regularizer(
    term: Callable[[losses.Context], Tensor] = lambda context: context.real_logits.square().mean(), **members: object
) -> type[losses.Regularizer]:
    @dataclass(frozen=True)
    class Made(losses.Regularizer):
        __doc__ = WEIGHTED
        phase: ClassVar = "discriminator"
        weight: float = losses.parameter(1.0)
        every: int = losses.parameter(1, ge=1)

    members = {
        "__call__": lambda self, context: term(context),
        "coefficient": property(lambda self: self.weight),
        **members,
    }
    return register_made(Made, members)


def make_transform(
    view: Callable[[Tensor, losses.Context], Tensor] = lambda images, context: 0.5 * images, **members: object
) -> type[losses.InputTransform]:
    @dataclass(frozen=True)
    class Made(losses.InputTransform):
        __doc__ = BARE

    return register_made(Made, {"__call__": lambda self, images, context, role: view(images, context), **members})


def make_logit_transform(read: Callable[[Tensor], Tensor], **members: object) -> type[losses.LogitTransform]:
    @dataclass(frozen=True)
    class Made(losses.LogitTransform):
        __doc__ = BARE
        phase: ClassVar = "generator"

    return register_made(Made, {"__call__": lambda self, real, fake, context: (real, read(fake)), **members})


def make_constraint(**members: object) -> type[losses.Constraint]:
    @dataclass(frozen=True)
    class Made(losses.Constraint):
        __doc__ = BARE

    return register_made(Made, members)


def register_made(made: type, members: Mapping[str, object], *, is_final: bool = True) -> type:
    for name, member in members.items():
        setattr(made, name, member)
    made.__abstractmethods__ = frozenset()
    registry._parts.pop("made", None)
    return losses.register("made")(final(made) if is_final else made)


def failures(part: type[losses.Part]) -> dict[str, str]:
    return {finding.check: finding.message for finding in contract.examine(part) if finding.is_failure}


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize(
    "make",
    [make_objective, make_regularizer, make_transform, lambda: make_logit_transform(lambda b: 2 * b), make_constraint],
)
def test_the_parts_that_are_broken_below_are_whole_before(make: Callable[[], type[losses.Part]]) -> None:
    assert failures(make()) == {}


# --- objectives ---------------------------------------------------------------------------------------------------


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


# --- regularizers -------------------------------------------------------------------------------------------------


def leaking_into_the_generator(context: losses.Context) -> Tensor:
    return context.critic(context._phase_state.inputs.generator(context.latents)).square().mean()


def drawing_globally(context: losses.Context) -> Tensor:
    torch.rand(())
    return context.real_logits.square().mean()


def drawing_from_anothers_stream(context: losses.Context) -> Tensor:
    streams = context._phase_state.inputs.rng
    if "instance_noise" in streams:
        torch.rand((), generator=streams["instance_noise"])
    return context.real_logits.square().mean()


def changing_what_backward_needs(context: losses.Context) -> Tensor:
    mean = context.get_state("mean", torch.ones_like(context.real_logits[0]))
    value = (context.real_logits * mean).square().mean()
    mean.lerp_(context.fake_logits.detach().mean(), 0.5)
    return value


def remembering(context: losses.Context) -> Tensor:
    mean = context.get_state("mean", torch.zeros_like(context.real_logits[0]))
    value = (context.real_logits - mean.clone()).square().mean()
    mean.lerp_(context.fake_logits.detach().mean(), 0.5)
    return value


def remembering_a_graph(context: losses.Context) -> Tensor:
    context.state["last"] = context.fake_logits.mean()
    return context.real_logits.square().mean()


def changing_weights(context: losses.Context) -> Tensor:
    value = context.real_logits.square().mean()
    context.parameters[0].data.add_(1e-3)
    return value


@pytest.mark.usefixtures("scratch_registry")
def test_the_count_of_steps_is_declared_where_it_is_read_and_nowhere_else() -> None:
    def reading(context: losses.Context) -> Tensor:
        return context.real_logits.square().mean() / (1 + context.step)

    declared = {"needs": frozenset({"step"})}
    assert failures(make_regularizer(reading, **declared)) == {}
    assert "does not declare it" in failures(make_regularizer(reading))["step as declared"]
    assert set(failures(make_regularizer(**declared))) == {"step as declared"}, "declared and not read"
    never = {"reads_step": property(lambda self: False)}
    assert set(failures(make_regularizer(**declared, **never))) == {"step as declared"}, "declared for no parameters"
    assert set(failures(make_constraint(**declared))) == {"step as declared"}
    assert (
        "does not declare it" in failures(make_transform(lambda x, context: x / (2 + context.step)))["step as declared"]
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hinge + r1", False),
        ("hinge + topk", True),
        ("hinge + instance_noise", False),
        ("hinge + instance_noise(anneal_steps=3)", True),
        ("hinge + lecam", True),
        ("hinge + lecam(start=0)", False),
    ],
)
def test_a_method_reads_the_count_of_steps_where_a_part_does(expression: str, expected: bool) -> None:
    method = losses.get(expression)
    assert any(method.reads_step(phase) for phase in ("discriminator", "generator")) is expected


def test_the_count_of_steps_is_read_in_the_phase_of_the_part_alone() -> None:
    method = losses.get("topk-gan")
    assert method.reads_step("generator")
    assert not method.reads_step("discriminator")


GRADIENT = {"needs": frozenset({"real_gradient"})}
BROKEN_REGULARIZERS: dict[str, tuple[set[str], Callable[[losses.Context], Tensor], dict[str, object]]] = {
    "a norm over the whole batch": (
        {"repeated batch"},
        lambda context: ((context.real_gradient.square().sum() + 1).sqrt() - 1).square(),
        GRADIENT,
    ),
    "a mean over the wrong axis": (
        {"repeated batch"},
        lambda context: context.real_gradient.flatten(1).square().sum(0).mean(),
        GRADIENT,
    ),
    "a root of a squared norm": (
        {"flat critic"},
        lambda context: context.real_gradient.flatten(1).square().sum(1).sqrt().mean(),
        GRADIENT,
    ),
    "a term for each sample": (
        {"scalar", "derivative", "phase", "repeated batch", "order", "lazy", "points", "flat critic", "precision"}
        | {"state", "no host read"},
        lambda context: context.real_logits.square(),
        {},
    ),
    "only the first sample counts": ({"order"}, lambda context: context.real_logits[0].square(), {}),
    "a detached factor": (
        {"derivative"},
        lambda context: (context.real_logits.detach() * context.real_logits).mean(),
        {},
    ),
    "the generator is reached": ({"phase"}, leaking_into_the_generator, {"needs": frozenset({"generator"})}),
    "weights are changed": (
        {"phase", "own stream", "state", "derivative"},
        changing_weights,
        {"needs": frozenset({"weights"})},
    ),
    "a tensor is read from Python": (
        {"no host read"},
        lambda context: context.real_logits.square().mean() * (1 + 0 * context.real_logits.detach()[0].item()),
        {},
    ),
    "a boolean mask": (
        {"no host read"},
        lambda context: context.real_logits[context.real_logits.isfinite()].square().mean(),
        {},
    ),
    "a global random number": ({"own stream"}, drawing_globally, {}),
    "a random number of another part": ({"own stream"}, drawing_from_anothers_stream, {}),
    "state is changed under the feet of backward": (
        {"derivative", "phase", "points", "flat critic", "precision", "state", "no host read"},
        changing_what_backward_needs,
        {"needs": frozenset({"state"})},
    ),
    "state is not declared": ({"state", "needs"}, remembering, {}),
    "state drags a graph": ({"state"}, remembering_a_graph, {"needs": frozenset({"state"})}),
    "`every` counts twice": (
        {"lazy"},
        lambda context: context.real_logits.square().mean(),
        {"coefficient": property(lambda self: self.weight * self.every)},
    ),
    "images only": (
        {"points"},
        lambda context: (context.real_logits * context.real_images.square().mean((1, 2, 3))).mean(),
        {},
    ),
    "the networks' precision": (
        {"precision"},
        lambda context: context.real_logits.to(context.latents.dtype).square().mean(),
        {"needs": frozenset({"generator"})},
    ),
    "an input gradient that is not declared": (
        {"needs"},
        lambda context: context.critic_gradient(context.real_images).flatten(1).square().sum(1).mean(),
        {},
    ),
    "features that are not declared": ({"needs"}, lambda context: context.real_features.square().mean(), {}),
}


@pytest.mark.usefixtures("scratch_registry")
@pytest.mark.parametrize("how", BROKEN_REGULARIZERS)
def test_a_broken_regularizer_fails_exactly_what_it_breaks(how: str) -> None:
    expected, term, members = BROKEN_REGULARIZERS[how]
    assert set(failures(make_regularizer(term, **members))) == expected


@pytest.mark.usefixtures("scratch_registry")
def test_a_stateful_term_that_keeps_the_rules_is_whole() -> None:
    assert failures(make_regularizer(remembering, needs=frozenset({"state"}))) == {}


@pytest.mark.usefixtures("scratch_registry")
def test_a_random_term_is_not_judged_by_a_batch_that_draws_other_numbers() -> None:
    def jittered(context: losses.Context) -> Tensor:
        moved = context.real_images + context.normal_like(context.real_images)
        return context.critic(moved).square().mean()

    states = {finding.check: finding.state for finding in contract.examine(make_regularizer(jittered))}
    assert {check for check, state in states.items() if state == "undecided"} == {"repeated batch", "order"}
    assert "failed" not in states.values()


# --- transforms and constraints -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("scratch_registry")
def test_broken_transforms_fail_exactly_what_they_break() -> None:
    def globally(images: Tensor, _: losses.Context) -> Tensor:
        torch.rand(())
        return images

    def masked(images: Tensor, _: losses.Context) -> Tensor:
        return torch.where(images[:1].detach().sum().item() > -1e9, images, images)

    assert set(failures(make_transform(lambda images, _: images.detach()))) == {"gradient", "both phases", "points"}
    assert set(failures(make_transform(globally))) == {"own stream"}
    assert "shape" in failures(make_transform(lambda images, _: images.repeat_interleave(2, dim=0)))
    assert set(failures(make_transform(lambda images, _: images.flip(2)))) == {"points"}
    assert "no host read" in failures(make_transform(masked))
    assert set(failures(make_logit_transform(lambda b: b.detach()))) >= {"values and shapes"}


@pytest.mark.usefixtures("scratch_registry")
def test_broken_constraints_fail_exactly_what_they_break() -> None:
    def drawing(_: losses.Constraint, discriminator: nn.Module) -> nn.Module:
        torch.rand(())
        return discriminator

    def freezing(_: losses.Constraint, discriminator: nn.Module) -> None:
        discriminator.last.bias.requires_grad_(False)

    def replacing(_: losses.Constraint, discriminator: nn.Module) -> None:
        discriminator.last.bias = nn.Parameter(discriminator.last.bias.detach().clamp(-0.1, 0.1))

    assert set(failures(make_constraint(wrap=drawing))) == {"wrap"}
    assert set(failures(make_constraint(after_step=freezing))) == {"after step"}
    assert set(failures(make_constraint(after_step=replacing))) == {"after step"}
    assert set(failures(make_constraint(critic_steps=property(lambda self: 0)))) == {"declared pace"}
    assert set(failures(make_constraint(learning_rate_factor=property(lambda self: -1.0)))) == {"declared pace"}


# --- waivers ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("scratch_registry")
def test_a_waived_check_that_fails_is_no_failure() -> None:
    made = make_objective(generator=lambda b, _: softplus(-b).sum(), waived={"repeated batch": "a sum on purpose"})
    found = contract.examine(made)
    assert [(each.state, each.message) for each in found if each.check == "repeated batch"] == [
        ("waived", "a sum on purpose")
    ]
    assert contract.verdict("made", found) == f"made: ready ({len(found) - 1} checks passed, 1 waived)"


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_of_what_passes_is_stale_and_counts_as_a_failure() -> None:
    found = contract.examine(make_objective(waived={"signs": "once it was so"}))
    (signs,) = [each for each in found if each.check == "signs"]
    assert (signs.state, signs.is_failure) == ("stale", True)
    assert "take the waiver out, which says 'once it was so'" in signs.message
    assert contract.verdict("made", found) == "made: 1 check failed"


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_of_no_check_names_the_nearest() -> None:
    found = failures(make_objective(waived={"sings": "a slip"}))
    assert list(found) == ["sings"]
    assert "objective, is called 'sings' (did you mean \"signs\"?): take the waiver out" in found["sings"]


@pytest.mark.usefixtures("scratch_registry")
def test_a_waiver_for_another_device_is_simply_waived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = contract.examine(make_objective(waived={"capture": "it allocates"}))
    assert (found[-1].check, found[-1].state, found[-1].message) == ("capture", "waived", "it allocates")


@pytest.mark.usefixtures("scratch_registry")
def test_a_check_says_what_it_promises_and_what_came_instead() -> None:
    made = make_regularizer(lambda context: context.nonsense)
    (scalar,) = [check for check in contract.checks(made) if check.name == "scalar"]
    assert scalar.says == "The term is a single finite number, in float32 or float64 as the networks are."
    with pytest.raises(AssertionError, match="AttributeError: 'Context' object has no attribute 'nonsense'"):
        scalar()


def test_nothing_of_it_touches_the_global_random_numbers() -> None:
    before = torch.random.get_rng_state()
    ToyProblem(method_with(PARTS["instance_noise"]())).run("discriminator")
    assert torch.equal(before, torch.random.get_rng_state())
    contract.examine(PARTS["hinge"])
    contract.examine(PARTS["gp1"])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("network", ["critic", "generator"])
def test_a_world_is_the_same_every_time_and_another_with_another_seed(network: str) -> None:
    one, again, other = (list(getattr(ToyProblem(method_with(), seed), network).parameters()) for seed in (0, 0, 1))
    assert all(map(torch.equal, one, again))
    assert not any(map(torch.equal, one, other))


@pytest.mark.parametrize(
    "reads",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.unique(),
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x.masked_select(x > 0),
        lambda x: torch.linalg.eigh(x @ x.T),
        lambda x: torch.linalg.inv(x),
        lambda x: x.index_put((x > 0,), torch.zeros(())),
    ],
)
def test_the_guard_against_reading_bites(reads: Callable[[Tensor], object]) -> None:
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    reads(x)
    with pytest.raises(AssertionError, match="reads"), ForbidHostSync():
        reads(x)


def test_the_guard_against_reading_lets_everything_else_pass() -> None:
    x = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    with ForbidHostSync():
        torch.where(x > 0, x[:, [1, 0]].sort().values, x.cumsum(0)).square().mean().backward()
    assert x.grad is not None
