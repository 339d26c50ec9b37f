"""How matplotlib is set for every figure: the same bytes from the same numbers, and text that stays text."""

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
