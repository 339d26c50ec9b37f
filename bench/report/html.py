"""One self-contained HTML page: no external file, no network, readable offline and years later."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bench.config.workload import Workload
from bench.report import leaderboard, methods, wording
from bench.report.sections import BoardSections, SampleFile
from bench.statistics.ranking import Leaderboard, LeaderboardRow, rank
from bench.store.journal import latest_attempts
from bench.store.record import Environment as Machine
from bench.store.record import Record


@dataclass(frozen=True)
class MethodCard:
    """What a reader needs to know about one method."""

    name: str
    expression: str
    summary: str
    formula: str
    citation: str


@dataclass(frozen=True)
class TableCell:
    words: str
    value: str
    """What the column is sorted by; empty sorts last."""
    classes: str = ""


def render(
    records: Iterable[Record],
    workloads: Mapping[str, Workload],
    *,
    sample_file: SampleFile,
    command: str,
    boards: Sequence[Leaderboard] | None = None,
) -> str:
    """Return the page. It is a pure function of its arguments: equal records give equal bytes.

    Args:
        records: every record of the store; the last attempt of each trial is used.
        workloads: by name, all that the records ran on.
        sample_file: where the sample grid of a trial id would lie.
        command: what a reader types to make the page again.
        boards: the tables, if they have been computed already.
    """
    kept = latest_attempts(records)
    tables = list(boards) if boards is not None else rank(kept, workloads)
    by_id = {f"{record.trial_id}.{record.attempt}": record for record in kept}
    sections = [
        BoardSections(board, [by_id[name] for name in board.record_ids], workloads, sample_file, f"table{number}")
        for number, board in enumerate(tables)
    ]
    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=_title(tables, kept),
        facts=_facts(tables, kept),
        sections=sections,
        findings={board.key: finding(board) for board in tables},
        headings=leaderboard.headings,
        table_row=_table_row,
        notes=leaderboard.notes,
        cards=_cards(kept),
        machines=_machines(kept),
        command=command,
    )


def finding(board: Leaderboard) -> str:
    """Say in one or two sentences what the table allows to be said, and no more."""
    ranked = board.ranked
    if not ranked:
        return "No method has results in all counting cells yet, so nothing is ranked."
    leader = ranked[0]
    runs, failures = sum(row.runs for row in ranked), sum(row.failures for row in ranked)
    failed = f" {failures} of the {runs} runs failed." if failures else f" None of the {runs} runs failed."
    if len(ranked) == 1:
        return f"{leader.method} scores {wording.score(leader.score)}; there is nothing to compare it with.{failed}"
    if leader.rank_low is None:
        return (
            f"{leader.method} has the highest score of a single seed, {wording.score(leader.score)}; "
            f"one seed allows no conclusion about the order.{failed}"
        )
    tied = [row.method for row in ranked[1:] if row.ties_with_leader]
    said = f"{leader.method} has the highest score, {wording.score(leader.score)}"
    if not tied:
        said += ", and its paired differences to all others are clear of zero."
    elif len(tied) <= 3:
        said += f"; {_enumerate(tied)} cannot be told apart from it."
    else:
        said += f"; {len(tied)} of the other {len(ranked) - 1} cannot be told apart from it."
    provisional = " With so few seeds this is provisional." if leader.provisional else ""
    return said + provisional + failed


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _title(boards: Sequence[Leaderboard], records: Sequence[Record]) -> str:
    if not boards:
        return "No results yet"
    methods_run = {(record.spec.method, record.spec.allow_invalid) for record in records}
    workloads_run = {record.spec.workload for record in records}
    seeds = {record.spec.seed for record in records}
    return ", ".join(
        [
            wording.plural(len(methods_run), "loss", "losses"),
            wording.plural(len(workloads_run), "data set"),
            wording.plural(len(seeds), "seed"),
        ]
    )


def _facts(boards: Sequence[Leaderboard], records: Sequence[Record]) -> list[tuple[str, str]]:
    if not records:
        return []
    devices = sorted({record.environment.device_name for record in records if record.environment})
    seconds = sum((r.cost.get("train_seconds") or 0) + (r.cost.get("evaluation_seconds") or 0) for r in records)
    started, finished = min(r.started_at for r in records), max(r.finished_at for r in records)
    steps = sorted({record.spec.steps for record in records})
    return [
        ("Runs", f"{len(records):,}, of {' and '.join(f'{number:,}' for number in steps)} generator steps"),
        ("Made", _period(started, finished)),
        ("On", ", ".join(devices) or "an unknown machine"),
        ("Training time", f"{wording.duration(seconds)} in all"),
        ("Protocol", ", ".join(sorted({board.key.protocol_version for board in boards}))),
        ("Records digest", ", ".join(board.digest for board in boards)),
    ]


def _period(started: str, finished: str) -> str:
    """Write two ISO times as "2026-01-31 12:00 to 12:05 UTC"; a second date is written where it differs."""
    (first_day, first_time), (last_day, last_time) = (moment[:16].split("T") for moment in (started, finished))
    end = last_time if first_day == last_day else f"{last_day} {last_time}"
    return f"{first_day} {first_time} to {end} UTC"


def _table_row(board: Leaderboard, row: LeaderboardRow) -> list[TableCell]:
    """Return the cells under `leaderboard.headings(board)`, each with the number it is sorted by."""
    values = [
        row.rank,
        None,
        row.score,
        row.score_low,
        row.cells_done,
        row.failures,
        *(row.distances.get(column.name) for column in board.workloads),
        *(column.medians.get(row.entrant) for column in leaderboard.shown_fid(board)),
        row.late_regression,
        row.images_per_second,
    ]
    cells = []
    for heading, words, value in zip(leaderboard.headings(board), leaderboard.cells(board, row), values, strict=True):
        classes = "number"
        if heading == "method":
            classes = "method"
        elif heading == "failed" and row.failures:
            classes = "number failed"
        elif heading == "cells" and not row.complete:
            classes = "number partial"
        sorted_by = words if heading == "method" else ("" if value is None else repr(value))
        cells.append(TableCell(words, sorted_by, classes))
    return cells


def _cards(records: Sequence[Record]) -> list[MethodCard]:
    """Describe every method that was run, by its entry in the index; an expression is described by its parts'."""
    known = {entry.name: entry for entry in methods.methods()}
    names = {record.spec.method: record.spec.method_name for record in records}
    cards = []
    for expression, name in sorted(names.items(), key=lambda item: item[1]):
        entries = [known[name]] if name in known else methods.parts_of(expression)
        summary, formula, citation = (
            separator.join(getattr(entry, field) for entry in entries if getattr(entry, field))
            for field, separator in (("summary", " "), ("formula", "\n"), ("citation", " "))
        )
        cards.append(MethodCard(name, expression, summary, formula, citation))
    return cards


def _machines(records: Sequence[Record]) -> list[tuple[Machine, int]]:
    """Return each environment that records come from, with their number."""
    found = sorted((r.environment for r in records if r.environment), key=lambda machine: machine.fingerprint)
    groups = [list(group) for _, group in groupby(found, key=lambda machine: machine.fingerprint)]
    return [(group[0], len(group)) for group in groups]
