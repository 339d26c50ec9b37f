"""What a transform of the discriminator's input, or of the logits that the objective reads, promises."""

from typing import Final

import torch
from torch import Tensor, nn

from losses.contract.check import Case, UndecidedError
from losses.contract.toy_problem import ToyProblem, gradients, method_with, number
from losses.parts import InputTransform, LogitTransform
from losses.registry import part as part_named
from losses.types import PHASES, Phase

OBJECTIVES: Final = ("bce_ns", "rp_bce")
"""One that reads each logit by itself, and one that pairs reals with fakes and reads reals in the generator too."""


def _problem(
    case: Case[InputTransform], *, dtype: torch.dtype = torch.float64, points: bool = False, objective: str = "bce_ns"
) -> ToyProblem:
    return ToyProblem(method_with(case.part, objective=objective), case.seed, dtype=dtype, points=points)


class _Recording(nn.Module):
    """A critic that keeps what it is shown."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self.seen.append(images)
        result: Tensor | tuple[Tensor, Tensor] = self.critic(images)
        return result


def _seen(problem: ToyProblem, phase: Phase) -> list[Tensor]:
    """Return what the critic is shown in a phase."""
    plain = problem.critic
    recording = _Recording(plain)
    problem.critic = recording
    problem.run(phase)
    problem.critic = plain
    return recording.seen


def shape(case: Case[InputTransform]) -> None:
    """It joins `pack` samples to one input along the channels and else keeps shape and precision."""
    pack = case.part.pack
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        problem = _problem(case, dtype=dtype)
        samples, channels, *rest = problem.batch().real.shape
        wanted = (samples // pack, channels * pack, *rest)
        for phase in PHASES:
            for images in _seen(problem, phase):
                assert images.shape == wanted, (
                    f"images {(samples, channels, *rest)} become {tuple(images.shape)}: not {wanted}, with pack={pack}"
                )
                assert images.dtype == dtype, f"images of {dtype} become {images.dtype}"
                assert bool(images.isfinite().all()), "the transformed images are not finite"


def gradient(case: Case[InputTransform]) -> None:
    """Gradients flow through it to the images, and can be differentiated again, as a slope penalty does."""
    problem = ToyProblem(method_with(case.part, part_named("r1")()), case.seed)
    result = problem.run("discriminator")
    term = result["r1"].weighted
    assert bool(term.isfinite()), f"r1 through it is {number(term)}"
    assert number(term) > 0, "no gradient of the critic reaches the images through it"
    reached = gradients(term, problem.critic)
    assert reached, "the gradient by the images cannot be differentiated again"
    assert all(bool(gradient.isfinite().all()) for gradient in reached), "a second derivative through it is not finite"


def both_phases(case: Case[InputTransform]) -> None:
    """It works in both phases, on reals and fakes, and lets the generator learn through it."""
    for objective in OBJECTIVES:
        problem = _problem(case, objective=objective)
        for phase in PHASES:
            total = problem.run(phase).total
            assert bool(total.isfinite()), f"with {objective} the {phase}'s loss is {number(total)}"
            reached = gradients(total, problem.player(phase))
            assert reached, f"with {objective} no gradient reaches the {phase}"
            assert all(bool(gradient.isfinite().all()) for gradient in reached), (
                f"with {objective} the {phase}'s gradient is not finite"
            )


def points(case: Case[InputTransform]) -> None:
    """It works on points of the plane, [B, 2], as on images, unless it declares that it needs images."""
    if "image_shape" in case.part_class.needs:
        raise UndecidedError("it declares that it needs images")
    problem = _problem(case, points=True)
    for phase in PHASES:
        total = problem.run(phase).total
        assert bool(total.isfinite()), f"on points the {phase}'s loss is {number(total)}"
        assert gradients(total, problem.player(phase)), f"on points no gradient reaches the {phase}"


def own_stream(case: Case[InputTransform]) -> None:
    """It draws from its own random stream alone: no other part's numbers move, nor torch's global ones."""
    first = [part_named(name)() for name in ("instance_noise",) if name != case.part_class.name]
    problems = [ToyProblem(method_with(*first, *added), case.seed) for added in ([], [case.part])]
    samples = problems[1].batch()
    for phase in PHASES:
        after = []
        for problem in problems:
            rng, before = problem.streams(phase), torch.random.get_rng_state()
            problem.run(phase, samples, rng=rng)
            assert torch.equal(before, torch.random.get_rng_state()), (
                "it draws from torch's global random numbers: draw through context.uniform or context.normal_like"
            )
            after.append(rng)
        for part in first:
            assert torch.equal(*(rng[part.name].get_state() for rng in after)), f"it draws from {part.name}'s stream"


def values_and_shapes(case: Case[LogitTransform]) -> None:
    """The objective can read what it returns, paired or not, and both players learn from it in its phase."""
    phase = case.part_class.phase
    for objective in OBJECTIVES:
        problem = ToyProblem(method_with(case.part, objective=objective), case.seed)
        result = problem.run(phase)
        value = result[objective].value
        assert value.shape == (), f"{objective} of the transformed logits has shape {tuple(value.shape)}"
        assert bool(value.isfinite()), f"{objective} of the transformed logits is {number(value)}"
        reached = gradients(value, problem.player(phase))
        assert reached, f"no gradient of {objective} reaches the {phase} through it"
        assert all(bool(gradient.isfinite().all()) for gradient in reached), f"a gradient of {objective} is not finite"
        assert any(bool(gradient.any()) for gradient in reached), f"the gradient of {objective} is zero through it"


def other_phase(case: Case[LogitTransform]) -> None:
    """It leaves the loss of the other phase alone."""
    for phase in PHASES:
        if phase != case.part_class.phase:
            totals = [ToyProblem(method_with(*parts), case.seed).run(phase).total for parts in ([], [case.part])]
            assert torch.equal(*totals), f"it changes the {phase}'s loss, which is not that of its phase"


ON_INPUTS: Final = (shape, gradient, both_phases, points, own_stream)
ON_LOGITS: Final = (values_and_shapes, other_phase)
