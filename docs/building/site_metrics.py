"""The page of the metrics, from their registry."""

import json

from click.testing import CliRunner
from site_commands import MARK, escaped

from bench.cli.main import cli

PAGE = "reference/metrics.md"


def pages() -> dict[str, str]:
    """Return the page that lists every metric."""
    shown = CliRunner().invoke(cli, ["list", "metrics", "--json"], catch_exceptions=False)
    lines = [
        "# Metrics", "",
        "What a record can hold, by the name that it has there. `python -m bench list metrics` prints the same; how",
        "they are measured is in the [protocol](../protocol.md#evaluation).", "",
        "| metric | what it is | better | bounds | known |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in json.loads(shown.stdout):
        unit = f" ({row['unit']})" if row["unit"] else ""
        words = [row["summary"] + unit, row["better"], row["bounds"], row["known"]]
        lines.append(f"| `{row['name']}` | {' | '.join(escaped(text).replace('|', chr(92) + '|') for text in words)} |")
    return {PAGE: "\n".join([*lines, "", MARK, ""])}
