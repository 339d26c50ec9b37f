"""The figures for a paper: one file each, black on white, the same bytes from the same records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.config.workload import Workload
from bench.report import overview
from bench.report.html import board_sections
from bench.report.overview import Curves
from bench.report.section_values import Quantity
from bench.report.sections import BoardSections
from bench.report.slugs import free_name, slug
from bench.report.style import PAPER, Look, svg_of
from bench.statistics.board import Leaderboard
from bench.store.journal import latest_attempts
from bench.store.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_PER_INCH: Final = 300
_MEDIANS: Final = "Lines: medians over seeds; bands: their quartiles; gray: the other methods."


@dataclass(frozen=True)
class PaperFigure:
    """One figure, drawn when it is saved."""

    name: str
    """Of its file, without the ending."""
    caption: str
    size: tuple[float, float]
    """Width and height in inches."""
    draw: "Callable[[Figure, Axes], None]"

    def save(self, path: Path, style: str) -> None:
        """Write it as "png" of 300 dots an inch, or as "svg", whose words stay text."""
        with overview.drawing(PAPER, self.size) as (figure, axes):
            self.draw(figure, axes)
            if style == "svg":
                path.write_text(svg_of(figure), encoding="utf-8")
            else:
                figure.savefig(path, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None}, facecolor="white")


def figures(
    records: Iterable[Record], boards: Sequence[Leaderboard], workloads: Mapping[str, Workload]
) -> Iterator[PaperFigure]:
    """Yield the figures of every table: rank intervals, cost against quality, and every curve on every workload.

    No two have one name: one file would replace the other, and both captions would stand below one picture.
    """
    taken: set[str] = set()
    for figure in _figures(board_sections(latest_attempts(records), boards, workloads), boards):
        name = free_name(figure.name, taken)
        taken.add(name)
        yield replace(figure, name=name)


def _figures(sections: Iterable[BoardSections], boards: Sequence[Leaderboard]) -> Iterator[PaperFigure]:
    for section in sections:
        board = section.board
        suffix = _suffix(board, boards)
        about = f"{board.key.title}; digest {board.digest}."
        if overview.has_ranks(board):
            size = overview.ranks_size(board)
            yield PaperFigure(
                f"ranks{suffix}", f"{overview.RANKS_CAPTION} {about}", size, _of(overview.draw_ranks, board)
            )
        if overview.has_costs(board):
            caption = f"{overview.cost_caption(board)} {about}"
            yield PaperFigure(f"cost{suffix}", caption, overview.COST_SIZE, _of(overview.draw_costs, board))
        for quantity in section.quantities:
            name = f"{quantity.name.replace('_', '-')}-{slug(quantity.workload)}{suffix}"
            yield PaperFigure(
                name,
                f"{quantity.title}. {_reading(quantity)} {about}",
                overview.CURVES_SIZE,
                _curves(board, quantity.curves),
            )


def _reading(quantity: Quantity) -> str:
    """Say what the lines and the bands are; scores have means, and of few seeds no intervals."""
    if quantity.name != "score":
        return _MEDIANS
    banded = any(end is not None for _, drawn in quantity.curves.bands for end in drawn.low)
    return f"Lines: means over seeds; {'bands: their 95 % intervals; ' if banded else ''}gray: the other methods."


def _suffix(board: Leaderboard, boards: Sequence[Leaderboard]) -> str:
    """Return what tells the table from the others in the name of a file: nothing, if it is the only one."""
    keys = [asdict(other.key) for other in boards]
    own = asdict(board.key)
    telling = [str(own[field]) for field in own if any(key[field] != own[field] for key in keys)]
    return f"-{slug('-'.join(telling))}" if telling else ""


def _of(
    draw: "Callable[[Figure, Axes, Leaderboard, Look], None]", board: Leaderboard
) -> "Callable[[Figure, Axes], None]":
    return lambda figure, axes: draw(figure, axes, board, PAPER)


def _curves(board: Leaderboard, curves: Curves) -> "Callable[[Figure, Axes], None]":
    return lambda figure, axes: overview.draw_curves(figure, axes, board, curves, PAPER)


def captions(written: Iterable[PaperFigure], styles: Sequence[str]) -> str:
    """Return the captions of the figures of a folder, as Markdown; each has a file in all of the styles."""
    parts = [
        f"## {', '.join(f'{figure.name}.{style}' for style in styles)}\n\n"
        f"![{figure.name}]({figure.name}.{styles[0]})\n\n{figure.caption}\n"
        for figure in written
    ]
    return "\n".join(["# Figures\n", *parts])
