"""Small parts that keep the contract until a member is replaced, registered under one name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor
from torch.nn.functional import softplus

import losses
from losses import contract, registry

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
