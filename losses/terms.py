"""From the state of a phase to the terms of a loss: the objective's, and those of the regularizers that are due.

Where the discriminator has several scales, each has its losses, which are averaged.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from losses.context import Context
from losses.loss_parts import LossPart, LossParts
from losses.outputs import Scales
from losses.parts import InputTransform, LogitTransform, Objective, Regularizer
from losses.phase_state import PhaseState
from losses.profiling import OBJECTIVE, PENALTY, mark
from losses.types import Role

Transforms = Sequence[InputTransform | LogitTransform]


def transform_images(
    transforms: Sequence[InputTransform], state: PhaseState, images: Tensor, role: Role, part: str | None
) -> Tensor:
    """Return what the discriminator sees of images. Random numbers are of the part's stream, if a part asks."""
    for transform in transforms:
        images = transform(images, Context(state, transform, stream=part), role)
    return images


def collect(
    state: PhaseState, objective: Objective | None, transforms: Transforms, due: Sequence[Regularizer]
) -> LossParts:
    """Join the objective's loss, if there is one, and the terms that are due; then let transforms adapt."""
    real, fake = (None, None) if objective is None else _outputs(state, objective)
    terms: dict[str, LossPart] = {}
    total: Tensor | None = None
    if objective is not None and fake is not None:
        with mark(OBJECTIVE):
            logit_transforms = [part for part in transforms if isinstance(part, LogitTransform)]
            losses = [_objective_loss(state, objective, logit_transforms, real, fake, k) for k in range(len(fake))]
            total = _mean(losses)
        terms[objective.name] = LossPart(value=total, weighted=total)
    for regularizer in due:
        with mark(f"{PENALTY} {regularizer.name}"):
            value = _term(state, regularizer, scales=1 if fake is None else len(fake))
        weighted = regularizer.coefficient * regularizer.every * value
        terms[regularizer.name] = LossPart(value=value, weighted=weighted)
        total = weighted if total is None else total + weighted
    if total is None:  # nothing is due of regularizers alone: a backward pass leaves every gradient as it is
        total = torch.zeros((), device=state.device, requires_grad=True)
    result = LossParts(
        total=total,
        parts=terms,
        fake_images=state.fakes_for_caller,
        fake_logits=None if fake is None else _joined([output.own.logits for output in fake]),
        real_logits=None if real is None else _joined([output.own.logits for output in real]),
    )
    state.finish_input_gradients()
    if state.phase == "discriminator" and real is not None and fake is not None:
        _adapt(state, [part for part in transforms if isinstance(part, InputTransform)], real, fake)
    return result


def _outputs(state: PhaseState, objective: Objective) -> tuple[Scales | None, Scales]:
    """Run the discriminator on the batches that the objective looks at, in the order of each phase."""
    if state.phase == "discriminator":
        return state.real, state.fake
    fake = state.fake
    return state.real if objective.needs_real_in_generator else None, fake


def _objective_loss(
    state: PhaseState,
    objective: Objective,
    transforms: Sequence[LogitTransform],
    real: Scales | None,
    fake: Scales,
    scale: int,
) -> Tensor:
    read_real, read_fake = None if real is None else real[scale].logits, fake[scale].logits
    for transform in transforms:
        if transform.phase == state.phase:
            read_real, read_fake = transform(read_real, read_fake, Context(state, transform, scale=scale))
    if state.phase == "generator":
        return objective.generator(read_fake, read_real)
    assert read_real is not None
    return objective.discriminator(read_real, read_fake)


def _adapt(state: PhaseState, transforms: Sequence[InputTransform], real: Scales, fake: Scales) -> None:
    """Let transforms that adapt look at the logits of all scales."""
    for transform in transforms:
        seen_real, seen_fake = (_joined([output.logits.detach() for output in scales]) for scales in (real, fake))
        transform.observe(seen_real, seen_fake, Context(state, transform))


def _term(state: PhaseState, regularizer: Regularizer, scales: int) -> Tensor:
    """Return a term, averaged over the scales if it looks at what the discriminator returns."""
    own = "logit_per_image" in regularizer.needs
    if own and state.has_patches:
        raise ValueError(
            f"{regularizer.name} needs the logit of each image, and this discriminator judges patches: leave it out"
        )
    context = Context(state, regularizer, own=own)
    values = [regularizer(context)]
    if context.saw_discriminator:
        values += [regularizer(Context(state, regularizer, scale=scale, own=own)) for scale in range(1, scales)]
    return _mean(values)


def _mean(values: list[Tensor]) -> Tensor:
    return values[0] if len(values) == 1 else torch.stack(values).mean()


def _joined(logits: list[Tensor]) -> Tensor:
    return logits[0] if len(logits) == 1 else torch.cat(logits)
