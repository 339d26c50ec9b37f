"""What the page shows of one table, as plain values; `sections` makes them and the template lays them out."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.curves import Line
from bench.report.grids import Grid
from bench.report.overview import Curves
from bench.report.slugs import slug
from bench.statistics.board import LeaderboardRow


@dataclass(frozen=True)
class Cell:
    """One seed of one method on one workload in the status strip."""

    mark: str
    kind: str
    """ok, failed, lost or missing: decides the color; the mark says the same without color."""
    description: str


@dataclass(frozen=True)
class StripRow:
    row: LeaderboardRow
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Strip:
    workload: str
    seeds: Sequence[int]
    rows: Sequence[StripRow]


@dataclass(frozen=True)
class Chart:
    """A figure about all methods: an SVG, which a page with scripts replaces by an interactive figure of that id."""

    id: str
    title: str
    caption: str
    svg: str
    workload: str = ""

    @property
    def file(self) -> str:
        """What the figure is called in a file of its own: no two of a page alike, whatever their titles begin with."""
        subject = slug(self.title.partition(":")[0])[:40].strip("-")
        if not self.workload:
            return f"{self.id.partition('-')[0]}-{subject}"
        return f"{self.id}-{subject}-{slug(self.workload)[:60].strip('-')}"


@dataclass(frozen=True)
class CurveChart:
    """All methods in one frame, and where there is room each in a panel of its own."""

    chart: Chart
    panels: Sequence[tuple[LeaderboardRow, str]]


@dataclass(frozen=True)
class Samples:
    """The sample grids of one method on one workload, in the order of seeds."""

    row: LeaderboardRow
    grids: Sequence[Grid]


@dataclass(frozen=True)
class Quantity:
    """One quantity over the steps on one workload: what is drawn, and how to read it."""

    name: str
    workload: str
    title: str
    caption: str
    lines: Sequence[Sequence[Line]]
    """By row, then by seed."""
    curves: Curves
