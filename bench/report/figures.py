"""One small panel per method, drawn by matplotlib as SVG: its seeds in color, the other methods in gray behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.report.curves import Band, Line, Points
from bench.report.style import PAGE, draw_levels, element_of, logarithmic_axis, open_frame, step_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE: Final = (2.9, 2.0)
_FONT_SIZE: Final = 7.5
MOST_LINES: Final = 20
"""With more seeds than that the lines hide each other: the quartiles are drawn instead."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What one panel shows: this method's seeds, the other methods' medians behind them, and reference levels."""

    name: str
    """Unique in the document; prefixes the ids inside the SVG."""
    lines: Sequence[Line]
    band: Band
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

    with mpl.rc_context(PAGE.settings | {"font.size": _FONT_SIZE}):
        figure = Figure(figsize=_SIZE)
        FigureCanvasSVG(figure)
        # Fixed margins, so that panels beside each other line up; a layout engine would fit each to its own labels.
        figure.subplots_adjust(left=0.15, right=0.94, bottom=0.12, top=0.96)
        _fill(figure.subplots(), panel)
        return element_of(figure, panel.name, panel.description, "panel")


def _fill(axes: "Axes", panel: Panel) -> None:
    color = PAGE.colors[0]
    for points in panel.others:
        axes.plot(*_columns(points), color=PAGE.other, linewidth=0.7, zorder=1)
    if len(panel.lines) > MOST_LINES:
        fill_band(axes, panel.band, panel.limits, color)
    else:
        for line in panel.lines:
            axes.plot(*_columns(line.points), color=color, linewidth=0.7, alpha=0.55, zorder=3)
    for x, y in (line.points[-1] for line in panel.lines if line.ended):
        axes.plot(
            x, y, color=PAGE.alarm, marker="x", markersize=4.5, markeredgewidth=1.2, clip_on=False, zorder=5
        )  # fmt: skip
    axes.plot(*_columns(panel.band.points), color=color, linewidth=1.9, zorder=4, solid_capstyle="round")
    if panel.logarithmic:
        logarithmic_axis(axes, panel.limits)
    set_height(axes, panel.limits, logarithmic=panel.logarithmic)
    step_axis(axes, panel.steps, 3)
    open_frame(axes, PAGE)
    draw_levels(axes, PAGE, panel.levels)


def set_height(axes: "Axes", limits: tuple[float, float] | None, *, logarithmic: bool) -> None:
    """Let the vertical axis reach from the least to the greatest, and a little beyond where it is logarithmic."""
    if limits is not None:
        low, high = limits
        axes.set_ylim((low / 1.6, high * 1.6) if logarithmic else (low, high))


def fill_band(axes: "Axes", drawn: Band, limits: tuple[float, float] | None, color: str) -> None:
    """Fill between the quartiles; an upper one that is off the scale leaves through the top."""
    top = 1e3 * limits[1] if limits is not None else None
    places = [
        (x, low, high if high is not None else top)
        for x, low, high in zip(drawn.steps, drawn.low, drawn.high, strict=True)
        if low is not None and (high is not None or top is not None)
    ]
    if places:
        x, low, high = zip(*places, strict=True)
        axes.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0, zorder=2)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
