"""One small panel a method, drawn by matplotlib as SVG: deterministic, and coloured by the page it stands on.

Colours are drawn as placeholders and then replaced by CSS variables, so the same picture reads on a light and on a
dark page; text stays text and takes the page's font.
"""

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.report.curves import Line, Points, median_line
from bench.svg import settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK: Final = "#010101"
_FAINT: Final = "#020202"
_SERIES: Final = "#030303"
_OTHER: Final = "#040404"
_ALARM: Final = "#050505"
_VARIABLES: Final = {
    _INK: "var(--muted, #5b6470)",
    _FAINT: "var(--rule, #d9dde2)",
    _SERIES: "var(--series, #0b62a8)",
    _OTHER: "var(--other, #c2c8cf)",
    _ALARM: "var(--alarm, #b3470a)",
}
_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SIZE: Final = (2.9, 2.0)
_STYLE: Final = settings(ink=_INK, edge=_FAINT, font_size=7.5)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What one panel shows: this method's seeds, the other methods' medians behind them, and reference levels."""

    name: str
    """Unique in the document; prefixes the ids inside the SVG."""
    lines: Sequence[Line]
    others: Sequence[Points] = ()
    limits: tuple[float, float] | None = None
    steps: int
    logarithmic: bool
    levels: Sequence[tuple[float | None, str]] = ()
    """Horizontal reference lines and the words at them; a level of `None` is not known and not drawn."""
    description: str
    """What a screen reader says instead of the picture."""


def draw(panel: Panel) -> str:
    """Return the panel as an `<svg>` element without width and height, so that it fills the column it stands in."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE)
        FigureCanvasSVG(figure)
        # Fixed margins, so that panels beside each other line up; a layout engine would fit each to its own labels.
        figure.subplots_adjust(left=0.15, right=0.94, bottom=0.12, top=0.96)
        _fill(figure.subplots(), panel)
        return _as_element(figure, panel)


def _fill(axes: "Axes", panel: Panel) -> None:
    for points in panel.others:
        axes.plot(*_columns(points), color=_OTHER, linewidth=0.7, zorder=1)
    for line in panel.lines:
        axes.plot(*_columns(line.points), color=_SERIES, linewidth=0.7, alpha=0.55, zorder=3)
        if line.ended:
            axes.plot(
                *_columns(line.points[-1:]),
                color=_ALARM,
                marker="x",
                markersize=4.5,
                markeredgewidth=1.2,
                clip_on=False,
                zorder=5,
            )
    axes.plot(*_columns(median_line(panel.lines)), color=_SERIES, linewidth=1.9, zorder=4, solid_capstyle="round")
    _style_axes(axes, panel)
    for level, words in panel.levels:
        if level is not None:
            axes.axhline(level, color=_INK, linewidth=0.6, linestyle=(0, (3, 2)), zorder=2)
            axes.annotate(
                words, (1.0, level), xycoords=("axes fraction", "data"), xytext=(-2, 2), textcoords="offset points",
                ha="right", va="bottom", fontsize=6.5,
            )  # fmt: skip


def _style_axes(axes: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if _span(panel) < 1.5 else (1,), numticks=5))
        axes.yaxis.set_major_formatter(FuncFormatter(_plain if _narrow(panel) else _power))
        axes.yaxis.set_minor_locator(NullLocator())
    if panel.limits is not None:
        low, high = panel.limits
        axes.set_ylim((low / 1.6, high * 1.6) if panel.logarithmic else (low, high))
    axes.set_xlim(0, panel.steps)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y", color=_FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=2, width=0.5, pad=2)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _plain(value: float, _position: object) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _power(value: float, _position: object) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    leading = round(value / 10**exponent)
    return ("" if leading == 1 else f"{leading}·") + "10" + str(exponent).translate(_SUPERSCRIPTS)


def _span(panel: Panel) -> float:
    """How many decades the axis covers."""
    return math.inf if panel.limits is None else math.log10(panel.limits[1] / panel.limits[0])


def _narrow(panel: Panel) -> bool:
    return panel.limits is not None and panel.limits[0] >= 1e-3 and panel.limits[1] < 1e5


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _as_element(figure: "Figure", panel: Panel) -> str:
    """Strip what only a stand-alone file needs, make the ids unique, and hand the colours over to the page."""
    text = io.StringIO()
    figure.savefig(
        text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    drawn = text.getvalue()
    opening = re.search(r"<svg[^>]*>", drawn)
    box = re.search(r'viewBox="[^"]*"', drawn)
    assert opening is not None
    assert box is not None
    body = drawn[opening.end() :]
    # The style sheet inside would apply to the whole page; the page's own says the same for these panels alone.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]+"', "<g", body)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{panel.name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{panel.name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{panel.name}-\1"', body)
    body = re.sub(r' transform="rotate\(-0 [^"]*"', "", body)
    body = re.sub(r"font-family: [^;\"]*; ?", "", body)
    # Hundredths of a point are enough for coordinates; the words between the tags keep all their digits.
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d+\.\d{2})\d+", r"\1", tag.group()), body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for placeholder, variable in _VARIABLES.items():
        body = body.replace(placeholder, variable)
    return f'<svg class="panel" {box.group()} role="img" aria-label="{_attribute(panel.description)}">{body}'


def _attribute(words: str) -> str:
    for raw, escaped in (("&", "&amp;"), ('"', "&quot;"), ("<", "&lt;"), (">", "&gt;")):
        words = words.replace(raw, escaped)
    return words
