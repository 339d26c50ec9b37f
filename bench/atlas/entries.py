"""The entries of the pages: description, cost and picture of one part or one method."""

from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Final

import losses
from bench.atlas import cost, pictures, signals
from bench.atlas.families import PACKAGE, family_of, family_of_method
from bench.atlas.markdown import anchor, bullets, code, number, paragraphs, prose, table
from losses import Kind, LogitTransform, Method, Objective, Part, Recipe, Regularizer
from losses.catalogue import CATALOGUE
from losses.hyperparameters import format_value
from losses.registry import parts

PICTURES: Final = "pictures"

_KINDS: Final[tuple[Kind, ...]] = ("objective", "regularizer", "transform", "constraint")
_NEEDS: Final = {
    "real_gradient": "the critic's gradient at the real images",
    "fake_gradient": "the critic's gradient at the generated images",
    "input_gradient": "the critic's gradient at points of its own",
    "features": "a discriminator that also returns its features",
    "frozen_features": "a frozen network (the library has one)",
    "generator": "the generator and the latents in the discriminator's phase",
    "second_latents": "one more forward of the generator",
    "weight_gradient": "a gradient of the logits by weights",
    "state": "memory between steps",
    "step": "the count of steps",
    "weights": "the trained network as a module",
    "logit_per_image": "one logit for each image, so no packing",
}
_LIMITS: Final = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))
WINNING: Final = f"a = {signals.WINNING:g}, b = −{signals.WINNING:g}"
"""The logits at which the discriminator wins, as text."""


@cache
def library() -> tuple[type[Part], ...]:
    """Return the library's own parts: objectives first, each kind sorted by name."""
    return tuple(part for kind in _KINDS for part in parts(kind).values() if part.__module__.startswith(PACKAGE))


@cache
def methods() -> dict[str, Method]:
    """Return the catalogue's methods by name."""
    return {name: losses.get(name) for name in CATALOGUE}


@cache
def links() -> dict[str, str]:
    """Return the link to each name's explanation. For a name of both a part and a method it is the part's."""
    named = {name: method_link(name) for name in methods()}
    return named | {part.name: _part_link(part) for part in library()}


def _part_link(part: type[Part]) -> str:
    return f"{family_of(part).page}.md#{anchor(part.name)}"


def method_link(name: str) -> str:
    """Return where a method is explained."""
    return f"{family_of_method(methods()[name]).page}.md#{anchor(_method_heading(name))}"


def _method_heading(name: str) -> str:
    return f"Method: {name}"


def linked(name: str) -> str:
    """Return a name as a link to where it is explained."""
    return f"[`{name}`]({links()[name]})"


def part_entry(part: type[Part]) -> list[str]:
    """Return a part's section."""
    told = losses.describe(part.name, part.kind)
    made = part()
    lines = [f"## {part.name}", "", prose(told.summary, links()), "", *paragraphs(told.remarks, links())]
    lines += code(told.formula)
    if told.parameters:
        head = ["Parameter", "Default", "Range", "Meaning"]
        lines += table(
            head,
            [
                [
                    f"`{parameter.name}`",
                    f"`{format_value(parameter.default)}`",
                    _range(part, parameter.name),
                    prose(parameter.meaning, links()),
                ]
                for parameter in told.parameters
            ],
        )
    lines += bullets([
        ("Kind", _kind(made)),
        ("Alias of", linked(told.alias) if told.alias else ""),
        *_measured(made),
        ("Revision", str(told.revision) if told.revision > 1 else ""),
        ("Needs", ", ".join(words for need, words in _NEEDS.items() if need in part.needs)),
        ("BatchNorm", prose(told.batch_norm, links())),
        ("Source", prose(told.citation)),
        ("In methods", ", ".join(f"[{name}]({method_link(name)})" for name in _methods_with(part))),
    ])  # fmt: skip
    return lines + (_picture(made) if isinstance(made, Objective) else [])


def _kind(part: Part) -> str:
    if isinstance(part, Regularizer | LogitTransform):
        what = "term" if isinstance(part, Regularizer) else "logit transform"
        return f"{what} of the {part.phase}'s phase"
    return {"objective": "objective", "transform": "input transform", "constraint": "constraint"}[part.kind]


