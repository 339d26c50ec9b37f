"""`status`: what a suite still lacks."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import data_option, results_option, suite_from, suite_options, usage_errors
from bench.cli.prepare import untrained_notes

if TYPE_CHECKING:
    from bench.config.trial import Trial
    from bench.store.record import Record


@click.command(short_help="Show what a suite still lacks.")
@suite_options
@results_option
@data_option
def status(results: Path, data_dir: Path | None, **options: Any) -> None:  # noqa: ANN401 - click passes each option by name
    """Show what a suite has and lacks: a line a method, a column a workload.

    Without options it is the quick suite; --method and --workload alone are taken with the quick suite's settings.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.reading import console, open_store
    from bench.report.wording import plural

    suite = suite_from(options)  # before the import that loads torch: a misspelt suite is told at once
    from bench.plan import expand

    with usage_errors():
        trials = expand(suite, data_dir, fetch=False)
        latest = open_store(results).latest(histories=False)
    cells = tally(trials, latest)
    methods = list(dict.fromkeys(trial.spec.method_name for trial in trials))
    workloads = list(dict.fromkeys(trial.spec.workload for trial in trials))
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("method")
    for workload in workloads:
        table.add_column(workload)
    for method in methods:
        table.add_row(Text(method), *(words(cells.get((method, workload), Counter())) for workload in workloads))
    to = console()
    to.print(f"suite {suite.name}, {plural(len(trials), 'trial')}; records in {results}", markup=False, soft_wrap=True)
    to.print(table)
    for note in untrained_notes(trials):
        to.print(note, markup=False, soft_wrap=True)
    todo = sum(count["missing"] + count["lost"] for count in cells.values())
    to.print(
        "Everything is recorded."
        if todo == 0
        else f"{plural(todo, 'trial')} to run; `run` with the same options does just that."
    )


def tally(trials: "Sequence[Trial]", latest: "dict[str, Record]") -> dict[tuple[str, str], Counter[str]]:
    """Count, for each method and workload, the trials that are ok, failed, lost (to be run again) or missing."""
    from bench.statistics.scores import is_result

    cells: dict[tuple[str, str], Counter[str]] = {}
    for trial in trials:
        record = latest.get(trial.id)
        if record is None:
            state = "missing"
        elif not is_result(record):
            state = "lost"
        else:
            state = "ok" if record.status == "ok" else "failed"
        cells.setdefault((trial.spec.method_name, trial.spec.workload), Counter())[state] += 1
    return cells


def words(count: "Counter[str]") -> str:
    """Write "3/5 done, 1 failed, 1 to retry"; a failed run is done, since it is a result."""
    done = count["ok"] + count["failed"]
    parts = [f"{done}/{count.total()} done"]
    parts += [f"{count[state]} {word}" for state, word in (("failed", "failed"), ("lost", "to retry")) if count[state]]
    return ", ".join(parts)
