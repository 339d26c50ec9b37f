"""The figures about a whole table: rank intervals, cost against quality, and all methods' curves in one frame.

Each is drawn once for the page and, in other colors, once for a paper.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.common.mpl_style import spread
from bench.config.protocol import REFERENCE_METHOD
from bench.report.column import label
from bench.report.curves import Band
from bench.report.figures import fill_band, set_height
from bench.report.style import COLORS, Look, draw_levels, logarithmic_axis, open_frame, step_axis
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.comparable_groups import MethodKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH: Final = 7.2
_LEADERS: Final = 3
_LETTER: Final = 0.08
"""Inches that a letter of a name takes beside a frame."""
_LETTERS: Final = 33
"""So many fit the four tenths of the width that names may take; longer ones are written smaller."""
_MOST_LETTERS: Final = 60
"""Of a name that is longer still the middle is left out, or nobody could read it."""
_LABEL_GAP: Final = 0.055
"""The least distance of two names beside a frame, as a share of its height."""
_WIDE: Final = 5.0
"""Speeds that differ by such a factor need few ticks."""
_MOST_NAMES: Final = 30
"""With more methods than that only the colored ones and the Pareto front are named in the cost figure."""


RANKS_CAPTION: Final = (
    "The dot is the method's rank by score and the line its 95 % interval, which holds for all methods at once: where "
    "two lines overlap, the order of the two is not settled. Full dots may be the best: a best method "
    "is not among them in one table of twenty at most."
)


@dataclass(frozen=True, kw_only=True)
class Curves:
    """All methods' medians of one quantity on one workload, over the steps."""

    title: str
    unit: str
    bands: Sequence[tuple[LeaderboardRow, Band]]
    limits: tuple[float, float] | None
    steps: int
    end: float
    """The last step that has values, of a run that lasts."""
    logarithmic: bool
    levels: Sequence[tuple[float | None, str]]


def colored(board: Leaderboard) -> list[LeaderboardRow]:
    """Return the methods that are told apart by color: all if they are few, else the first three and the reference."""
    if len(board.rows) <= COLORS:
        return list(board.rows)
    leaders = list(board.scored[:_LEADERS]) or list(board.rows[:_LEADERS])
    return leaders + [row for row in board.rows if row.method == REFERENCE_METHOD and row not in leaders]


def has_ranks(board: Leaderboard) -> bool:
    """Say whether any rank has an interval to draw."""
    return any(row.rank_low is not None for row in board.ranked)


def has_costs(board: Leaderboard) -> bool:
    """Say whether at least two methods have both a score and a throughput."""
    return len(_priced(board)) > 1


def costs(board: Leaderboard) -> dict[MethodKey, float]:
    """Return each method's speed by its key: over the reference's where that is known, else images a second."""
    if board.iterations is not None:
        return {row.method_key: 1 / row.iteration.cost for row in board.scored if row.iteration is not None}
    relative = {row.method_key: row.relative_throughput for row in board.scored}
    absolute = {row.method_key: row.images_per_second for row in board.scored}
    chosen = relative if board.reference is not None and _known(relative) else absolute
    return {key: value for key, value in chosen.items() if value}


def cost_text(board: Leaderboard) -> str:
    """Say what `costs` are."""
    if board.iterations is not None:
        return f"iterations a second, over those of {REFERENCE_METHOD}"
    relative = board.reference is not None and _known({row.method_key: row.relative_throughput for row in board.scored})
    return f"images a second, over those of {board.reference}" if relative else "images a second"


def cost_caption(board: Leaderboard) -> str:
    """Say how to read the figure of costs."""
    return (
        f"The score with its 95 % interval against speed: {cost_text(board)}. Up and to the right is better. Full "
        "dots are the Pareto front: no other method is both as fast and as good, and better in one of them."
    )


def _known(values: dict[MethodKey, float | None]) -> bool:
    return sum(value is not None for value in values.values()) > 1


