"""Tables that are written into a page by code, between a mark before and a mark after."""

import math
from pathlib import Path
from typing import Final

from bench.report.formatting import MISSING, p_value

END: Final = "<!-- End of the table. -->"


def inside(text: str, begin: str) -> str:
    """Return what stands between a mark and the next end."""
    return text.partition(begin)[2].partition(END)[0].strip()


def write(path: Path, begin: str, table: str) -> None:
    """Put a table between a mark of a page and the next end.

    Raises:
        ValueError: for a page without the mark.
    """
    before, mark, rest = path.read_text(encoding="utf-8").partition(begin)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{path} has no table between {begin} and {END}")
    path.write_text(f"{before}{begin}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def line(*cells: object) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def two_digits(value: float) -> str:
    """Return a number from -1 to 1, such as a correlation, as tables have it; a dash where it is not known."""
    if math.isnan(value):
        return MISSING
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def chance_of(p: float) -> str:
    """Return a p-value as tables have it; a dash where nothing was tested."""
    return MISSING if math.isnan(p) else p_value(p)
