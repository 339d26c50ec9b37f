"""`export`: the records as one tidy table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import format_option, json_text, output_option, results_option, usage_errors, written_as
from bench.cli.voice import Verb

if TYPE_CHECKING:
    import pandas as pd


@click.command(cls=Verb, short_help="Write the records as one tidy table.")
@format_option(
    "parquet", "csv", default=None,
    description="The output format.  [default: by the ending of --output, else csv]",
)  # fmt: skip
@results_option
@output_option("The file.  [default: RESULTS/records.FORMAT; json and table are printed]")
def export(style: str | None, results: Path, output: Path | None) -> None:
    """Write one row per trial: what was trained, its status, and every number that was measured.

    The table is that of `bench.load(RESULTS)`. It may mix protocols, tracks, networks and budgets: each is a column.
    """
    from bench.cli.reading import read_records, write_bytes, write_text
    from bench.report.formatting import plural
    from bench.report.publication import is_published_table
    from bench.store.table import frame

    with usage_errors():
        table = frame(read_records(results))
    chosen = written_as(style, output, "csv")
    path = output or (results / f"records.{chosen}" if chosen in ("parquet", "csv") else None)
    if path is not None and is_published_table(path):
        raise click.UsageError(
            f"{path} is a published file, and has more than this table; name another file with --output"
        )
    if chosen == "parquet":
        assert path is not None
        write_bytes(path, table.to_parquet(None, index=False))
    else:
        text = {
            "csv": lambda: table.to_csv(index=False),
            "json": lambda: _to_json(table),
            "table": lambda: table.to_string(index=False) + "\n",
        }[chosen]()
        if path is None:
            click.echo(text, nl=False)
            return
        write_text(path, text)
    click.echo(f"{plural(len(table), 'trial')}: {path}")


def _to_json(table: "pd.DataFrame") -> str:
    """Write rows with all digits, as the other formats have them: pandas' own writer keeps ten decimals."""
    values = table.astype(object)
    return json_text(values.where(table.notna(), None).to_dict(orient="records"))
