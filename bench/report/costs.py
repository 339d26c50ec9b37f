"""What a loss costs, for the page: a table and a figure for each machine and setting that kernel records come from.

A bar is a method's discriminator step over the reference method's, divided as the stages of the step are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import kernels, overview
from bench.report.section_values import Chart
from bench.report.style import PAGE, Look, element_of, open_frame
from bench.store.kernels import KernelRecord, groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH: Final = 7.2

DISCRIMINATOR, GENERATOR, LOSS, PENALTY, OPTIMISER, REST = PARTS = (
    *("D: forward and backward", "G: fakes", "loss", "penalty", "optimizer", "rest"),
)
"""What a discriminator step is divided into, from the left."""

_PART_OF: Final = {
    **dict.fromkeys(("D real", "D fake", "D real and fake", "D backward"), DISCRIMINATOR),
    "G fake": GENERATOR,
    "objective": LOSS,
    # The forwards that a part makes for itself are its own.
    **dict.fromkeys(("input gradient", "D other", "G other"), PENALTY),
    "D update": OPTIMISER,
}
_PENALTY: Final = "penalty "
"""Begins the range of a regularizer, as in `losses.profiling`."""

CAPTION: Final = (
    f"One update of the discriminator over {REFERENCE_METHOD}'s, the median of blocks timed in turn; shorter is "
    "cheaper. The colors divide it as the ranges of a few more calls do: penalty is what a term adds on the way "
    "forward, its gradient by the images and passes of its own included, and its way back to the weights is in D's "
    "backward. “rest” lies outside all ranges."
)


@dataclass(frozen=True)
class Bar:
    """One method: its step over the reference's, and how much of that each part takes."""

    name: str
    total: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Costs:
    """What the page says about one machine and setting."""

    title: str
    chart: Chart | None
    """None where no step was timed, as where launches are captured."""
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]


def cost_sections(records: Sequence[KernelRecord]) -> list[Costs]:
    """Return what the page shows of kernel records, in the order of their tables; equal records give equal bytes."""
    ordered = sorted(records, key=lambda record: (record.label, record.id))
    grouped = sorted(groups(ordered), key=lambda group: (kernels.title(group), sorted(group[0].components.items())))
    return [
        _costs(group, f"costs{number}", title)
        for number, (group, title) in enumerate(zip(grouped, kernels.titles(grouped), strict=True))
    ]


def bars(group: Sequence[KernelRecord]) -> list[Bar]:
    """Return the methods of one machine and setting whose step was timed, the cheapest first."""
    made = []
    for record in sorted(group, key=kernels.cost):
        timing = record.timing("d_step")
        whole = sum(timing.stages.values()) if timing else 0.0
        if timing is None or not whole:
            continue
        parts = dict.fromkeys(PARTS, 0.0)
        for stage, seconds in timing.stages.items():
            parts[part_of(stage)] += seconds / whole * timing.ratio.median
        made.append(Bar(kernels.label(record), timing.ratio.median, parts))
    return made


def part_of(stage: str) -> str:
    """Return the part of the step that a range belongs to."""
    return PENALTY if stage.startswith(_PENALTY) else _PART_OF.get(stage, REST)


def _costs(group: Sequence[KernelRecord], name: str, title: str) -> Costs:
    headings, rows = kernels.cells(group)
    return Costs(title, _chart(bars(group), name), headings, rows, kernels.notes(group))


def _chart(drawn: Sequence[Bar], name: str) -> Chart | None:
    if not drawn:
        return None
    with overview.drawing(PAGE, (_WIDTH, 1.0 + 0.22 * len(drawn))) as (figure, axes):
        _draw(figure, axes, drawn, PAGE)
        described = "; ".join(f"{bar.name} {bar.total:.2f}, {_words(bar)}" for bar in drawn)
        svg = element_of(figure, name, f"Discriminator step over {REFERENCE_METHOD}'s: {described}", "wide")
    return Chart(name, "The discriminator's step", CAPTION, svg)


def _words(bar: Bar) -> str:
    """Say of which parts a bar is made, in hundredths of it."""
    return " ".join(
        f"{part} {share / bar.total:.0%}" for part, share in bar.parts.items() if share / bar.total >= 0.005
    )


def _draw(figure: "Figure", axes: "Axes", drawn: Sequence[Bar], look: Look) -> None:
    places = range(len(drawn))
    ends = [0.0] * len(drawn)
    for part, color in zip(PARTS, (*look.colors[: len(PARTS) - 1], look.other), strict=True):
        widths = [bar.parts[part] for bar in drawn]
        if any(widths):
            axes.barh(places, widths, left=ends, height=0.66, color=color, label=part, linewidth=0)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    axes.axvline(1.0, color=look.ink, linewidth=0.8, linestyle=(0, (4, 2)), zorder=3)
    for position, bar in zip(places, drawn, strict=True):
        axes.annotate(
            f"{bar.total:.2f}", (bar.total, position), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=look.font_size - 1, color=look.ink,
        )  # fmt: skip
    names, sizes, room = overview.beside([bar.name for bar in drawn], look)
    axes.set_yticks(places, names)
    for text, size in zip(axes.get_yticklabels(), sizes, strict=True):
        text.set_fontsize(size)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.08 * max(1.0, *(bar.total for bar in drawn)))
    axes.set_xlabel(f"× {REFERENCE_METHOD}'s discriminator step")
    open_frame(axes, look, grid="x")
    overview.fit(figure, left=0.15 + room, right=0.2, top=0.35)
    figure.legend(
        loc="upper left", ncols=len(PARTS), frameon=False, fontsize=look.font_size - 1, handlelength=1.0,
        columnspacing=1.2, handletextpad=0.5, borderaxespad=0.2,
    )  # fmt: skip
