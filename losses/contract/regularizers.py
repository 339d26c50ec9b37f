"""What a regularizer promises. It is tried as a term of bce_ns."""

from collections.abc import Callable
from dataclasses import asdict, fields
from itertools import product
from typing import Final, get_args

import torch
from torch import Tensor, nn

from losses.context import Context
from losses.contract.check import Case, UndecidedError
from losses.contract.toy_problem import Batch, ToyProblem, drawn, gradients, is_close, method_with, number
from losses.loss_parts import LossPart
from losses.parts import Regularizer
from losses.registry import part as part_named
from losses.suggest import did_you_mean
from losses.types import PHASES, Need, Phase, State

EPSILON: Final = 1e-5
"""The step of central differences."""
LATE: Final = 100_000
"""A step by which terms that start late have started."""
TRIED: Final = tuple(
    (linear, steep, late) for linear, steep, late in product((False, True), repeat=3) if not (linear and late)
)
"""Whether the critic is linear, whether steep, and whether the term is late: a memory fits the smooth critic only."""


def _part(case: Case[Regularizer], every: int = 1) -> Regularizer:
    """Return the part as it is when it is due on every step."""
    part = case.part
    arguments = asdict(part)
    return type(part)(**(arguments | {"every": every} if "every" in arguments else arguments))


def _problem(
    case: Case[Regularizer],
    *,
    dtype: torch.dtype = torch.float64,
    points: bool = False,
    linear: bool = False,
    steep: bool = False,
) -> ToyProblem:
    return ToyProblem(method_with(_part(case)), case.seed, dtype=dtype, points=points, linear=linear, steep=steep)


def _term(
    case: Case[Regularizer], problem: ToyProblem, batch: Batch | None = None, *, draw: int = 0, late: bool = False
) -> LossPart:
    """Return the term at the first step; or late, when it remembers a step of other networks on another batch."""
    phase, step = case.part_class.phase, LATE if late else 0
    state: State = {}
    if late:
        ToyProblem(problem.method, problem.seed + 1).run(phase, step=step, state=state)
    return problem.run(phase, batch, step=step, draw=draw, state=state)[case.part_class.name]


def _check_finite(case: Case[Regularizer], problem: ToyProblem) -> None:
    result = _term(case, problem)
    assert bool(result.value.isfinite()), f"the term is {number(result.value)}"
    reached = gradients(result.weighted, problem.player(case.part_class.phase))
    assert all(bool(gradient.isfinite().all()) for gradient in reached), "a gradient of the term is not finite"


def scalar(case: Case[Regularizer]) -> None:
    """The term is a single finite number, in float32 or float64 as the networks are."""
    for dtype in (torch.float32, torch.float64):
        value = _term(case, _problem(case, dtype=dtype)).value
        assert value.shape == (), f"the term has shape {tuple(value.shape)}: reduce it by the batch mean"
        assert value.dtype == dtype, f"the term of {dtype} networks is {value.dtype}"
        assert bool(value.isfinite()), f"the term is {number(value)}"


def derivative(case: Case[Regularizer]) -> None:
    """The gradient by the trained player's weights agrees with finite differences."""
    for late in (False, True):
        # All in a list, so that the steep critic is tried in any case: one-sided terms are flat on the gentle one.
        if any([_check_derivative(case, _problem(case, steep=steep), late=late) for steep in (False, True)]):  # noqa: C419
            return
    raise UndecidedError("the term is flat here, on a gentle critic and on a steep one")


def _check_derivative(case: Case[Regularizer], problem: ToyProblem, *, late: bool) -> bool:
    """Compare the slopes of the term along a random direction of the weights; False where it is flat."""
    weights = list(problem.player(case.part_class.phase).parameters())
    direction = [drawn((case.seed, "direction", index), *value.shape) for index, value in enumerate(weights)]
    value = _term(case, problem, late=late).weighted
    assert value.requires_grad, "no gradient comes out of the term: it is detached from the networks"
    slopes = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    derivative = sum(number((slope * way).sum()) for slope, way in zip(slopes, direction, strict=True))
    start = [weight.detach().clone() for weight in weights]
    ends = []
    for step in (EPSILON, -EPSILON):
        with torch.no_grad():
            for weight, origin, way in zip(weights, start, direction, strict=True):
                weight.copy_(origin + step * way)
        ends.append(number(_term(case, problem, late=late).weighted))
    expected = (ends[0] - ends[1]) / (2 * EPSILON)
    tolerance = 1e-5 * max(abs(derivative), abs(expected)) + 1e-7 * (1 + abs(ends[0]))
    assert abs(derivative - expected) <= tolerance, (
        f"along a random direction of the weights the gradient is {derivative:.6g}, finite differences give "
        f"{expected:.6g}: is something detached in it, or a gradient taken without create_graph=True?"
    )
    return abs(expected) > tolerance


