"""A regularizer that breaks the contract is told what it breaks, and nothing else."""

from collections.abc import Callable

import pytest
import torch
from made_parts import failures, make_constraint, make_regularizer, make_transform
from torch import Tensor

import losses
from losses import contract


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
@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({}, "does not declare it: add `needs_real_in_generator: ClassVar = True`"),
        ({"needs_real_in_generator": True}, 'declare `needs: ClassVar = frozenset({"features"})`'),
        (
            {"needs_real_in_generator": True, "needs": frozenset({"feature"})},
            "has 'feature' (did you mean \"features\"?)",
        ),
        ({"needs_real_in_generator": True, "needs": frozenset({"features"})}, ""),
    ],
)
def test_a_term_of_features_is_told_which_declaration_it_lacks(declared: dict[str, object], words: str) -> None:
    def matching(context: losses.Context) -> Tensor:
        return (context.real_features.mean(0) - context.fake_features.mean(0)).square().sum()

    found = failures(make_regularizer(matching, phase="generator", **declared))
    assert words in found.get("needs", "")
    assert bool(found) == bool(words)


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
