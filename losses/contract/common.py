"""What every part promises, of whatever kind."""

import dataclasses
import io
from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor

from losses import registry
from losses.catalogue import get
from losses.contract.check import Case, UndecidedError
from losses.contract.host_sync import ForbidHostSync
from losses.contract.toy_problem import ToyProblem, gradients, method_with, number
from losses.description import describe
from losses.hyperparameters import type_of
from losses.parts import Part
from losses.phase_inputs import PhaseInputs
from losses.types import PHASES, Phase

STEPS: Final = 3


def registration(case: Case[Part]) -> None:
    """It is a final frozen dataclass, found by its name."""
    part = case.part_class
    assert registry.parts().get(part.name) is part, (
        f'{part.__qualname__} is not known by its name: decorate it with @losses.register("...")'
    )
    assert getattr(part, "__final__", False), f"{part.__qualname__} can be inherited from: decorate it with @final"
    assert dataclasses.is_dataclass(part)
    assert part.__dataclass_params__.frozen, (  # type: ignore[attr-defined]  # typeshed does not know it
        f"{part.__qualname__} can be changed: decorate it with @dataclass(frozen=True)"
    )


def description(case: Case[Part]) -> None:
    """Its docstring tells the formula, the parameters, what BatchNorm does to it, and the source."""
    try:
        result = describe(case.part_class.name, case.part_class.kind)
    except ValueError as error:
        raise AssertionError(str(error)) from error
    empty = [spec.name for spec in result.parameters if not spec.meaning]
    assert not empty, f"the docstring says nothing of the parameter {empty[0]!r}"


def defaults(case: Case[Part]) -> None:
    """It can be made without arguments, and its defaults lie within their own ranges."""
    part = case.part
    assert part == case.part_class.build(dataclasses.asdict(part)), "equal parameters do not make an equal part"
    assert hash(part) == hash(case.part)


def spelling(case: Case[Part]) -> None:
    """A method with it is read back from its canonical and from its short spelling."""
    method = method_with(case.part)
    for text in (str(method), method.short):
        assert get(text) == method, f"{text!r} is read back as another method: {str(get(text))!r}"


def step_as_declared(case: Case[Part]) -> None:
    """It reads the count of steps exactly where it declares so, by "step" in its `needs` or by `reads_step`."""
    part = case.part_class
    variants = list(_variants(case.part)) if "step" in part.needs else [_due_always(case.part)]
    for variant in variants:
        reads = any([_reads_step(variant, phase, case.seed) for phase in PHASES])  # noqa: C419 - both phases are run
        assert reads or not variant.reads_step, (
            f'{variant} declares that it reads the count of steps and does not: take "step" out of its `needs`, or let '
            f"`reads_step` say for which parameters it does"
        )
    assert "step" not in part.needs or any(variant.reads_step for variant in variants), (
        'it declares "step" in its `needs`, and `reads_step` is never true'
    )


def _variants(part: Part) -> Iterator[Part]:
    """Yield a part as it is, and with each of its zeros made 1: a start or a length of 0 switches the count off."""
    yield _due_always(part)
    for spec in dataclasses.fields(part):
        if type_of(spec) in (int, float) and getattr(part, spec.name) == 0:
            yield dataclasses.replace(_due_always(part), **{spec.name: 1})


def _due_always(part: Part) -> Part:
    """Return a part that is due on every step."""
    is_lazy = any(spec.name == "every" for spec in dataclasses.fields(part))
    return dataclasses.replace(part, **{"every": 1}) if is_lazy else part


def _reads_step(part: Part, phase: Phase, seed: int) -> bool:
    """Whether a phase cannot do without the count of steps. `context.step` refuses a part that does not declare it."""
    problem = ToyProblem(method_with(part), seed)
    real, latents = problem.batch()
    inputs = PhaseInputs(
        phase=phase, discriminator=problem.critic, generator=problem.generator, real_images=real,
        fake_images=problem.generator(latents), latents=latents, rng=problem.streams(phase), update=0, state={},
    )  # fmt: skip
    try:
        problem.method.loss(inputs)
    except ValueError as error:
        if "reads the count of steps: pass step=" not in str(error):
            raise
        return True
    return False


def no_host_read(case: Case[Part]) -> None:
    """Python never reads a tensor, which would make it wait for the device."""
    problem = ToyProblem(method_with(case.part), case.seed, dtype=torch.float32)
    with ForbidHostSync():
        for phase in PHASES:
            problem.run(phase, step=5).total.backward()
    for constraint in problem.method.constraints:
        wrapped = constraint.wrap(problem.critic)
        with ForbidHostSync():
            constraint.after_step(wrapped)


def state(case: Case[Part]) -> None:
    """What it remembers is tensors in `context.state`, and a run resumed from a file of it goes on bit for bit."""
    whole, remembered = _run(case)
    resumed, _ = _run(case, save_after=1)
    part = case.part_class
    if part.name in remembered:
        assert "state" in part.needs, 'it remembers something between steps without "state" in its `needs`'
    for name, tensor in remembered.get(part.name, {}).items():
        assert not tensor.requires_grad, f"the remembered {name!r} drags a graph along: detach it"
    for step, (one, other) in enumerate(zip(whole, resumed, strict=True)):
        assert torch.equal(one, other), (
            f"at step {step // 2} a run resumed from saved state differs from one that was not interrupted: "
            f"{number(other)!r} instead of {number(one)!r}"
        )


def _run(case: Case[Part], save_after: int | None = None) -> tuple[list[Tensor], dict[str, dict[str, Tensor]]]:
    """Return the totals of both phases in three steps, and the state; it goes through a file after the step given."""
    problem = ToyProblem(method_with(case.part), case.seed)
    kept: dict[str, dict[str, Tensor]] = {}
    totals = []
    for step in range(STEPS):
        for phase in PHASES:
            total = problem.run(phase, problem.batch(step), step=step, state=kept).total
            total.backward()
            totals.append(total.detach())
        if step == save_after:
            problem = ToyProblem(method_with(case.part), case.seed)
            buffer = io.BytesIO()
            torch.save(kept, buffer)
            buffer.seek(0)
            kept = torch.load(buffer, weights_only=True)
    return totals, kept


def capture(case: Case[Part]) -> None:
    """Both phases, with their gradients, can be captured in a CUDA graph."""
    if not torch.cuda.is_available():
        raise UndecidedError("there is no CUDA device here")
    problem = ToyProblem(method_with(case.part), case.seed, dtype=torch.float32, device="cuda")
    kept: dict[str, dict[str, Tensor]] = {}
    for phase in PHASES:
        batch, rng = problem.batch(), problem.streams(phase)

        def once() -> list[Tensor]:
            total = problem.run(phase, batch, rng=rng, state=kept).total  # noqa: B023 - called within the turn
            return [total, *gradients(total, problem.player(phase))]  # noqa: B023

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                once()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        for stream in rng.values():
            graph.register_generator_state(stream)
        with torch.cuda.graph(graph):
            result = once()
        graph.replay()
        torch.cuda.synchronize()
        assert all(bool(tensor.isfinite().all()) for tensor in result), (
            "a replayed graph gives numbers that are not finite"
        )


FIRST: Final = (registration, defaults, description, spelling)
LAST: Final = (step_as_declared, no_host_read)
ON_CUDA: Final = (capture,)
"""Listed only on a machine with a CUDA device."""
