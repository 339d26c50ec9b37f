"""How the figures of page and paper look: colors, axes, and matplotlib's SVG made fit to stand inside a page.

On the page colors are drawn as placeholders and then replaced by CSS variables, so the same picture reads on a light
and on a dark page; text stays text and takes the page's font. On paper they are the colors themselves.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.common.mpl_style import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

COLORS: Final = 6
"""How many methods can be told apart by color; all others are gray."""


@dataclass(frozen=True)
class Look:
    """The colors of a figure, and the size of its words in points."""

    ink: str
    faint: str
    other: str
    """A method that is not among the colored ones."""
    alarm: str
    paper: str
    """What lies behind the figure."""
    colors: tuple[str, ...]
    """Of the methods that are told apart; the first is that of a figure about a single method."""
    font_size: float

    @property
    def settings(self) -> dict[Any, Any]:
        """Matplotlib's settings, to be in force while a figure is drawn and saved."""
        # A name is no formula, whatever signs are in it.
        return settings(ink=self.ink, edge=self.faint, font_size=self.font_size) | {"text.parse_math": False}


PAPER: Final = Look(
    ink="#30363d",
    faint="#d9dde2",
    other="#b4bac1",
    alarm="#b3470a",
    paper="#ffffff",
    colors=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"),
    font_size=8.5,
)
"""The colors are Okabe and Ito's, which color-blind readers can tell apart, without the yellow and the black."""

PAGE: Final = Look(
    ink="#010101",
    faint="#020202",
    other="#030303",
    alarm="#040404",
    paper="#050505",
    colors=tuple(f"#0{number}0{number}{number}0" for number in range(1, COLORS + 1)),
    font_size=8.5,
)
_VARIABLES: Final = {
    PAGE.ink: "var(--muted, #5b6470)",
    PAGE.faint: "var(--rule, #d9dde2)",
    PAGE.other: "var(--other, #c2c8cf)",
    PAGE.alarm: "var(--alarm, #b3470a)",
    PAGE.paper: "var(--paper, #ffffff)",
    **{
        drawn: f"var(--c{number}, {color})"
        for number, (drawn, color) in enumerate(zip(PAGE.colors, PAPER.colors, strict=True), 1)
    },
}


def logarithmic_axis(axes: "Axes", limits: tuple[float, float] | None) -> None:
    """Make the vertical axis logarithmic, with few ticks that are written as people write numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    decades = math.inf if limits is None else math.log10(limits[1] / limits[0])
    narrow = limits is not None and limits[0] >= 1e-3 and limits[1] < 1e5
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if decades < 1.5 else (1,), numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain if narrow else _power))
    axes.yaxis.set_minor_locator(NullLocator())


def step_axis(axes: "Axes", steps: int, ticks: int) -> None:
    """Let the horizontal axis run from 0 to the last step."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(0, steps)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def open_frame(axes: "Axes", look: Look, *, grid: str = "y") -> None:
    """Draw a grid and, of the frame, only the axis below."""
    axes.grid(axis=grid, color=look.faint, linewidth=0.5)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(length=2, width=0.5, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_levels(axes: "Axes", look: Look, levels: Sequence[tuple[float | None, str]]) -> None:
    """Draw horizontal reference lines with the words at them; a level of `None` is not known and not drawn."""
    for level, words in levels:
        if level is not None:
            axes.axhline(level, color=look.ink, linewidth=0.6, linestyle=(0, (3, 2)), zorder=2)
            axes.annotate(
                words, (1.0, level), xycoords=("axes fraction", "data"), xytext=(-2, 2), textcoords="offset points",
                ha="right", va="bottom", fontsize=look.font_size - 1,
            )  # fmt: skip


def _plain(value: float, _position: object) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _power(value: float, _position: object) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    leading = round(value / 10**exponent)
    return ("" if leading == 1 else f"{leading}·") + "10" + str(exponent).translate(_SUPERSCRIPTS)


def svg_of(figure: "Figure") -> str:
    """Return a drawn figure as a stand-alone SVG; equal figures give equal bytes."""
    text = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    return text.getvalue()


def element_of(figure: "Figure", name: str, description: str, classes: str) -> str:
    """Return a figure drawn with the look `PAGE` as an `<svg>` element that fills the column it stands in.

    Args:
        figure: what is shown.
        name: unique in the document; prefixes the ids inside.
        description: what a screen reader says instead of the picture.
        classes: for the page's style sheet.
    """
    drawn = svg_of(figure)
    opening = re.search(r"<svg[^>]*>", drawn)
    box = re.search(r'viewBox="[^"]*"', drawn)
    assert opening is not None
    assert box is not None
    body = drawn[opening.end() :]
    # The style sheet inside would apply to the whole page; the page's own says the same for these panels alone.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]+"', "<g", body)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r' transform="rotate\(-0 [^"]*"', "", body)
    body = re.sub(r"font-family: [^;\"]*; ?", "", body)
    # Hundredths of a point are enough for coordinates; the words between the tags keep all their digits.
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d+\.\d{2})\d+", r"\1", tag.group()), body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for placeholder, variable in _VARIABLES.items():
        body = body.replace(placeholder, variable)
    return f'<svg class="{classes}" {box.group()} role="img" aria-label="{_attribute(description)}">{body}'


def _attribute(words: str) -> str:
    for raw, escaped in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        words = words.replace(raw, escaped)
    return words
