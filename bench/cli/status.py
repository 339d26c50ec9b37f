"""`status`: what a suite still lacks."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import (
    data_option,
    format_option,
    print_json,
    results_option,
    suite_from,
    suite_options,
    usage_errors,
)
from bench.cli.prepare import untrained_notes
from bench.cli.voice import Verb

if TYPE_CHECKING:
    from bench.config.trial import Trial
    from bench.store.record import Record


@click.command(cls=Verb, short_help="Show what a suite still lacks.")
@suite_options
@results_option
@data_option
@format_option()
def status(results: Path, data_dir: Path | None, style: str, **options: Any) -> None:  # noqa: ANN401 - click passes each option by name
    """Show which trials of a suite are recorded: a row per method, a column per workload.

    The options are those of `run`. Without any, it shows the quick suite.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.planning import budgets
    from bench.cli.reading import open_store
    from bench.cli.terminal import console
    from bench.report.formatting import plural

    suite = suite_from(options)  # before the import that loads torch: a misspelt suite is told at once
    from bench.plan import expand

    with usage_errors():
        trials = expand(suite, data_dir, fetch=False)
        latest = open_store(results).latest(histories=False)
    cells = tally(trials, latest)
    under_way = _under_way(trials, results)
    if style == "json":
        print_json(_document(suite.name, results, trials, latest, cells) | {"under_way": under_way})
        return
    methods = list(dict.fromkeys(trial.spec.method_name for trial in trials))
    workloads = list(dict.fromkeys(trial.spec.workload for trial in trials))
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("method")
    for workload in workloads:
        table.add_column(Text(workload))
    for method in methods:
        table.add_row(Text(method), *(count_text(cells.get((method, workload), Counter())) for workload in workloads))
    to = console()
    to.print(f"{suite.label}, {plural(len(trials), 'trial')}; records in {results}", markup=False, soft_wrap=True)
    for line in budgets(trials):
        to.print(f"  {line}", markup=False, soft_wrap=True)
    to.print(table)
    for note in untrained_notes(trials):
        to.print(note, markup=False, soft_wrap=True)
    for who, held in under_way.items():
        to.print(f"{plural(len(held), 'trial')} under way: {who} is at it", markup=False, soft_wrap=True)
    todo = sum(count["missing"] + count["lost"] for count in cells.values())
    if others := len(latest.keys() - {trial.id for trial in trials}):
        to.print(
            f"{plural(others, 'recorded trial')} of other options: `leaderboard` shows what they gave, and `status` "
            "with the options of their `run` what they lack",
            markup=False,
            soft_wrap=True,
        )
    to.print(
        "Everything is recorded."
        if todo == 0
        else f"{plural(todo, 'trial')} to run; `run` with the same options does just that."
    )


def _under_way(trials: "Sequence[Trial]", results: Path) -> dict[str, list[str]]:
    """Return which of the trials campaigns are at just now, by the campaign in words."""
    from bench.cli.reading import open_store
    from bench.store.claims import held

    holders = held(open_store(results))
    under_way: dict[str, list[str]] = {}
    for trial in trials:
        if trial.id in holders:
            under_way.setdefault(str(holders[trial.id]), []).append(trial.id)
    return under_way


def _document(
    name: str,
    results: Path,
    trials: "Sequence[Trial]",
    latest: "dict[str, Record]",
    cells: dict[tuple[str, str], Counter[str]],
) -> dict[str, object]:
    """Return what there is and what is lacking, for a program."""
    from bench.cli.planning import trial_json

    states = ("ok", "failed", "lost", "missing")
    todo = {trial.id for trial in trials if state_of(latest.get(trial.id)) in ("missing", "lost")}
    return {
        "suite": name or None,
        "results": results,
        "to_run": len(todo),
        "cells": [
            {"method": method, "workload": workload, **{state: count[state] for state in states}}
            for (method, workload), count in cells.items()
        ],
        "trials": [trial_json(trial, to_run=trial.id in todo) for trial in trials],
    }


def tally(trials: "Sequence[Trial]", latest: "dict[str, Record]") -> dict[tuple[str, str], Counter[str]]:
    """Count, for each method and workload, the trials that are ok, failed, lost (to be run again) or missing."""
    cells: dict[tuple[str, str], Counter[str]] = {}
    for trial in trials:
        state = state_of(latest.get(trial.id))
        cells.setdefault((trial.spec.method_name, trial.spec.workload), Counter())[state] += 1
    return cells


def state_of(record: "Record | None") -> str:
    """Say what has become of a trial, by its last record."""
    from bench.statistics.scores import is_result

    if record is None:
        return "missing"
    if not is_result(record):
        return "lost"
    return "ok" if record.status == "ok" else "failed"


def count_text(count: "Counter[str]") -> str:
    """Write "3/5 done, 1 failed, 1 to retry"; a failed run is done, since it is a result."""
    done = count["ok"] + count["failed"]
    parts = [f"{done}/{count.total()} done"]
    parts += [f"{count[state]} {word}" for state, word in (("failed", "failed"), ("lost", "to retry")) if count[state]]
    return ", ".join(parts)