def phase(case: Case[Regularizer]) -> None:
    """Its gradients reach the player of its phase, never the generator in the discriminator's phase, and no image."""
    problem, batch = _problem(case), _problem(case).batch()
    before = [value.detach().clone() for value in (*problem.critic.parameters(), *problem.generator.parameters())]
    result = problem.run(case.part_class.phase, batch)
    # Looked at before anything flows back, because the objective alone would leave gradients too.
    reached = gradients(result[case.part_class.name].weighted, problem.player(case.part_class.phase), retain_graph=True)
    assert reached, f"the term does not reach the {case.part_class.phase}, which it is to train"
    result.total.backward()
    if case.part_class.phase == "discriminator":
        touched = [name for name, value in problem.generator.named_parameters() if value.grad is not None]
        assert not touched, "the discriminator's phase leaves gradients in the generator: detach the generated images"
    assert batch.real.grad is None, "the real images are left with a gradient"
    assert not batch.real.requires_grad, "the caller's real images are made to require gradients"
    after = (*problem.critic.parameters(), *problem.generator.parameters())
    assert all(map(torch.equal, before, after)), "computing the term changes the weights"


def own_stream(case: Case[Regularizer]) -> None:
    """It draws from its own random stream alone: no other part's numbers move, nor torch's global ones."""
    others = [part_named(name)() for name in ("instance_noise", "r1") if name != case.part_class.name]
    alone, together = (ToyProblem(method_with(*parts), case.seed) for parts in (others, [*others, _part(case)]))
    for phase in PHASES:
        before = torch.random.get_rng_state()
        with_it = _values(together, phase)
        assert torch.equal(before, torch.random.get_rng_state()), (
            "it draws from torch's global random numbers: draw through context.uniform or context.normal_like"
        )
        for name, value in _values(alone, phase).items():
            assert torch.equal(value, with_it[name]), f"adding it changes the random numbers of {name}"


def _values(problem: ToyProblem, phase: Phase) -> dict[str, Tensor]:
    """Return the terms of two steps.

    In the discriminator's phase the streams run on, so that whatever moves one is seen in the second step. In the
    generator's they start afresh: a part may rightly have the reals looked at, through the transforms, when none did.
    """
    rng = problem.streams(phase)
    values: dict[str, Tensor] = {}
    for step in range(2):
        result = problem.run(phase, problem.batch(step), step=step, rng=rng if phase == "discriminator" else None)
        values |= {f"{name} at step {step}": part.value.detach() for name, part in result.items()}
    return values


def _check_invariant(case: Case[Regularizer], change: Callable[[Batch], Batch], what: str) -> None:
    """Compare the term before and after a change of the batch, on critics where its random numbers do not matter."""
    decided = False
    for linear, steep, late in TRIED:
        problem = _problem(case, linear=linear, steep=steep)
        plain = _term(case, problem, late=late).value
        if number(plain) != 0 and is_close(plain, _term(case, problem, draw=1, late=late).value):
            changed = _term(case, problem, change(problem.batch()), late=late).value
            assert is_close(plain, changed), f"the term goes from {number(plain):.6g} to {number(changed):.6g} {what}"
            decided = True
    if not decided:
        raise UndecidedError("the term is zero here, or random, and a changed batch draws other numbers")


def repeated_batch(case: Case[Regularizer]) -> None:
    """A batch given twice over has the same term, so that its weight does not depend on the batch size."""
    _check_invariant(
        case, Batch.repeated, "when the batch is given twice: take norms within a sample, means over samples"
    )


def order(case: Case[Regularizer]) -> None:
    """The order of the samples does not count, as long as reals and fakes are reordered alike."""
    _check_invariant(case, Batch.permuted, "when the samples are reordered")


