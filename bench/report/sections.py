"""What stands on the page, as plain values: the template lays them out and computes nothing."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.workload import Workload
from bench.report import wording
from bench.report.curves import MONITORS, Line, Monitor, distance_lines, limits, median_line, monitor_lines
from bench.report.figures import Panel, draw
from bench.report.leaderboard import VARIANT_MARK
from bench.statistics.ranking import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.store.record import INFRASTRUCTURE_STATUSES, Record

SampleFile = Callable[[str], Path]
"""Where the sample grid of a trial lies, if it has one."""


@dataclass(frozen=True)
class Cell:
    """One seed of one method on one workload in the status strip."""

    mark: str
    kind: str
    """ok, failed, lost or missing: decides the colour; the mark says the same without colour."""
    words: str


@dataclass(frozen=True)
class StripRow:
    method: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Strip:
    workload: str
    seeds: Sequence[int]
    rows: Sequence[StripRow]


@dataclass(frozen=True)
class Figure:
    """Panels beside each other under one heading, with the words that say how to read them."""

    title: str
    caption: str
    panels: Sequence[tuple[str, str]]
    """The method and its SVG."""


@dataclass(frozen=True)
class Grid:
    seed: int
    words: str
    image: str
    """The PNG in base64."""


@dataclass(frozen=True)
class Samples:
    """The sample grids of one method on one workload; the first is shown, the others unfold."""

    method: str
    grids: Sequence[Grid]


@dataclass(frozen=True)
class _Axis:
    """The vertical axis that the panels of one figure share."""

    limits: tuple[float, float] | None
    logarithmic: bool
    levels: Sequence[tuple[float | None, str]] = ()


_MARKS = {"ok": "●", "nonfinite": "N", "diverged": "D", "not_learned": "L", "timeout": "T", "error": "E"}


def label(row: LeaderboardRow) -> str:
    return f"{row.method} {VARIANT_MARK}" if row.variant else row.method


class BoardSections:
    """The sections of one table: everything about the same comparable records."""

    def __init__(
        self,
        board: Leaderboard,
        records: Sequence[Record],
        workloads: Mapping[str, Workload],
        sample_file: SampleFile,
        prefix: str,
    ) -> None:
        self.board = board
        self._workloads = workloads
        self._sample_file = sample_file
        self._prefix = prefix
        self._figures = 0
        self._records: dict[tuple[str, bool, str], list[Record]] = {}
        for record in sorted(records, key=lambda record: record.spec.seed):
            key = record.spec.method, record.spec.allow_invalid, record.spec.workload
            self._records.setdefault(key, []).append(record)

    def _of(self, row: LeaderboardRow, workload: str) -> list[Record]:
        return self._records.get((row.expression, row.variant, workload), [])

    def strips(self) -> list[Strip]:
        """Every seed of every method, with gaps where one has not been run."""
        strips = []
        for column in self.board.workloads:
            found = {record.spec.seed for row in self.board.rows for record in self._of(row, column.name)}
            seeds = sorted(found)
            rows = [StripRow(label(row), self._strip_cells(row, column.name, seeds)) for row in self.board.rows]
            strips.append(Strip(column.name, seeds, rows))
        return strips

    def _strip_cells(self, row: LeaderboardRow, workload: str, seeds: Sequence[int]) -> list[Cell]:
        by_seed = {record.spec.seed: record for record in self._of(row, workload)}
        return [_cell(by_seed.get(seed), seed) for seed in seeds]

    def distance_figures(self) -> list[Figure]:
        """The distance against the step, a figure a workload."""
        return [self._distance_figure(column) for column in self.board.workloads]

    def _distance_figure(self, column: WorkloadColumn) -> Figure:
        workload = self._workloads[column.name]
        lines = [distance_lines(self._of(row, column.name), workload) for row in self.board.rows]
        caption = (
            f"{column.measure} at every evaluation, on a logarithmic scale; lower is better. A thin line is one seed, "
            "the bold line their median, grey lines are the other methods' medians. The dashed lines are real data "
            f"({wording.distance(column.floor)}, the best that can be reached) and the untrained generator "
            f"({wording.distance(column.untrained)}). A cross ends a run that failed."
        )
        levels = ((column.floor, "real data"), (column.untrained, "untrained"))
        axis = _Axis(limits(lines, (column.floor, column.untrained)), logarithmic=True, levels=levels)
        return self._figure(f"Distance to the data: {column.name}", caption, column.name, lines, axis)

    def monitor_figures(self) -> list[Figure]:
        """The training monitors, a figure a monitor and workload."""
        return [self._monitor_figure(monitor, column.name) for column in self.board.workloads for monitor in MONITORS]

    def _monitor_figure(self, monitor: Monitor, workload: str) -> Figure:
        lines = [monitor_lines(self._of(row, workload), monitor) for row in self.board.rows]
        if monitor.logarithmic:
            axis = _Axis(limits(lines), logarithmic=True)
        else:
            axis = _Axis((0.0, 1.03), logarithmic=False, levels=((0.5, "cannot tell"),))
        return self._figure(f"{monitor.title}: {workload}", monitor.reading, workload, lines, axis)

    def _figure(
        self, title: str, caption: str, workload: str, lines: Sequence[Sequence[Line]], axis: "_Axis"
    ) -> Figure:
        medians = [median_line(drawn) for drawn in lines]
        steps = max(record.spec.steps for row in self.board.rows for record in self._of(row, workload))
        self._figures += 1
        panels = []
        for number, (row, drawn) in enumerate(zip(self.board.rows, lines, strict=True)):
            if not drawn:
                continue
            panel = Panel(
                name=f"{self._prefix}-{self._figures}-{number}",
                lines=drawn,
                others=[points for other, points in enumerate(medians) if other != number and points],
                limits=axis.limits,
                steps=steps,
                logarithmic=axis.logarithmic,
                levels=axis.levels,
                description=f"{title}, {row.method}: from {drawn[0].points[0][1]:.3g} to {drawn[0].points[-1][1]:.3g}",
            )
            panels.append((label(row), draw(panel)))
        return Figure(title, caption, panels)

    def samples(self) -> list[tuple[str, list[Samples]]]:
        """The sample grids by workload, in the order of the table; methods without any are left out."""
        sections = []
        for column in self.board.workloads:
            drawn = [Samples(label(row), self._grids(row, column.name)) for row in self.board.rows]
            sections.append((column.name, [samples for samples in drawn if samples.grids]))
        return [(workload, drawn) for workload, drawn in sections if drawn]

    def _grids(self, row: LeaderboardRow, workload: str) -> list[Grid]:
        grids = []
        for record in self._of(row, workload):
            path = self._sample_file(record.trial_id)
            if path.is_file():
                image = base64.b64encode(path.read_bytes()).decode()
                grids.append(Grid(record.spec.seed, _result_words(record), image))
        return grids


def _cell(record: Record | None, seed: int) -> Cell:
    if record is None:
        return Cell("", "missing", f"seed {seed}: not run")
    kind = "ok" if record.status == "ok" else "failed"
    if record.status in INFRASTRUCTURE_STATUSES:
        kind = "lost"
    return Cell(_MARKS[record.status], kind, f"seed {seed}: {_result_words(record)}, trial {record.trial_id}")


def _result_words(record: Record) -> str:
    measured = record.metrics.get("distance")
    distance = "" if measured is None else f"distance {wording.distance(measured)}"
    status = "" if record.status == "ok" else wording.STATUS_WORDS[record.status]
    return ", ".join(part for part in (distance, status) if part) or wording.STATUS_WORDS[record.status]
