"""The section of each method: what it is, its rank in every table, and its numbers on every workload."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import formatting, methods
from bench.report.columns import overall_verdict, p_text
from bench.report.curves import band, distance_lines
from bench.report.grids import Grid
from bench.report.notes import nothing_scored
from bench.report.sections import BoardSections
from bench.report.slugs import free_name, slug
from bench.report.workload_columns import quality_text, workload_verdict
from bench.statistics.board import LeaderboardRow, WorkloadColumn
from bench.statistics.scores import is_failure
from bench.store.record import Record

ATLAS: Final = "https://github.com/gan-loss-bench/gan-loss-bench/blob/main/docs/atlas"
"""Where the atlas of losses lies, which has a page for each family."""


@dataclass(frozen=True)
class Result:
    """One method on one workload, in words."""

    workload: str
    seeds: str
    distance: str
    quartiles: str
    real: str
    untrained: str
    average: str
    """The distance of the generator's moving average."""
    score: str
    verdict: str
    """Against the reference on this workload."""
    modes: str
    quality: str
    """How far the modes can be believed, in words."""
    failed: str
    grids: Sequence[Grid]


@dataclass(frozen=True)
class TableEntry:
    """One method in one table."""

    table: str
    """The id of the table's section."""
    title: str
    description: Sequence[str]
    results: Sequence[Result]


@dataclass(frozen=True)
class MethodCard:
    """What a reader needs to know about one method."""

    anchor: str
    name: str
    expression: str
    family: str
    """As in docs/atlas/FAMILY.md; empty where none is known."""
    summary: str
    formula: str
    citation: str
    tables: Sequence[TableEntry]

    @property
    def searched(self) -> str:
        """What a search for text looks at."""
        return " ".join((self.name, self.expression, self.family, self.summary)).lower()


def anchors(records: Iterable[Record]) -> dict[str, str]:
    """Return the id of each method's section by its expression; different methods have different ones."""
    names = _names(records)
    anchor_of: dict[str, str] = {}
    for expression, name in sorted(names.items(), key=lambda item: (item[1], item[0])):
        anchor_of[expression] = free_name(f"method-{slug(name)}", set(anchor_of.values()))
    return anchor_of


def _names(records: Iterable[Record]) -> dict[str, str]:
    """Return what each expression was recorded as; of several names the shortest, as in the tables."""
    names: dict[str, set[str]] = {}
    for record in records:
        names.setdefault(record.spec.method, set()).add(record.spec.method_name)
    return {expression: min(own, key=lambda name: (len(name), name)) for expression, own in names.items()}


def cards(
    records: Sequence[Record], sections: Sequence[BoardSections], anchored: Mapping[str, str]
) -> list[MethodCard]:
    """Describe every method that was run, by its entry in the index; an expression, by the entries of its parts."""
    in_tables = {row.expression: row.method for section in sections for row in section.board.rows}
    names = _names(records) | in_tables
    made = []
    for expression, anchor in anchored.items():
        entries = methods.entries_of(names[expression], expression)
        summary, formula, citation = (
            separator.join(getattr(entry, field) for entry in entries if getattr(entry, field))
            for field, separator in (("summary", " "), ("formula", "\n"), ("citation", " "))
        )
        tables = [
            _table_entry(section, row)
            for section in sections
            for row in section.board.rows
            if row.expression == expression
        ]
        family = methods.family_of(entries)
        made.append(MethodCard(anchor, names[expression], expression, family, summary, formula, citation, tables))
    return made


def _table_entry(section: BoardSections, row: LeaderboardRow) -> TableEntry:
    results = [_result(section, row, column) for column in section.board.workloads if section.of(row, column.name)]
    return TableEntry(section.id, section.board.key.title, _entry_text(section, row), results)


def _entry_text(section: BoardSections, row: LeaderboardRow) -> list[str]:
    said = [*_score_text(section, row), *_against_text(section, row)]
    # Costs are relative to the reference even where it has no score.
    if row.iteration is not None and row.method != REFERENCE_METHOD:
        said.append(f"an iteration takes {row.iteration.cost:.2f} times that of {REFERENCE_METHOD}")
    elif row.relative_throughput is not None and row.method != REFERENCE_METHOD:
        said.append(f"{row.relative_throughput:.2f} times {REFERENCE_METHOD}'s images a second")
    elif row.images_per_second is not None:
        said.append(f"{formatting.count(row.images_per_second)} images a second")
    return said


def _score_text(section: BoardSections, row: LeaderboardRow) -> list[str]:
    if row.variant:
        return ["a labeled variant, not well defined on this discriminator and never ranked"]
    if nothing_scored(section.board):
        return ["not ranked, as no workload has a scale to score on"]
    if row.score is None:
        return [f"{row.cells_done} of {row.cells_counting} counting runs done: not ranked yet"]
    within = "" if row.score_low is None else f" ({formatting.interval(row.score_low, row.score_high)})"
    said = [f"score {formatting.score(row.score)}{within}"]
    if row.rank_low is not None:
        said.append(f"rank {formatting.ranks(row.rank_low, row.rank_high)}")
    if row.among_best:
        said.append("may be the best")
    if row.average_score is not None:
        said.append(f"score of the moving averages {formatting.score(row.average_score)}")
    return said


def _against_text(section: BoardSections, row: LeaderboardRow) -> list[str]:
    reference, said = section.board.reference, []
    if row.verdict is not None:
        said.append(f"against {reference}: {overall_verdict(section.board, row)}")
    if row.better_than_reference is not None:
        within = "" if row.better_low is None else f" ({formatting.interval(row.better_low, row.better_high)})"
        said.append(f"better than {reference} with probability {row.better_than_reference:.2f}{within}")
    if row.p_adjusted is not None and p_text(section.board, row) != formatting.MISSING:
        said.append(f"p {row.p_adjusted:.2g} after Holm")
    return said


def _result(section: BoardSections, row: LeaderboardRow, column: WorkloadColumn) -> Result:
    runs = section.results_of(row, column.name)
    lost = len(section.of(row, column.name)) - len(runs)
    spread = band(distance_lines(runs, section.workloads[column.name]), missing_is_worst=True)
    # Where all runs ended early, the last step that they have is not that of the distance beside the quartiles.
    low, high = (spread.low[-1], spread.high[-1]) if spread.steps[-1:] == [column.steps] else (None, None)
    modes, share = row.modes.get(column.name), row.qualities.get(column.name)
    failed = f"{sum(map(is_failure, runs))}/{len(runs)}"
    return Result(
        workload=column.name,
        seeds=formatting.seeds(tuple(record.spec.seed for record in runs)),
        distance=formatting.distance(row.distances.get(column.name)),
        average=formatting.distance(row.average_distances.get(column.name)),
        quartiles=formatting.MISSING if low is None else f"{formatting.distance(low)} to {_or_failed(high)}",
        real=formatting.distance(column.floor),
        untrained=formatting.distance(column.untrained),
        score=formatting.score(row.estimates[column.name].score if column.name in row.estimates else None),
        verdict=workload_verdict(row, column),
        modes=formatting.MISSING if modes is None else f"{modes:,.4g}/{column.modes:,}",
        quality=formatting.MISSING if share is None else f"{formatting.percent(share)} {quality_text(column)}",
        failed=f"{failed}, {lost} lost" if lost else failed,
        grids=section.grids(row, column.name),
    )


def _or_failed(quartile: float | None) -> str:
    return "failed" if quartile is None else formatting.distance(quartile)
