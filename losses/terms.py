"""From a phase's evaluation to the terms of a method's loss: the objective's, and the regularisers' that are due.

Where the discriminator has several scales, each has its losses, which are averaged.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from losses.context import Context
from losses.evaluation import Evaluation
from losses.kinds import LogitTransform, Regularizer
from losses.loss_parts import LossPart, LossParts
from losses.outputs import Scales
from losses.ranges import OBJECTIVE, PENALTY, mark

if TYPE_CHECKING:  # a method collects its terms here
    from losses.method import Method


def collect(
    method: "Method", evaluation: Evaluation, due: list[Regularizer], real: Scales | None, fake: Scales | None
) -> LossParts:
    """Join the objective's loss, averaged over the scales, and the terms that are due."""
    parts: dict[str, LossPart] = {}
    total: Tensor | None = None
    if fake is not None:
        with mark(OBJECTIVE):
            total = _mean([_objective_loss(method, evaluation, real, fake, scale) for scale in range(len(fake))])
        parts[method.objective.name] = LossPart(value=total, weighted=total)
    for regularizer in due:
        with mark(f"{PENALTY} {regularizer.name}"):
            value = _term(evaluation, regularizer, scales=1 if fake is None else len(fake))
        weighted = regularizer.coefficient * regularizer.every * value
        parts[regularizer.name] = LossPart(value=value, weighted=weighted)
        total = weighted if total is None else total + weighted
    if total is None:  # nothing is due of regularisers alone: a backward pass leaves every gradient as it is
        total = torch.zeros((), device=evaluation.device, requires_grad=True)
    return LossParts(
        total=total,
        parts=parts,
        fake_images=evaluation.shown_fakes,
        fake_logits=None if fake is None else _joined([judged.own.logits for judged in fake]),
        real_logits=None if real is None else _joined([judged.own.logits for judged in real]),
    )


def _objective_loss(method: "Method", evaluation: Evaluation, real: Scales | None, fake: Scales, scale: int) -> Tensor:
    read_real, read_fake = None if real is None else real[scale].logits, fake[scale].logits
    for transform in method.transforms:
        if isinstance(transform, LogitTransform) and transform.phase == evaluation.phase:
            context = Context(evaluation, transform.name, scale=scale)
            read_real, read_fake = transform(read_real, read_fake, context)
    if evaluation.phase == "generator":
        return method.objective.generator(read_fake, read_real)
    assert read_real is not None
    return method.objective.discriminator(read_real, read_fake)


def observe(method: "Method", evaluation: Evaluation, real: Scales, fake: Scales) -> None:
    """Let transforms that adapt look at the logits of all scales."""
    for transform in method.input_transforms:
        seen_real, seen_fake = (_joined([judged.logits.detach() for judged in scales]) for scales in (real, fake))
        transform.observe(seen_real, seen_fake, Context(evaluation, transform.name))


def _term(evaluation: Evaluation, regularizer: Regularizer, scales: int) -> Tensor:
    """Return a term, averaged over the scales if it looks at what the discriminator returns."""
    own = "logit_per_image" in regularizer.needs
    if own and evaluation.has_patches:
        raise ValueError(
            f"{regularizer.name} needs the logit of each image, and this discriminator judges patches: leave it out"
        )
    context = Context(evaluation, regularizer.name, own=own)
    values = [regularizer(context)]
    if context.judged:
        values += [
            regularizer(Context(evaluation, regularizer.name, scale=scale, own=own)) for scale in range(1, scales)
        ]
    return _mean(values)


def _mean(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).mean()


def _joined(logits: list[Tensor]) -> Tensor:
    return logits[0] if len(logits) == 1 else torch.cat(logits)
