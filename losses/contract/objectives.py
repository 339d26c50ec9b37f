"""What an objective promises.

Legend: a, b are the logits of real and of generated images, [B] or [B, outputs].
"""

from collections.abc import Callable
from itertools import product
from typing import Final

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError

from losses.contract.check import Case
from losses.contract.toy_problem import drawn, is_close, number
from losses.parts import Objective

SAMPLES: Final = 8
DIRECTIONS: Final = 32
"""Along how many directions an input is moved for finite differences."""
STEP: Final = 1e-4
"""Along the gradient of a vector head; relative to a gradient of unit length."""


def _logits(case: Case[Objective], words: object, samples: int = SAMPLES, dtype: torch.dtype = torch.float64) -> Tensor:
    head = () if case.part.outputs == 1 else (case.part.outputs,)
    return drawn((case.seed, words), samples, *head, dtype=dtype, scale=2.0)


def _gradients(objective: Objective, a: Tensor, b: Tensor) -> dict[str, Tensor]:
    """Return dL_D/da, dL_D/db and dL_G/db; nothing in the second counts the reals as changeable."""
    a, b = a.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()
    of_a, of_b = _derived(objective.discriminator(a, b), (a, b))
    (of_g,) = _derived(objective.generator(b, a.detach()), (b,))
    return {"dL_D/da": of_a, "dL_D/db": of_b, "dL_G/db": of_g}