def lazy(case: Case[Regularizer]) -> None:
    """With `every=3` it is absent on two steps of three, and three times as heavy on the third."""
    if "every" not in {spec.name for spec in fields(case.part_class)}:
        raise UndecidedError("it has no parameter `every`")
    phase, name = case.part_class.phase, case.part_class.name
    always, lazily = (ToyProblem(method_with(_part(case, every)), case.seed) for every in (1, 3))
    for step in range(4):
        result = lazily.run(phase, step=step)
        assert (name in result) == (step % 3 == 0), f"with every=3 it is wrongly present or absent at step {step}"
        if name in result:
            always_due = always.run(phase, step=step)[name]
            assert is_close(result[name].value, always_due.value), "`every` changes the value of the term"
            assert is_close(result[name].weighted, 3 * always_due.weighted), (
                f"with every=3 it is {number(result[name].weighted):.6g} at step {step}, not three times "
                f"{number(always_due.weighted):.6g}: `coefficient` leaves `every` out"
            )


def flat_critic(case: Case[Regularizer]) -> None:
    """Values and gradients are finite on a critic that is the same everywhere."""
    for dtype in (torch.float32, torch.float64):
        problem = _problem(case, dtype=dtype)
        assert isinstance(problem.critic.last, nn.Linear)
        nn.init.zeros_(problem.critic.last.weight)
        nn.init.zeros_(problem.critic.last.bias)
        _check_finite(case, problem)


def points(case: Case[Regularizer]) -> None:
    """It works on points of the plane, [B, 2], as on images, unless it declares that it needs images."""
    if "image_shape" in case.part_class.needs:
        raise UndecidedError("it declares that it needs images")
    _check_finite(case, _problem(case, points=True))


def precision(case: Case[Regularizer]) -> None:
    """The term is float32 and finite whether the networks are bfloat16 or run under autocast."""
    for dtype, autocast in ((torch.float32, True), (torch.bfloat16, False)):
        problem = _problem(case, dtype=dtype)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            result = _term(case, problem)
        where = "under bfloat16 autocast" if autocast else "of bfloat16 networks"
        assert result.value.dtype == torch.float32, f"the term {where} is {result.value.dtype}"
        assert bool(result.value.isfinite()), f"the term {where} is {number(result.value)}"
        reached = gradients(result.weighted, problem.player(case.part_class.phase))
        assert all(bool(value.isfinite().all()) for value in reached), f"a gradient of the term {where} is not finite"


def needs(case: Case[Regularizer]) -> None:
    """It works when it is given what it declares in `needs`, and no more."""
    part = _part(case)
    known = get_args(Need)
    for need in sorted(part.needs - set(known)):
        raise AssertionError(f"`needs` has {need!r}{did_you_mean(need, known)}; there are {', '.join(known)}")
    problem = ToyProblem(method_with(part), case.seed)
    try:
        problem.run_frugally(part.phase, part.needs)
    except Exception as error:
        declare = '; declare `needs: ClassVar = frozenset({"features"})`' if "needs features" in str(error) else ""
        raise AssertionError(f"given only what `needs` declares: {type(error).__name__}: {error}{declare}") from error
    undeclared = _undeclared_needs(case)
    assert not undeclared, f"it uses {undeclared[0]}, which `needs` does not declare"


def _undeclared_needs(case: Case[Regularizer]) -> list[str]:
    """Return what the part takes from its context, by watching it, that it has not declared."""
    part, taken = _part(case), set[str]()

    class Watched(Context):
        def critic_gradient(self, points: Tensor) -> Tensor:
            taken.add("input_gradient")
            return super().critic_gradient(points)

        def frozen_features(self, images: Tensor) -> Tensor:
            taken.add("frozen_features")
            return super().frozen_features(images)

        @property
        def second_latents(self) -> Tensor:
            taken.add("second_latents")
            return super().second_latents

    def call(this: Regularizer, context: Context) -> Tensor:
        return type(part).__call__(this, Watched(context._phase_state, this))

    watching: Regularizer = type("Watching", (type(part),), {"__call__": call})(**asdict(part))
    ToyProblem(method_with(watching), case.seed).run(part.phase)
    return sorted(taken - part.needs)


ALL: Final = (
    scalar,
    derivative,
    phase,
    own_stream,
    repeated_batch,
    order,
    lazy,
    flat_critic,
    points,
    precision,
    needs,
)
