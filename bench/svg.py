"""How matplotlib is set for every figure: the same bytes from the same numbers, and text that stays text."""

from collections.abc import Sequence
from typing import Any


def settings(*, ink: str, font_size: float, edge: str | None = None) -> dict[Any, Any]:
    """Return matplotlib's settings for a figure in one ink, to be in force while it is drawn and saved.

    Args:
        ink: colour of words and ticks.
        font_size: in points.
        edge: colour of the frame; the ink when None.
    """
    inked = ("axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color", "text.color")
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "gan-loss-bench",
        "font.family": "sans-serif",
        "font.size": font_size,
        "axes.linewidth": 0.6,
        "axes.edgecolor": edge or ink,
        "path.simplify": True,
        **dict.fromkeys(inked, ink),
    }


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move numbers apart until neighbours differ by `gap` or more: groups that touch are centred on their mean."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[int]] = []
    centres: list[float] = []
    for index in order:
        groups.append([index])
        centres.append(heights[index])
        while len(groups) > 1 and centres[-1] - centres[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            upper = groups.pop()
            centres.pop()
            groups[-1] += upper
            centres[-1] = sum(heights[each] for each in groups[-1]) / len(groups[-1])
    places = [0.0] * len(heights)
    for group, centre in zip(groups, centres, strict=True):
        for rank, index in enumerate(group):
            places[index] = centre + gap * (rank - (len(group) - 1) / 2)
    return places
