"""How matplotlib is set for every figure: the same bytes from the same numbers, and text that stays text."""

from collections.abc import Sequence
from typing import Any


def settings(*, ink: str, font_size: float, edge: str | None = None) -> dict[Any, Any]:
    """Return matplotlib's settings for a figure in one ink, to be in force while it is drawn and saved.

    Args:
        ink: color of words and ticks.
        font_size: in points.
        edge: color of the frame; the ink when None.
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
    """Move numbers apart until neighbors differ by `gap` or more: groups that touch are centered on their mean."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    groups: list[list[int]] = []
    centers: list[float] = []
    for index in order:
        groups.append([index])
        centers.append(heights[index])
        while len(groups) > 1 and centers[-1] - centers[-2] < gap * (len(groups[-1]) + len(groups[-2])) / 2:
            upper = groups.pop()
            centers.pop()
            groups[-1] += upper
            centers[-1] = sum(heights[member] for member in groups[-1]) / len(groups[-1])
    places = [0.0] * len(heights)
    for group, center in zip(groups, centers, strict=True):
        for rank, index in enumerate(group):
            places[index] = center + gap * (rank - (len(group) - 1) / 2)
    return places