def pareto_front(board: Leaderboard) -> list[LeaderboardRow]:
    """Return the methods that no other beats in speed or score without losing in the other; the slowest first."""
    priced = _priced(board)
    front = [
        (speed, row.method, row)
        for row, speed, score in priced
        if not any(
            other_speed >= speed and other_score >= score and (other_speed, other_score) != (speed, score)
            for _, other_speed, other_score in priced
        )
    ]
    return [row for _, _, row in sorted(front, key=lambda item: item[:2])]


def _priced(board: Leaderboard) -> list[tuple[LeaderboardRow, float, float]]:
    speeds = costs(board)
    return [
        (row, speeds[row.method_key], row.score)
        for row in board.scored
        if row.score is not None and row.method_key in speeds
    ]


@contextmanager
def drawing(look: Look, size: tuple[float, float]) -> "Iterator[tuple[Figure, Axes]]":
    """Give a figure and its axes, with the look's settings in force while it is drawn and saved."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(look.settings):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        yield figure, figure.subplots()


def ranks_size(board: Leaderboard) -> tuple[float, float]:
    """Return the size of the rank figure in inches: one line per method."""
    return _WIDTH, 0.7 + 0.2 * len(board.ranked)


def draw_ranks(figure: "Figure", axes: "Axes", board: Leaderboard, look: Look) -> None:
    """Draw the interval of each method's rank; a full dot may be the best."""
    from matplotlib.ticker import MaxNLocator

    rows = board.ranked
    colors = _colors(board, look)
    for position, row in enumerate(rows):
        color = colors.get(row.method_key, look.ink)
        if row.rank_low is not None and row.rank_high is not None:
            axes.plot(
                [row.rank_low, row.rank_high], [position, position], color=color, linewidth=2, alpha=0.55, zorder=2
            )
        face = color if row.among_best else look.paper
        assert row.rank is not None
        axes.plot(row.rank, position, marker="o", markersize=5.5, markerfacecolor=face, markeredgecolor=color, zorder=3)
    names, sizes, room = beside([label(row) for row in rows], look)
    axes.set_yticks(range(len(rows)), names)
    for text, row, size in zip(axes.get_yticklabels(), rows, sizes, strict=True):
        text.set_fontsize(size)
        if row.method_key in colors:
            text.set_color(colors[row.method_key])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0.5, len(rows) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    axes.set_xlabel("rank, with its 95 % interval")
    open_frame(axes, look, grid="x")
    fit(figure, left=0.1 + room, right=0.15)


