"""What the page shows of one table, as plain values: the template lays them out and computes nothing."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

from bench.config.workload import Workload
from bench.report import formatting, overview
from bench.report.budgets import budget_caption, score_band, score_lines
from bench.report.column import label
from bench.report.curves import MONITORS, Band, Line, Monitor, at_step, band, distance_lines, limits, monitor_lines
from bench.report.figures import MOST_LINES, Panel, draw
from bench.report.grids import Gallery, Grid, result_text
from bench.report.overview import Curves
from bench.report.section_values import Cell, Chart, CurveChart, Quantity, Samples, Strip, StripRow
from bench.report.style import PAGE, element_of
from bench.report.titles import costs_title, curves_title, ranks_title, score_title
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.statistics.budgets import ScoreByBudget, scores_by_budget
from bench.statistics.scores import is_result
from bench.store.record import Record

MOST_PANELS: Final = 60
"""A panel takes a twentieth of a second and 15 KB; a page of more than that is too slow to make and to read."""

QUANTITIES: Final = ("distance", "score", *(monitor.name for monitor in MONITORS))
"""What has curves, the most important first."""


_MARKS = {"ok": "●", "nonfinite": "N", "diverged": "D", "not_learned": "L", "timeout": "T", "error": "E"}
_HOW_TO_READ: Final = (
    "The line is the median over seeds and the band its quartiles; a gray line is another method's median."
)


class BoardSections:
    """The sections of one table: everything about the same comparable records.

    Attributes:
        board: the table.
        id: of the table in the document.
        title: what the table is called beside the others of the page.
        workloads: by name, all that the records ran on.
        gallery: the sample grids that the page has.
    """

    def __init__(
        self,
        board: Leaderboard,
        records: Sequence[Record],
        workloads: Mapping[str, Workload],
        gallery: Gallery,
        name: str,
        title: str,
        panels: int = len(QUANTITIES),
    ) -> None:
        """Gather what the sections need; `panels` is how many quantities have a panel for each method."""
        self.board = board
        self.id = name
        self.title = title
        self.workloads = workloads
        self.gallery = gallery
        self._with_panels = QUANTITIES[:panels]
        self._records: dict[tuple[str, bool, str], list[Record]] = {}
        for record in sorted(records, key=lambda record: record.spec.seed):
            key = record.spec.method, record.spec.allow_invalid, record.spec.workload
            self._records.setdefault(key, []).append(record)

    def of(self, row: LeaderboardRow, workload: str) -> list[Record]:
        """Return a method's records on a workload, in the order of seeds."""
        return self._records.get((row.expression, row.variant, workload), [])

    def results_of(self, row: LeaderboardRow, workload: str) -> list[Record]:
        """Return those that say something about the loss; the others were lost to a timeout or an error."""
        return [record for record in self.of(row, workload) if is_result(record)]

    def strips(self) -> list[Strip]:
        """Every seed of every method, with gaps where one has not been run."""
        strips = []
        for column in self.board.workloads:
            distinct = {record.spec.seed for row in self.board.rows for record in self.of(row, column.name)}
            seeds = sorted(distinct)
            rows = [StripRow(row, self._strip_cells(row, column.name, seeds)) for row in self.board.rows]
            strips.append(Strip(column.name, seeds, rows))
        return strips

    def _strip_cells(self, row: LeaderboardRow, workload: str, seeds: Sequence[int]) -> list[Cell]:
        by_seed = {record.spec.seed: record for record in self.of(row, workload)}
        return [_cell(by_seed.get(seed), seed) for seed in seeds]

    def overviews(self) -> list[Chart]:
        """The rank intervals, and the cost against quality, where there are any."""
        return [chart for chart in (self._ranks(), self._costs()) if chart is not None]

    def _ranks(self) -> Chart | None:
        board = self.board
        if not overview.has_ranks(board):
            return None
        with overview.drawing(PAGE, overview.ranks_size(board)) as (figure, axes):
            overview.draw_ranks(figure, axes, board, PAGE)
            described = "; ".join(
                f"{label(row)} {formatting.ranks(row.rank_low, row.rank_high)}" for row in board.ranked
            )
            svg = element_of(figure, f"{self.id}-ranks", f"Rank intervals: {described}", "wide")
        return Chart(f"{self.id}-ranks", ranks_title(board), overview.RANKS_CAPTION, svg)

    def _costs(self) -> Chart | None:
        board = self.board
        if not overview.has_costs(board):
            return None
        with overview.drawing(PAGE, overview.COST_SIZE) as (figure, axes):
            overview.draw_costs(figure, axes, board, PAGE)
            front = ", ".join(label(row) for row in overview.pareto_front(board))
            svg = element_of(figure, f"{self.id}-cost", f"Score against speed; on the Pareto front: {front}", "wide")
        return Chart(f"{self.id}-cost", costs_title(board), overview.cost_caption(board), svg)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Everything that has a median to draw: the distance on each workload, then the monitors."""
        distances = [self._distance(column) for column in self.board.workloads]
        records = [record for own in self._records.values() for record in own]
        scores = [self._score(by_budget) for by_budget in scores_by_budget(self.board, records, self.workloads)]
        monitors = [self._monitor(monitor, column.name) for column in self.board.workloads for monitor in MONITORS]
        made = (*distances, *scores, *monitors)
        return [quantity for quantity in made if any(drawn.points for _, drawn in quantity.curves.bands)]

    def _distance(self, column: WorkloadColumn) -> Quantity:
        workload = self.workloads[column.name]
        lines = [distance_lines(self.results_of(row, column.name), workload) for row in self.board.rows]
        caption = (
            f"{column.measure} at every evaluation, on a logarithmic scale; lower is better. {_HOW_TO_READ} After a "
            "failure the distance of a run counts as infinite. The dashed lines are real data "
            f"({formatting.distance(column.floor)}, the best that can be reached) and the untrained generator "
            f"({formatting.distance(column.untrained)})."
        )
        levels = ((column.floor, "real data"), (column.untrained, "untrained"))
        bands = self._bands(lines, missing_is_worst=True)
        steps = self._steps(column.name)
        curves = Curves(
            title=curves_title("Distance to the data", column.name, bands, steps),
            unit=column.measure,
            bands=bands,
            limits=limits(lines, (column.floor, column.untrained)),
            steps=steps,
            end=steps,
            logarithmic=True,
            levels=levels,
        )
        return Quantity("distance", column.name, curves.title, caption, lines, curves)

    def _score(self, by_budget: ScoreByBudget) -> Quantity:
        drawn = {
            row.method_key: (score_lines(by_budget, index), score_band(by_budget, index))
            for index, row in enumerate(by_budget.rows)
        }
        nothing: tuple[list[Line], Band] = [], Band([], [], [], [])
        chosen = [drawn.get(row.method_key, nothing) for row in self.board.rows]
        curves = Curves(
            title=score_title(by_budget),
            unit="score, 1 is real data",
            bands=[(row, band) for row, (_, band) in zip(self.board.rows, chosen, strict=True)],
            limits=(0.0, 1.03),
            steps=self._steps(by_budget.workload),
            end=by_budget.steps[-1],
            logarithmic=False,
            levels=((1.0, "real data"),),
        )
        return Quantity(
            "score", by_budget.workload, curves.title, budget_caption(by_budget), [lines for lines, _ in chosen], curves
        )

    def _monitor(self, monitor: Monitor, workload: str) -> Quantity:
        lines = [monitor_lines(self.results_of(row, workload), monitor) for row in self.board.rows]
        bands = self._bands(lines, missing_is_worst=False)
        # Of many blocks only every k-th is drawn, and the last may be none of them.
        end = max((drawn.steps[-1] for _, drawn in bands if drawn.steps), default=0.0)
        curves = Curves(
            title=curves_title(monitor.title, workload, bands, end),
            unit=monitor.unit,
            bands=bands,
            limits=limits(lines) if monitor.logarithmic else (0.0, 1.03),
            steps=self._steps(workload),
            end=end,
            logarithmic=monitor.logarithmic,
            levels=() if monitor.logarithmic else ((0.5, "cannot tell"),),
        )
        caption = f"{monitor.reading} {_HOW_TO_READ}"
        return Quantity(monitor.name, workload, curves.title, caption, lines, curves)

    def _bands(self, lines: Sequence[Sequence[Line]], *, missing_is_worst: bool) -> list[tuple[LeaderboardRow, Band]]:
        return [
            (row, band(own, missing_is_worst=missing_is_worst)) for row, own in zip(self.board.rows, lines, strict=True)
        ]

    def _steps(self, workload: str) -> int:
        return max(record.spec.steps for row in self.board.rows for record in self.of(row, workload))

    def curve_charts(self) -> list[CurveChart]:
        """The quantities, drawn."""
        charts = []
        for number, quantity in enumerate(self.quantities):
            name = f"{self.id}-curves{number}"
            with overview.drawing(PAGE, overview.CURVES_SIZE) as (figure, axes):
                overview.draw_curves(figure, axes, self.board, quantity.curves, PAGE)
                svg = element_of(figure, name, _ends(quantity), "wide")
            chart = Chart(name, quantity.title, quantity.caption, svg, quantity.workload)
            panels = self._panels(quantity, name) if self.has_panels(quantity) else []
            charts.append(CurveChart(chart, panels))
        return charts

    def _panels(self, quantity: Quantity, name: str) -> list[tuple[LeaderboardRow, str]]:
        curves = quantity.curves
        panels = []
        for number, ((row, drawn), lines) in enumerate(zip(curves.bands, quantity.lines, strict=True)):
            if not lines:
                continue
            panel = Panel(
                name=f"{name}-{number}",
                lines=lines,
                band=drawn,
                others=[
                    other.points for index, (_, other) in enumerate(curves.bands) if index != number and other.points
                ],
                limits=curves.limits,
                steps=curves.steps,
                logarithmic=curves.logarithmic,
                levels=curves.levels,
                description=_course(quantity, row, drawn),
            )
            panels.append((row, draw(panel)))
        return panels

    def has_panels(self, quantity: Quantity) -> bool:
        """Say whether each method has a panel of the quantity."""
        return quantity.name in self._with_panels

    def panel_caption(self) -> str:
        """Say what the panels show."""
        seeds = [len(own) for quantity in self.quantities for own in quantity.lines if own]
        spread = "a thin line one of its seeds"
        if any(number > MOST_LINES for number in seeds):
            few = any(number <= MOST_LINES for number in seeds)
            spread = f"{spread} or, of more than {MOST_LINES} seeds, with its band" if few else "with its band"
        return (
            f"The bold line is the method's in the figure above, {spread}, a cross ends a run that failed; gray lines "
            "are the other methods'."
        )

    def samples(self) -> list[tuple[str, list[Samples]]]:
        """The sample grids by workload, in the order of the table; methods without any are left out."""
        sections = []
        for column in self.board.workloads:
            drawn = [Samples(row, self.grids(row, column.name)) for row in self.board.rows]
            sections.append((column.name, [samples for samples in drawn if samples.grids]))
        return [(workload, drawn) for workload, drawn in sections if drawn]

    def grids(self, row: LeaderboardRow, workload: str) -> list[Grid]:
        """Return the grids of a method on a workload that the page has, in the order of seeds."""
        return self.gallery.of(self.of(row, workload))


def _ends(quantity: Quantity) -> str:
    """Say where the lines of all methods end, for those who do not see them."""
    ends = [f"{label(row)} {_end(quantity, drawn)}" for row, drawn in quantity.curves.bands if drawn.points]
    return f"{quantity.title}. {_middle(quantity).capitalize()}s at the end: {'; '.join(ends)}"


def _course(quantity: Quantity, row: LeaderboardRow, drawn: Band) -> str:
    """Say the same of one method, with where its line begins."""
    about, first = f"{quantity.title}, {label(row)}", next((y for _, y in drawn.points), None)
    if first is None:
        return f"{about}: no {_middle(quantity)} at any step"
    return f"{about}: the {_middle(quantity)} from {first:.3g}, at the end {_end(quantity, drawn)}"


def _middle(quantity: Quantity) -> str:
    return "mean" if quantity.name == "score" else "median"


def _end(quantity: Quantity, drawn: Band) -> str:
    last = at_step(drawn, quantity.curves.end)
    return "none" if last is None else f"{last:.3g}"


def _cell(record: Record | None, seed: int) -> Cell:
    if record is None:
        return Cell("", "missing", f"seed {seed}: not run")
    kind = "ok" if record.status == "ok" else "failed"
    if record.is_lost:
        kind = "lost"
    return Cell(_MARKS[record.status], kind, f"seed {seed}: {result_text(record)}, trial {record.trial_id}")
