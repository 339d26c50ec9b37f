"""`recommend`: which methods to try first, from the published records."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.completion import complete_workloads
from bench.cli.options import format_option, print_json, usage_errors
from bench.cli.values import GivenPath
from bench.cli.voice import Verb

if TYPE_CHECKING:
    from bench.report.recommendation import Costs
    from bench.statistics.recommendation import Recommendation
    from bench.store.record import Record


@click.command(cls=Verb, short_help="Name the methods to try first, from published records.")
@click.option(
    "--workload", shell_complete=complete_workloads,
    help="The workload in question.  [default: each one that has a published ranking]",
)  # fmt: skip
@click.option(
    "--images", type=GivenPath(path_type=Path, file_okay=False, exists=True),
    help="A folder of your own images, which is --workload imagefolder:FOLDER.",
)  # fmt: skip
@click.option(
    "--budget", metavar="STEPS", type=click.IntRange(min=1),
    help="How long you will train, in generator updates: the order depends on it.",
)  # fmt: skip
@format_option()
def recommend(workload: str | None, images: Path | None, budget: int | None, style: str) -> None:
    """Name three methods to try first on a workload, and say on which records that rests.

    The answer is the top of the published ranking on the same workload, or on the most similar one that has a ranking.
    Where the records rank nothing, it says so and names nobody. Nothing is trained.
    """
    from bench import data
    from bench.report.recommendation import document
    from bench.statistics.recommendation import recommend_on_each
    from bench.store.iteration_costs import published_costs

    if workload is not None and images is not None:
        raise click.UsageError("--images FOLDER is --workload imagefolder:FOLDER; give one of the two")
    named = f"imagefolder:{images}" if images is not None else workload
    records, campaigns = _published()
    with usage_errors():
        known = {name: data.workload(name) for name in sorted({record.spec.workload for record in records})}
        asked = [data.workload(named)] if named is not None else list(known.values())
        answers = recommend_on_each(asked, records, known, budget)
    if named is None:
        answers = [answer for answer in answers if answer.picks and not answer.differences] or answers
    costs = published_costs()
    if style == "json":
        print_json([document(answer, costs, _behind(answer, campaigns)) for answer in answers])
        return
    for answer in answers:
        _print(answer, costs, _behind(answer, campaigns))


def _published() -> "tuple[list[Record], dict[str, set[str]]]":
    """Read the published records, and which campaigns each trial is of."""
    from bench.store import published

    records: dict[tuple[str, int], Record] = {}
    campaigns: dict[str, set[str]] = {}
    with usage_errors():
        for path in published.published_files():
            for record in published.read_parquet(path):
                records[record.trial_id, record.attempt] = record
                campaigns.setdefault(record.trial_id, set()).add(published.published_name(path))
    if not records:
        raise click.UsageError(
            "there are no published records beside this program; a checkout of its repository has them in "
            "results/published, and a wheel brings them along"
        )
    return list(records.values()), campaigns


def _behind(answer: "Recommendation", campaigns: dict[str, set[str]]) -> list[str]:
    """Return the names of the campaigns whose records are behind an answer."""
    ids = [] if answer.board is None else [name.rpartition(".")[0] for name in answer.board.record_ids]
    return sorted({campaign for trial_id in ids for campaign in campaigns[trial_id]})


def _print(answer: "Recommendation", costs: "Costs", campaigns: list[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.cli.terminal import console, print_notes
    from bench.report.recommendation import HEADINGS, basis, notes, rows

    to = console()
    to.print(Text(basis(answer, campaigns), style="bold"))
    if answer.picks:
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for index, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if index in (0, 2) else "left", no_wrap=index == 1)
        for row in rows(answer, costs):
            table.add_row(*map(Text, row))
        to.print(table)
    print_notes(notes(answer, costs), to)
    to.print()
