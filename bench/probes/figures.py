"""The figures of the probes, in colors that color-blind readers can tell apart, with labels at the lines."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.common.mpl_style import settings, spread
from bench.probes.dirac import Trajectory
from bench.probes.gradients import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK: Final = "#4a525c"
_GRID: Final = "#d9dde2"
_COLORS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's palette without its yellow, which is too faint for a line."""
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1, 2)))
"""After the last color, lines of the same color have another dash."""
_MARKERS: Final[tuple[Any, ...]] = ("o", "s", "^", "D")
SETTINGS: Final = settings(ink=_INK, font_size=9)
"""To be in force while a figure is drawn and saved: `with matplotlib.rc_context(SETTINGS)`."""

_LABEL_GAP: Final = 0.042
"""The least distance of two labels, as a share of the axes' height."""
_COLUMNS: Final = 5
_LEGEND_COLUMNS: Final = 3
_TITLE_WIDTH: Final = 26
_NARROWEST, _WIDEST = 1.6, 4.0
"""The smallest and the largest half-width of a panel. A trajectory that goes further leaves it for good."""


def draw_gradients(curves: Sequence[Curve]) -> "Figure":
    """Draw the generator's gradient norm over the discriminator's updates, both logarithmic, a line for each method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 0.6 + max(4.2, 0.22 * len(curves))), layout="constrained")
    axes = figure.subplots()
    last = curves[0].points[-1].updates
    ends = []
    for index, curve in enumerate(curves):
        shown = [
            (point.updates, point.generator_gradient_norm)
            for point in curve.points
            if math.isfinite(point.generator_gradient_norm) and point.generator_gradient_norm > 0
        ]
        if not shown:
            continue
        color, dash = _style(index)
        axes.plot(*zip(*shown, strict=True), color=color, linestyle=dash, linewidth=1.7)
        ends.append((shown[-1], curve.method, color))
    # Linear from 0 to 1, so that the untrained discriminator has a place.
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    axes.set_yscale("log")
    axes.set_xlim(0, last)
    ticks = [0, *(10**power for power in range(math.floor(math.log10(last)) + 1))]
    axes.set_xticks(ticks if last in ticks else [*ticks, last], minor=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.minorticks_off()
    axes.set_xlabel("updates of the discriminator, the generator frozen")
    axes.set_title("norm of the generator's gradient", fontsize=9, loc="left")
    _open_frame(axes)
    _label_ends(axes, ends)
    return figure


def _style(index: int) -> tuple[str, Any]:
    return _COLORS[index % len(_COLORS)], _DASHES[index // len(_COLORS) % len(_DASHES)]


def _open_frame(axes: "Axes") -> None:
    axes.grid(color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _label_ends(axes: "Axes", ends: Sequence[tuple[tuple[float, float], str, str]]) -> None:
    """Write each line's name to the right of its end. Names that would overlap are moved apart."""
    low, high = (math.log10(limit) for limit in axes.get_ylim())
    heights = [(math.log10(point[1]) - low) / (high - low) for point, _, _ in ends]
    for (point, name, color), height in zip(ends, spread(heights, _LABEL_GAP), strict=True):
        axes.annotate(
            name, point, xytext=(1.06, height), textcoords="axes fraction", color=color, va="center", fontsize=8.5,
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 0},
        )  # fmt: skip


def draw_dirac(trajectories: Sequence[Trajectory]) -> "Figure":
    """Draw the path of (theta, psi) to or around the equilibrium: a panel for each method, a line for each schedule."""
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(trajectory.method for trajectory in trajectories))
    columns = min(_COLUMNS, len(methods))
    rows = math.ceil(len(methods) / columns)
    figure = Figure(figsize=(max(5.6, 2.4 * columns), 0.6 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels[len(methods) :]:
        axes.set_visible(False)
    for axes, method in zip(panels, methods, strict=False):
        _fill(axes, [trajectory for trajectory in trajectories if trajectory.method == method])
        axes.set_title(textwrap.fill(method, _TITLE_WIDTH), fontsize=9)
    for axes in panels[max(0, len(methods) - columns) : len(methods)]:
        axes.set_xlabel("θ, the generator")
    for axes in panels[: len(methods) : columns]:
        axes.set_ylabel("ψ, the discriminator")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=_LEGEND_COLUMNS, frameon=False)
    return figure


def _fill(axes: "Axes", trajectories: Sequence[Trajectory]) -> None:
    reached = max(abs(value) for trajectory in trajectories for position in trajectory.positions for value in position)
    limit = min(_WIDEST, max(_NARROWEST, 1.1 * reached))
    for index, trajectory in enumerate(trajectories):
        shown = _until_far(trajectory.positions)
        axes.plot(
            *zip(*shown, strict=True), color=_COLORS[index], linestyle=_DASHES[index], linewidth=1.1,
            marker=_MARKERS[index], markevery=[-1], markersize=5, markerfacecolor="none",
            label=trajectory.schedule.label,
        )  # fmt: skip
    axes.plot(1, 1, marker="x", color=_INK, markersize=5)
    axes.plot(0, 0, marker="+", color=_INK, markersize=9)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.tick_params(labelsize=7)
    _open_frame(axes)


def _until_far(positions: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return the positions up to the first one far outside the widest frame: later lines would cross it at random."""
    far = (step for step, position in enumerate(positions) if max(map(abs, position)) > 2 * _WIDEST)
    return positions[: next(far, len(positions)) + 1]
