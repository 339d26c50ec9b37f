"""The pages: one for each family, and an index of all methods. Their content comes from the library itself."""

import sys
from collections.abc import Iterable
from typing import Any, Final

import losses
from bench.atlas import cost, signals
from bench.atlas.entries import WINNING, library, linked, links, method_entry, method_link, methods, part_entry
from bench.atlas.families import FAMILIES, PACKAGE, Family, Group, family_of, family_of_method
from bench.atlas.markdown import joined, number, prose, table
from losses import Objective

MARK: Final = "<!-- Written by `python -m bench atlas` from the loss library: change it there. -->"
"""The first line of every page that may be overwritten or deleted."""

NOT_INCLUDED: Final = "not-included.md"
"""Written by hand."""

_CAPTION: Final = [
    f"*Pictures.* One logit varies over [−{signals.LIMIT}, {signals.LIMIT}], and all others of both batches stay at 0. "
    f"Its effect is multiplied by the batch size, {signals.BATCH}. For a loss that is a mean over logits the curve is "
    "the function of one logit, up to a constant. For other losses it is the influence of one image.",
    "",
]


def scalar_objectives() -> list[Objective]:
    """Return the objectives that have a picture."""
    made = [part() for part in library()]
    return [part for part in made if isinstance(part, Objective) and part.outputs == 1]


def all_pages() -> dict[str, str]:
    """Return the generated pages by file name."""
    pages = {"index.md": _index()}
    for module, family in FAMILIES.items():
        pages[f"{family.page}.md"] = _family_page(module, family)
    return pages


def _index() -> str:
    lines = [
        MARK, "", "# The loss atlas", "",
        f"Every loss of the library, with a page for each family: {len(methods())} methods, {len(library())} parts.",
        "Formulas and sources come from the documentation in the code; values, signals, costs and pictures are",
        f"measured on the code. What was left out, and why: [{NOT_INCLUDED}]({NOT_INCLUDED}).",
        "To run one: `python -m bench run --method NAME`.", "",
        "## Families", "", *_families_table(),
        "## Methods", "", *_reading_guide(), *_methods_table(),
    ]  # fmt: skip
    return "\n".join(lines)


def _families_table() -> list[str]:
    return table(
        ["Family", "What it is", "Parts"],
        _grouped(
            FAMILIES.values(),
            lambda family: [
                f"[{family.title}]({family.page}.md)",
                prose(family.sentence),
                str(sum(family_of(part) is family for part in library())),
            ],
            columns=3,
        ),
        numeric=[2],
    )


def _reading_guide() -> list[str]:
    baseline = [counted.compact for counted in cost.count(methods()["nsgan"])]
    return [
        "- **L_D(0)**: the discriminator's loss where all logits are 0 (vector heads: vectors of zeros).",
        f"- **G signal**: the sum over the batch of dL_G/db where D wins, {WINNING}, B = {signals.BATCH}; **bold** "
        f"where it vanishes (weaker than {signals.VANISHING:g}) or explodes (beyond {signals.EXPLODING:g}), – for "
        "vector heads. This and L_D(0) are those of the objective, without terms and transforms.",
        "- **D phase, G phase**: D forwards / double backwards / G forwards of one update, with every lazy term due, "
        f"counted while it ran. The baseline is {baseline[0]} and {baseline[1]}; **bold** is more expensive.",
        "- **BN**: what BatchNorm in the discriminator does to it. **→**: an alias, trained and ranked under the other "
        "name.",
        "",
    ]


def _methods_table() -> list[str]:
    head = ["Method", "Expression", "L_D(0)", "G signal", "D phase", "G phase", "BN"]
    by_family = [
        name for family in FAMILIES.values() for name, method in methods().items() if family_of_method(method) is family
    ]
    return table(head, _grouped(by_family, _method_row, columns=len(head)), numeric=[2, 3])


def _method_row(name: str) -> list[str]:
    method = methods()[name]
    alias = losses.describe(name, "method").alias
    return [
        f"[{name}]({method_link(name)})" + (f" → {alias}" if alias else ""),
        f"`{method.short}`",
        number(signals.reading_at_zero(method.objective)),
        _bold_where_extreme(signals.push(method.objective)),
        *(
            counted.compact if counted == usual else f"**{counted.compact}**"
            for counted, usual in zip(cost.count(method), cost.count(methods()["nsgan"]), strict=True)
        ),
        method.batch_norm,
    ]


def _bold_where_extreme(signal: float | None) -> str:
    written = number(signal)
    return f"**{written}**" if signal is not None and signals.in_words(signal) else written


def _grouped(items: Iterable[Any], row: Any, *, columns: int) -> list[list[str]]:  # noqa: ANN401 - families or names
    """Return the rows of a table, those of each group under a line with its name."""
    rows: list[list[str]] = []
    last: Group | None = None
    for item in items:
        family = item if isinstance(item, Family) else family_of_method(methods()[item])
        if family.group != last:
            last = family.group
            rows.append([f"**{last}**", *[""] * (columns - 1)])
        rows.append(row(item))
    return rows


def _family_page(module: str, family: Family) -> str:
    members = [part for part in library() if part.__module__ == module]
    named = [name for name, method in methods().items() if family_of_method(method) is family]
    lines = [
        MARK, "", f"# {family.title}", "", prose(f"{family.sentence} {family.advice}", links()), "",
        f"[All losses](index.md) · parts: {', '.join(linked(part.name) for part in members)}"
        + (f" · methods: {', '.join(f'[{name}]({method_link(name)})' for name in named)}" if named else ""), "",
        *_legend(module), *(_CAPTION if any(part.kind == "objective" for part in members) else []),
    ]  # fmt: skip
    for part in members:
        lines += part_entry(part)
    for name in named:
        lines += method_entry(name)
    return "\n".join(lines)


def _legend(module: str) -> list[str]:
    """Return the symbols of the formulas, from the docstrings of the package and of the module."""
    package = module.rpartition(".")[0]
    legends = [
        joined(block).removeprefix("Legend for every formula: ").removeprefix("Legend: ")
        for name in (f"{PACKAGE}objectives", package, module)
        for block in (sys.modules[name].__doc__ or "").split("\n\n")
        if block.startswith("Legend")
    ]
    return [f"*Symbols.* {prose(' '.join(map(_sentence, dict.fromkeys(legends))), links())}", ""]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
