"""`leaderboard`: rank the losses from the records."""

from pathlib import Path

import click

from bench.cli.options import results_option


@click.command(short_help="Rank the losses from the records.")
@click.option(
    "--format", "style", type=click.Choice(["table", "md", "csv", "json"]), default="table", show_default=True,
    help="How it is written.",
)  # fmt: skip
@results_option
def leaderboard(style: str, results: Path) -> None:
    """Rank the losses: scores with intervals, ranks with intervals, and who ties with the leader.

    Only comparable records share a table; where several protocols, norms or budgets are recorded, there are several
    tables. Methods with missing seeds are listed without a rank, failed runs count with score 0.
    """
    from bench.cli.reading import console, print_leaderboards, read_leaderboards, read_records
    from bench.report import leaderboard as formats

    boards = read_leaderboards(read_records(results))
    command = f"python -m bench leaderboard --format {style} --results {results}"
    if style == "table":
        print_leaderboards(boards, console())
    elif style == "md":
        click.echo(formats.to_markdown(boards, command), nl=False)
    elif style == "csv":
        click.echo(formats.to_csv(boards), nl=False)
    else:
        click.echo(formats.to_json(boards, command), nl=False)
