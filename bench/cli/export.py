"""`export`: the records as one tidy table."""

from pathlib import Path

import click

from bench.cli.options import results_option, usage_errors


@click.command(short_help="Write the records as one tidy table.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["parquet", "csv"]),
    default="csv",
    show_default=True,
    help="How it is written.",
)
@results_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: RESULTS/records.FORMAT]"
)
def export(style: str, results: Path, output: Path | None) -> None:
    """Write one row a trial: what was trained, its status, and every number that was measured."""
    from bench.cli.reading import read_records, write_bytes
    from bench.report.wording import plural
    from bench.store.table import table

    with usage_errors():
        frame = table(read_records(results))
    path = output or results / f"records.{style}"
    content = frame.to_parquet(None, index=False) if style == "parquet" else frame.to_csv(None, index=False).encode()
    write_bytes(path, content)
    click.echo(f"{plural(len(frame), 'trial')}: {path}")
