"""A small SVG for each objective: value and gradient over logits, in colors for both light and dark pages."""

import io
import re
from typing import TYPE_CHECKING, Final

from bench.atlas import signals
from bench.common.mpl_style import settings
from losses import Objective

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE_VERSION: Final = 1
"""Raised when the drawing changes, so that older pictures count as outdated although their numbers are the same."""

_STAMP: Final = re.compile(r"curves ([0-9a-f]{16}), style (\d+)")
_INK: Final = "#7d8590"
_STYLES: Final = (
    {"color": "#3b8eea", "linestyle": "-", "linewidth": 2.6},
    {"color": "#d9822b", "linestyle": (0, (5, 2)), "linewidth": 1.6},
    {"color": "#1f9d61", "linestyle": (0, (1.5, 3.5)), "linewidth": 2.6},
)
BEND: Final = 10.0
"""Where an axis changes from linear to logarithmic, if the curves leave the linear range."""
_LINEAR: Final = 1000.0
_SETTINGS: Final = settings(ink=_INK, font_size=8) | {"path.simplify_threshold": 0.2}


def stamp(objective: Objective) -> str:
    """Return the text by which a picture identifies the numbers that it was drawn from."""
    return f"curves {signals.digest(objective)}, style {STYLE_VERSION}"


def stamp_in(svg: str) -> str | None:
    """Return the stamp of a drawn picture; None where it has none."""
    match = _STAMP.search(svg)
    return match.group() if match else None


def bent(objective: Objective) -> tuple[bool, bool]:
    """Return whether the axes of the value and of the gradient are symmetric-logarithmic."""
    curves = signals.curves(objective)
    return (
        max(abs(number) for curve in curves for number in curve.values) > _LINEAR,
        max(abs(number) for curve in curves for number in curve.gradients) > _LINEAR,
    )


def draw(objective: Objective) -> str:
    """Return the picture of a scalar objective, a stand-alone SVG with text as text."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    curves = signals.curves(objective)
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.6, 2.3))
        FigureCanvasSVG(figure)
        figure.subplots_adjust(left=0.07, right=0.99, bottom=0.14, top=0.82, wspace=0.16)
        left, right = figure.subplots(1, 2)
        for curve, style in zip(curves, _STYLES, strict=True):
            left.plot(signals.logits(), curve.values, label=curve.label, solid_capstyle="round", **style)
            right.plot(signals.logits(), curve.gradients, solid_capstyle="round", **style)
        for axes, what, logarithmic in zip((left, right), ("value", "gradient"), bent(objective), strict=True):
            _style(axes, what, logarithmic=logarithmic)
        figure.legend(loc="upper center", ncols=3, frameon=False, handlelength=2.6, bbox_to_anchor=(0.53, 1.02))
        text = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None, "Description": stamp(objective)}
        figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    return _small(text.getvalue())


def _style(axes: "Axes", what: str, *, logarithmic: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.margins(y=0.08)
    axes.set_xlim(-signals.LIMIT, signals.LIMIT)
    axes.set_xticks(range(-signals.LIMIT, signals.LIMIT + 1, 10))
    if logarithmic:
        axes.set_yscale("symlog", linthresh=BEND, linscale=3)
        _logarithmic_ticks(axes)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(f"{what} (logarithmic beyond ±{BEND:g})" if logarithmic else what, fontsize=8, loc="left", pad=3)
    axes.axhline(0, color=_INK, linewidth=0.5, zorder=0)
    axes.axvline(0, color=_INK, linewidth=0.5, zorder=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _logarithmic_ticks(axes: "Axes") -> None:
    """Mark the linear part at its ends, and a few powers of ten beyond it."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axes.get_ylim()
    reached = max(abs(low), abs(high))
    powers = [power for power in range(1, 40) if 10.0**power <= reached]
    kept = powers[:: max(1, -(-len(powers) // 3))]
    marks = [0.0, *(sign * 10.0**power for power in kept for sign in (-1, 1) if low <= sign * 10.0**power <= high)]
    axes.yaxis.set_major_locator(FixedLocator(sorted(marks)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))


def _power(value: float) -> str:
    if abs(value) < 1e4:
        return f"{value:g}".replace("-", "−")
    return f"{value:.0e}".replace("e+0", "e").replace("e+", "e").replace("-", "−")


def _small(svg: str) -> str:
    """Keep a tenth of a point in coordinates, one name of a font, and no blank at either end of a line."""
    head, body = svg.split("</metadata>", 1)
    body = re.sub(r"<[^>]+>", lambda tag: re.sub(r"(\d+\.\d)\d+", r"\1", tag.group()), body)
    body = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", body)
    return re.sub(r"[ \t]*\n[ \t]*", "\n", head + "</metadata>" + body)
