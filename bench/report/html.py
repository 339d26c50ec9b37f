"""One self-contained HTML page: no external file, no network, readable offline and years later."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from bench.config.workload import Workload
from bench.report import cards, formatting, interactive, leaderboard, page_table
from bench.report.column import label
from bench.report.costs import cost_sections
from bench.report.grids import Gallery, SampleFile
from bench.report.notes import nothing_scored
from bench.report.sections import MOST_PANELS, QUANTITIES, BoardSections
from bench.statistics.board import Leaderboard
from bench.statistics.current import under_current_names
from bench.statistics.ranking import rank
from bench.store.journal import latest_attempts
from bench.store.kernels import KernelRecord
from bench.store.record import Environment as Machine
from bench.store.record import Record
from bench.store.times import moment


def render(
    records: Iterable[Record],
    workloads: Mapping[str, Workload],
    *,
    sample_file: SampleFile,
    command: str,
    boards: Sequence[Leaderboard] | None = None,
    kernels: Sequence[KernelRecord] = (),
    scripted: bool = True,
    real: Mapping[str, bytes] | None = None,
) -> str:
    """Return the page. It is a pure function of its arguments: equal records give equal bytes.

    Args:
        records: every record of the store; the last attempt of each trial is used.
        workloads: by name, all that the records ran on.
        sample_file: where the sample grid of a trial id would lie.
        command: what a reader types to make the page again.
        boards: the tables, if they have been computed already.
        kernels: what losses cost, by the kernel records of the same folder; without any there is no such section.
        real: pictures of real images, by workload; they stand beside the samples.
        scripted: whether figures become interactive, which takes a library of 4.8 MB into the page.
    """
    latest = latest_attempts(records)
    tables = list(boards) if boards is not None else rank(latest, workloads, kernels=kernels)
    kept = under_current_names(latest)
    sections = board_sections(kept, tables, workloads, sample_file)
    anchors = cards.anchors(kept)
    described = cards.cards(kept, sections, anchors)
    # What a page without tables has no use for: it has no figures.
    scripted = scripted and any(section.quantities for section in sections)
    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=_title(kept, kernels),
        facts=_facts(tables, kept),
        sections=sections,
        finding=finding,
        lines=leaderboard.lines,
        scale=page_table.scale,
        print_pieces=page_table.print_pieces,
        zip=zip,
        atlas=cards.ATLAS,
        real={name: base64.b64encode(picture).decode() for name, picture in (real or {}).items()},
        columns=page_table.columns,
        heading=page_table.heading,
        cells=page_table.cells,
        notes=leaderboard.notes,
        label=label,
        anchors=anchors,
        cards=described,
        card_of={card.expression: card for card in described},
        families=sorted({card.family for card in described if card.family}),
        workload_names=sorted({record.spec.workload for record in kept}),
        costs=cost_sections(kernels),
        panels_left_out=_panels_left_out(tables),
        machines=_machines(kept),
        command=command,
        data=interactive.encode(sections, anchors),
        library=interactive.library() if scripted else "",
    )


def board_sections(
    records: Sequence[Record],
    boards: Sequence[Leaderboard],
    workloads: Mapping[str, Workload],
    sample_file: SampleFile | None = None,
) -> list[BoardSections]:
    """Return the sections of every table, which share the room of the page. Without files, no grids."""
    by_id = {f"{record.trial_id}.{record.attempt}": record for record in under_current_names(records)}
    tabled = [[by_id[name] for name in board.record_ids] for board in boards]
    # In the order of the tables, so that where there is no room for all grids the best methods have theirs.
    ordered = (record for board, own in zip(boards, tabled, strict=True) for record in _ranked(board, own))
    gallery = Gallery([], Path) if sample_file is None else Gallery(ordered, sample_file)
    return [
        BoardSections(board, own, workloads, gallery, f"table{number}", title, _panel_quantities(boards))
        for number, (board, own, title) in enumerate(zip(boards, tabled, leaderboard.names(boards), strict=True))
    ]


def _ranked(board: Leaderboard, records: Sequence[Record]) -> list[Record]:
    places = {(row.expression, row.variant): index for index, row in enumerate(board.rows)}
    return sorted(
        records,
        key=lambda record: (
            record.spec.seed,
            places[record.spec.method, record.spec.allow_invalid],
            record.spec.workload,
        ),
    )


def _panel_quantities(boards: Sequence[Leaderboard]) -> int:
    """Return how many quantities there is room for to draw in panels."""
    panels = sum(len(board.rows) * len(board.workloads) for board in boards)
    return min(len(QUANTITIES), MOST_PANELS // panels) if panels else 0


def _panels_left_out(boards: Sequence[Leaderboard]) -> str:
    drawn = _panel_quantities(boards)
    if drawn == len(QUANTITIES):
        return ""
    which = (
        "the distance alone has" if drawn == 1 else "no quantity has" if drawn == 0 else "the monitors do not all have"
    )
    return f"With so many methods and workloads {which} a panel per method: a page has room for {MOST_PANELS} panels."


def finding(board: Leaderboard) -> str:
    """Say in one or two sentences what may be concluded from the table, and no more."""
    scored = board.scored
    if nothing_scored(board):
        return "No workload has a scale to score on, so nothing is ranked; the notes below the table say why."
    if not scored:
        return "No method has results in all counting cells yet, so nothing is ranked."
    leader = scored[0]
    runs, failures = sum(row.runs for row in scored), sum(row.failures for row in scored)
    failed = f" {failures} of the {runs} runs failed." if failures else f" None of the {runs} runs failed."
    if not leader.score:
        return f"Every method scores 0: there is no leader, and nothing is ranked.{failed}"
    if len(scored) == 1:
        return f"{leader.method} scores {formatting.score(leader.score)}; there is nothing to compare it with.{failed}"
    first = [row for row in scored if row.score == leader.score]
    said = f"{_highest([row.method for row in first], len(scored))}, {formatting.score(leader.score)}"
    if leader.rank is None:
        few = "a single seed" if leader.seeds == 1 else formatting.plural(leader.seeds, "seed")
        return f"{said}, of {few}: that allows no conclusion about the order.{failed}"
    others = [row.method for row in scored[len(first) :] if row.among_best]
    if len(first) == len(scored):
        said += "."
    elif not others:
        said += ", and no other method may be the best."
    elif len(others) <= 3:
        said += f"; {_enumerate(others)} may be the best as well."
    else:
        said += f"; {len(others)} of the other {len(scored) - len(first)} may be the best as well."
    provisional = " With so few seeds this is provisional." if leader.provisional else ""
    return said + provisional + failed


def _highest(names: Sequence[str], scored: int) -> str:
    """Say who has the highest score, of so many methods that have one."""
    if len(names) == 1:
        return f"{names[0]} has the highest score"
    if len(names) == scored:
        return f"{'Both' if scored == 2 else f'All {scored}'} methods have the same score"
    return f"{_enumerate(names) if len(names) <= 3 else f'{len(names)} methods'} have the highest score"


def _enumerate(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _title(records: Sequence[Record], kernels: Sequence[KernelRecord]) -> str:
    if not records:
        return "What losses cost" if kernels else "No results yet"
    methods_run = {(record.spec.method, record.spec.allow_invalid) for record in records}
    workloads_run = {record.spec.workload for record in records}
    seeds = {record.spec.seed for record in records}
    return ", ".join(
        [
            formatting.plural(len(methods_run), "loss", "losses"),
            formatting.plural(len(workloads_run), "data set"),
            formatting.plural(len(seeds), "seed"),
        ]
    )


def _facts(boards: Sequence[Leaderboard], records: Sequence[Record]) -> list[tuple[str, str]]:
    if not records:
        return []
    devices = sorted({record.environment.device_name for record in records if record.environment})
    seconds = sum((r.cost.get("train_seconds") or 0) + (r.cost.get("evaluation_seconds") or 0) for r in records)
    steps = sorted({record.spec.steps for record in records})
    return [
        ("Runs", f"{len(records):,}, of {' and '.join(f'{number:,}' for number in steps)} generator steps"),
        ("Made", _period(records)),
        ("On", ", ".join(devices) or "an unknown machine"),
        ("Training time", f"{formatting.duration(seconds)} in all"),
        ("Protocol", ", ".join(sorted({board.key.protocol_version for board in boards}))),
        ("Records digest", ", ".join(board.digest for board in boards)),
    ]


def _period(records: Sequence[Record]) -> str:
    """Write when the runs were made as "2026-01-31 12:00 to 12:05 UTC"; a second date is written where it differs."""
    times = [time for r in records for text in (r.started_at, r.finished_at) if (time := moment(text)) is not None]
    if not times:
        return "at an unknown time"
    first, last = min(times), max(times)
    end = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M} to {end} UTC"


def _machines(records: Sequence[Record]) -> list[tuple[Machine, int]]:
    """Return each environment that records come from, with their number."""
    machines = sorted((r.environment for r in records if r.environment), key=lambda machine: machine.fingerprint)
    groups = [list(group) for _, group in groupby(machines, key=lambda machine: machine.fingerprint)]
    return [(group[0], len(group)) for group in groups]