def _measured(part: Part) -> list[tuple[str, str]]:
    if not isinstance(part, Objective):
        phases = [
            f"{added} in {phase}'s phase"
            for phase, added in zip("DG", map(str, cost.added(part)), strict=True)
            if added
        ]
        return [("Cost", f"adds {' and '.join(phases)}" if phases else "no pass through a network")]
    return [*_readings(part), ("Cost", _cost(Method(part)))]


def _readings(objective: Objective) -> list[tuple[str, str]]:
    signal = signals.push(objective)
    if signal is None:
        said = f"not defined for a head of {objective.outputs} numbers"
        return [("L_D at a head of zeros", number(signals.reading_at_zero(objective))), ("Generator's signal", said)]
    words = signals.in_words(signal)
    return [
        ("L_D(0, 0)", number(signals.reading_at_zero(objective))),
        ("Generator's signal when D wins", f"{number(signal)}{f', {words}' if words else ''} (at {WINNING})"),
    ]


def _cost(method: Method) -> str:
    d_phase, g_phase = cost.count(method)
    return f"D's phase: {d_phase}; G's phase: {g_phase}"


def _range(part: type[Part], parameter: str) -> str:
    metadata = next(spec.metadata for spec in fields(part) if spec.name == parameter)
    if metadata.get("choices") is not None:
        return ", ".join(format_value(choice) for choice in metadata["choices"])
    return ", ".join(form.format(format_value(metadata[key])) for key, form in _LIMITS if metadata.get(key) is not None)


def _methods_with(part: type[Part]) -> list[str]:
    return [name for name, method in methods().items() if any(type(member) is part for member in method.parts)]


def _picture(objective: Objective) -> list[str]:
    if objective.outputs > 1:
        reads = f"It reads {objective.outputs} numbers a sample, which no picture over one logit shows."
        return [reads, ""]
    bends = [what for what, bent in zip(("value", "gradient"), pictures.bent(objective), strict=True) if bent]
    caption = [
        f"The {' and the '.join(bends)} {'are' if len(bends) > 1 else 'is'} logarithmic beyond ±{pictures.BEND:g}."
        if bends
        else "",
        "Drawn in float32: the flat ends, where the gradient is 0, are its dead zones."
        if objective.name in signals.IN_SINGLE_PRECISION
        else "",
    ]
    alternative = f"Value and gradient of {objective.name} over logits from -{signals.LIMIT} to {signals.LIMIT}"
    lines = [f"![{alternative}]({PICTURES}/{objective.name}.svg)", ""]
    return [*lines, " ".join(filter(None, caption)), ""] if any(caption) else lines


def method_entry(name: str) -> list[str]:
    """Return a method's section."""
    method, told = methods()[name], losses.describe(name, "method")
    lines = [
        f"## {_method_heading(name)}",
        "",
        prose(told.summary, links()),
        "",
        *code(str(method)),
        *code(told.formula),
    ]
    return lines + bullets([
        ("Parts", ", ".join(linked(part.name) for part in method.parts)),
        ("Alias of", f"[{told.alias}]({method_link(told.alias)}), whose gradients it has" if told.alias else ""),
        *_readings(method.objective),
        ("Cost", _cost(method) + _lazy(method)),
        ("BatchNorm", prose(told.batch_norm, links())),
        ("Recipe", _recipe(told.recipe)),
        ("Source", prose(told.citation)),
    ])  # fmt: skip


def _lazy(method: Method) -> str:
    slow = [f"{part.name} is due on every {part.every}th step only" for part in method.regularizers if part.every > 1]
    return f"; {', '.join(slow)}" if slow else ""


def _recipe(recipe: Recipe | None) -> str:
    if recipe is None:
        return ""
    facts: Sequence[str] = [
        recipe.optimizer,
        f"learning rates {recipe.lr_generator:g} (G) and {recipe.lr_discriminator:g} (D)",
        f"betas {recipe.betas[0]:g} and {recipe.betas[1]:g}",
        f"{recipe.critic_steps} D step{'s' if recipe.critic_steps > 1 else ''} a G step",
        f"normalization in D: {recipe.d_norm}",
        *([f"batch {recipe.batch_size}"] if recipe.batch_size else []),
    ]
    return ", ".join(facts)
