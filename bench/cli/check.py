"""`check`: is a loss of your own ready for the benchmark?"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import format_option, print_json, usage_errors
from bench.cli.own_losses import prints_aside
from bench.cli.values import GivenPath
from bench.cli.voice import Verb, say
from bench.config.commands import command
from bench.config.protocol import REFERENCE_METHOD

if TYPE_CHECKING:
    from rich.console import Console

    from bench.checking import Examined

_COLORS: Final = {
    "untried": "dim",
    "passed": "green",
    "failed": "red",
    "stale": "red",
    "waived": "yellow",
    "undecided": "dim",
}


@click.command(cls=Verb, short_help="Check a loss of your own before it is benchmarked.")
@click.argument("file", type=GivenPath(path_type=Path))
@format_option()
def check(file: Path, style: str) -> None:
    """Test every loss that a Python file registers against the contract of its kind; exit with 1 if one breaks it.

    The contract covers derivatives, signs, huge logits, random streams, resuming, points and images. The shipped losses
    pass the same tests.
    """
    from bench.checking import examine_file

    with usage_errors(), prints_aside():
        examined = list(examine_file(file))
    if style == "json":
        print_json({"parts": [part.to_json() for part in examined]})
    else:
        from bench.cli.terminal import console

        to = console()
        for part in examined:
            print_findings(part, to)
        for part in examined:
            to.print(part.verdict, style="green" if part.ready else "red", markup=False, soft_wrap=True)
    if not all(part.ready for part in examined):
        click.get_current_context().exit(1)
    methods = [REFERENCE_METHOD, *(part.expression for part in examined)]
    named = [word for method in methods for word in ("--method", method)]
    say(f"next: {command('run', '--losses', file, *named, '--workload', 'digits')}")


def print_findings(examined: "Examined", to: "Console") -> None:
    """Print a table of a part's checks and their results."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    to.print(f"{examined.name} ({examined.kind})", style="bold", markup=False)
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in ("check", "state", "message"):
        table.add_column(column, overflow="fold")
    for finding in sorted(examined.findings, key=lambda finding: finding.is_failure):  # failures last, near the verdict
        if finding.state == "untried":  # the one error is enough
            continue
        table.add_row(finding.check, Text(finding.state, style=_COLORS[finding.state]), Text(finding.message))
    to.print(table)