def _derived(value: Tensor, by: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    assert value.requires_grad, "no gradient comes out of the loss: it is detached from its logits"
    return torch.autograd.grad(value, by, allow_unused=True, materialize_grads=True)


def _losses(objective: Objective) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    return {
        "discriminator": objective.discriminator,
        "generator": lambda a, b: objective.generator(b, a if objective.needs_real_in_generator else None),
    }


def scalar(case: Case[Objective]) -> None:
    """Both losses are single numbers, in the precision of the logits."""
    for dtype in (torch.float32, torch.float64):
        a, b = _logits(case, "a", dtype=dtype), _logits(case, "b", dtype=dtype)
        for player, loss in _losses(case.part).items():
            value = loss(a, b)
            assert value.shape == (), f"the {player}'s loss has shape {tuple(value.shape)}: reduce it by the batch mean"
            assert value.dtype == dtype, f"the {player}'s loss of {dtype} logits is {value.dtype}"


def derivative(case: Case[Objective]) -> None:
    """The gradients of both losses agree with finite differences."""
    a, b = _logits(case, "a"), _logits(case, "b")
    checked: list[tuple[str, Callable[..., Tensor], tuple[Tensor, ...]]] = [
        ("discriminator", case.part.discriminator, (a, b)),
        ("generator", lambda b: case.part.generator(b, a), (b,)),
    ]
    for player, loss, origins in checked:
        try:
            _gradcheck(case, loss, origins)
        except GradcheckError as error:
            raise AssertionError(
                f"the gradient of the {player}'s loss is not its derivative: is something detached in it?"
            ) from error


def _gradcheck(case: Case[Objective], loss: Callable[..., Tensor], origins: tuple[Tensor, ...]) -> None:
    """Hold derivatives to finite differences, at most `DIRECTIONS` for each input.

    Few logits are moved one by one. Many are moved in groups, each group along a random direction of its own, so that
    every logit is in one of them and a wide head costs no more evaluations than a narrow one.
    """
    ways = [_ways(case, origin) for origin in origins]

    def along(*lengths: Tensor) -> Tensor:
        return loss(
            *(at + (length @ way).reshape(at.shape) for at, length, way in zip(origins, lengths, ways, strict=True))
        )

    at_rest = tuple(torch.zeros(len(way), dtype=way.dtype, requires_grad=True) for way in ways)
    torch.autograd.gradcheck(along, at_rest)


def _ways(case: Case[Objective], origin: Tensor) -> Tensor:
    """Return directions [directions, logits]: each logit is in exactly one; neighbors are in different ones."""
    groups = torch.arange(origin.numel()) % DIRECTIONS
    members = groups == torch.arange(min(DIRECTIONS, origin.numel()))[:, None]
    if origin.numel() <= DIRECTIONS:
        return members.to(origin.dtype)
    return members * drawn((case.seed, "directions"), origin.numel(), dtype=origin.dtype)


def signs(case: Case[Objective]) -> None:
    """The discriminator pushes reals up and fakes down, the generator pushes fakes up."""
    if case.part.outputs > 1:
        _directions(case)
        return
    wanted = {"dL_D/da": -1, "dL_D/db": 1, "dL_G/db": -1}
    for at_a, at_b in ((0.0, 0.0), (3.0, -3.0)):
        a, b = (torch.full((SAMPLES,), value, dtype=torch.float64) for value in (at_a, at_b))
        for name, gradient in _gradients(case.part, a, b).items():
            assert bool((gradient * wanted[name] >= 0).all()), (
                f"{name} has the wrong sign at a={at_a:g}, b={at_b:g}: {number(gradient[0]):.3g} for the first sample"
            )


def _directions(case: Case[Objective]) -> None:
    """For a vector head: small steps against the gradients move the critic the right way."""
    objective = case.part

    def means(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        real, fake = objective.critics(a, b)
        return real.mean(), fake.mean()

    a, b = _logits(case, "a") / 2, _logits(case, "b") / 2
    slopes = _gradients(objective, a, b)
    length = torch.cat([slopes["dL_D/da"], slopes["dL_D/db"]]).norm().clamp_min(1e-12)
    real, fake = means(a, b)
    moved_real, moved_fake = means(a - STEP * slopes["dL_D/da"] / length, b - STEP * slopes["dL_D/db"] / length)
    assert number(moved_real - moved_fake) >= number(real - fake), (
        "a small step of the discriminator brings the critic's means of real and fake nearer"
    )
    moved_real, moved_fake = means(a, b - STEP * slopes["dL_G/db"] / slopes["dL_G/db"].norm().clamp_min(1e-12))
    assert moved_fake >= fake or number(moved_real - moved_fake) <= number(real - fake), (
        "a small step of the generator lowers the critic's mean of the fakes"
    )


def huge_logits(case: Case[Objective]) -> None:
    """Values and gradients are finite at logits of 10,000 of either sign, in float32 and bfloat16."""
    for dtype, at_a, at_b in product((torch.float32, torch.bfloat16), (1e4, -1e4), (1e4, -1e4)):
        where = f"at a={at_a:g}, b={at_b:g} in {dtype}"
        like = _logits(case, "a", dtype=dtype)
        a, b = torch.full_like(like, at_a), torch.full_like(like, at_b)
        for player, loss in _losses(case.part).items():
            assert bool(loss(a, b).isfinite()), f"the {player}'s loss is {number(loss(a, b))} {where}"
        for name, gradient in _gradients(case.part, a, b).items():
            assert bool(gradient.isfinite().all()), f"{name} is {number(gradient.sum())} {where}"


def repeated_batch(case: Case[Objective]) -> None:
    """A batch given twice over has the same loss, so that weights and rates do not depend on the batch size."""
    a, b = _logits(case, "a"), _logits(case, "b")
    for player, loss in _losses(case.part).items():
        once, twice = loss(a, b), loss(torch.cat([a, a]), torch.cat([b, b]))
        assert is_close(once, twice), (
            f"the {player}'s loss goes from {number(once):.6g} to {number(twice):.6g} when the batch is given twice: "
            f"take means over the samples, not sums"
        )


def order(case: Case[Objective]) -> None:
    """The order of the samples does not count, as long as reals and fakes are reordered alike."""
    a, b = _logits(case, "a"), _logits(case, "b")
    for player, loss in _losses(case.part).items():
        plain, permuted = loss(a, b), loss(a.roll(3, 0).flip(0), b.roll(3, 0).flip(0))
        assert is_close(plain, permuted), (
            f"the {player}'s loss is {number(plain):.6g}, but {number(permuted):.6g} with the samples in another order"
        )


def generator_reads_reals_as_declared(case: Case[Objective]) -> None:
    """The generator's loss reads the logits of real images exactly where `needs_real_in_generator` says so."""
    objective, b = case.part, _logits(case, "b")
    if objective.needs_real_in_generator:
        try:
            objective.generator(b)
        except ValueError:
            return
        raise AssertionError(
            "needs_real_in_generator is True, but without real logits the generator's loss raises no ValueError"
        )
    values = [objective.generator(b), *(objective.generator(b, _logits(case, words)) for words in ("a", "others"))]
    assert all(torch.equal(values[0], value) for value in values), (
        "the generator's loss reads the real logits: declare needs_real_in_generator = True"
    )


def pairs_by_broadcasting(case: Case[Objective]) -> None:
    """Unequal numbers of reals and fakes either work or raise ValueError; a single one is never paired with all."""
    for player, loss in _losses(case.part).items():
        works = [_works(player, loss, _logits(case, "a"), _logits(case, "b", samples)) for samples in (4, 1)]
        assert works != [False, True], (
            f"the {player}'s loss refuses 4 fakes beside 8 reals but pairs a single one with all of them: "
            f"compare the shapes and raise ValueError"
        )


def _works(player: str, loss: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> bool:
    sizes = f"{len(a)} reals and {len(b)} fakes"
    try:
        loss(a, b)
    except ValueError:
        return False
    except Exception as error:
        raise AssertionError(
            f"the {player}'s loss of {sizes} raises {type(error).__name__}: compare the shapes and raise ValueError"
        ) from error
    return True


def critic(case: Case[Objective]) -> None:
    """The critic is one finite number a sample."""
    a, b = _logits(case, "a"), _logits(case, "b")
    for logits in (a, b):
        value = case.part.critic(logits, a, b)
        assert value.shape == (SAMPLES,), f"the critic has shape {tuple(value.shape)} for {SAMPLES} samples"
        assert bool(value.isfinite().all()), "the critic is not finite"


def alias(case: Case[Objective]) -> None:
    """Where it names another objective as its alias, both have the same gradients."""
    objective, other = case.part, case.part.alias
    if other is None:
        return
    for turn in range(3):
        a, b = _logits(case, ("a", turn)), _logits(case, ("b", turn))
        mine, others = _gradients(objective, a, b), _gradients(other, a, b)
        for name, gradient in mine.items():
            assert torch.allclose(gradient, others[name], rtol=1e-9, atol=1e-12), (
                f"{name} is not that of its alias {other.name}"
            )


ALL: Final = (
    scalar,
    derivative,
    signs,
    huge_logits,
    repeated_batch,
    order,
    generator_reads_reals_as_declared,
    pairs_by_broadcasting,
    critic,
    alias,
)