def draw_costs(figure: "Figure", axes: "Axes", board: Leaderboard, look: Look) -> None:
    """Draw the score with its interval against throughput; the Pareto front is joined by a dashed line."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    colors, front = _colors(board, look), pareto_front(board)
    priced, speeds = _priced(board), costs(board)
    middle = math.sqrt(max(speeds.values()) * min(speeds.values()))
    axes.set_xscale("log")
    for row, speed, score in priced:
        color = colors.get(row.method_key, look.other)
        if row.score_low is not None and row.score_high is not None:
            axes.plot([speed, speed], [row.score_low, row.score_high], color=color, linewidth=1.2, alpha=0.6, zorder=2)
        face = color if row in front else look.paper
        axes.plot(speed, score, marker="o", markersize=5.5, markerfacecolor=face, markeredgecolor=color, zorder=3)
        if row.method_key in colors or row in front or len(priced) <= _MOST_NAMES:
            (name,), (size,), _ = beside([label(row)], look)
            # Towards the middle, where there is room for it.
            side = -1 if speed > middle else 1
            axes.annotate(
                name, (speed, score), xytext=(5 * side, 3), textcoords="offset points",
                ha="right" if side < 0 else "left", fontsize=size * (1 - 1.5 / look.font_size),
                color=colors.get(row.method_key, look.ink), zorder=4,
            )  # fmt: skip
    axes.plot(
        [speeds[row.method_key] for row in front], [row.score or 0.0 for row in front], color=look.ink, linewidth=0.8,
        linestyle=(0, (4, 2)), zorder=1,
    )  # fmt: skip
    reach = max(speeds.values()) / min(speeds.values())
    axes.xaxis.set_major_locator(LogLocator(10, subs=range(1, 10) if reach < _WIDE else (1, 2, 5), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}"))
    axes.set_xlabel(f"{cost_text(board)} (logarithmic)")
    axes.set_title("score, with its 95 % interval", fontsize=look.font_size, loc="left")
    axes.margins(x=0.12)
    open_frame(axes, look)
    fit(figure, left=0.45, right=0.35, top=0.3)


COST_SIZE: Final = (_WIDTH, 3.9)
CURVES_SIZE: Final = (_WIDTH, 3.6)


def draw_curves(figure: "Figure", axes: "Axes", board: Leaderboard, curves: Curves, look: Look) -> None:
    """Draw every method's median, the colored ones with their quartiles and their names, the others in gray."""
    from matplotlib.collections import LineCollection

    colors = _colors(board, look)
    gray = [drawn.points for row, drawn in curves.bands if row.method_key not in colors]
    axes.add_collection(
        LineCollection([points for points in gray if points], colors=look.other, linewidths=0.7, zorder=1)
    )
    ends: list[tuple[str, str, tuple[float, float]]] = []
    for row, drawn in curves.bands:
        if row.method_key in colors and drawn.points:
            fill_band(axes, drawn, curves.limits, colors[row.method_key])
            axes.plot(*zip(*drawn.points, strict=True), color=colors[row.method_key], linewidth=1.7, zorder=3)
            ends.append((label(row), colors[row.method_key], drawn.points[-1]))
    if curves.logarithmic:
        logarithmic_axis(axes, curves.limits)
    set_height(axes, curves.limits, logarithmic=curves.logarithmic)
    step_axis(axes, curves.steps, 6)
    open_frame(axes, look)
    draw_levels(axes, look, curves.levels)
    axes.set_xlabel("generator updates")
    axes.set_title(curves.unit, fontsize=look.font_size, loc="left")
    fit(figure, left=0.5, right=0.2 + beside([name for name, _, _ in ends], look)[2], top=0.3)
    _name_ends(axes, ends, look)


def _name_ends(axes: "Axes", ends: Sequence[tuple[str, str, tuple[float, float]]], look: Look) -> None:
    """Write each colored line's name beside the frame at its end's height, moved apart where they would overlap."""
    to_share = axes.transData + axes.transAxes.inverted()
    heights = [float(to_share.transform(point)[1]) for _, _, point in ends]
    names, sizes, _ = beside([name for name, _, _ in ends], look)
    for (_, color, point), name, size, height in zip(ends, names, sizes, spread(heights, _LABEL_GAP), strict=True):
        axes.annotate(
            name, point, xytext=(1.03, height), textcoords="axes fraction", color=color, va="center",
            fontsize=size, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 0},
        )  # fmt: skip


def beside(names: Sequence[str], look: Look) -> tuple[list[str], list[float], float]:
    """Return names as they stand beside a frame, their sizes in points, and the inches that they take."""
    half = _MOST_LETTERS // 2
    short = [name if len(name) <= _MOST_LETTERS else f"{name[: half - 1]}…{name[-half:]}" for name in names]
    sizes = [look.font_size * min(1.0, _LETTERS / max(len(name), 1)) for name in short]
    return short, sizes, _LETTER * min(max(map(len, short), default=0), _LETTERS)


def fit(figure: "Figure", *, left: float, right: float, bottom: float = 0.5, top: float = 0.1) -> None:
    """Set the margins in inches; names may take at most four tenths of the width."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=min(left / width, 0.4), right=1 - min(right / width, 0.4), bottom=bottom / height, top=1 - top / height
    )


def _colors(board: Leaderboard, look: Look) -> dict[MethodKey, str]:
    """Return the color of each colored row by its key."""
    return {row.method_key: color for row, color in zip(colored(board), look.colors, strict=False)}
