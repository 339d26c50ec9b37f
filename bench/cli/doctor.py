"""`doctor`: is this machine fit to run the benchmark, and what to do if not."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from bench.cli.options import data_option, format_option, print_json, results_option
from bench.cli.voice import Verb

if TYPE_CHECKING:
    from bench.cli.checks import Check

_MARKS: Final = {"ok": ("ok", "green"), "note": ("note", "yellow"), "broken": ("broken", "red")}


@click.command(cls=Verb, short_help="Check this machine, and say how to fix it.")
@results_option
@data_option
@format_option()
def doctor(results: Path, data_dir: Path | None, style: str) -> None:
    """Check versions, device, libraries, shipped weights and data; exit with 1 when something needed is broken."""
    from bench.cli import checks, judge_checks

    findings = [
        checks.python_check(),
        *checks.system_checks(),
        *checks.torch_checks(checks.probe(checks.TORCH_PROBE), checks.probe(checks.TORCHVISION_PROBE)),
        *checks.library_checks(),
        checks.threads_check(),
        *checks.weight_checks(),
        judge_checks.inception_check(),
        *judge_checks.judge_checks(),
        *checks.data_checks(data_dir),
        checks.results_check(results),
    ]
    broken = sum(finding.state == "broken" for finding in findings)
    if style == "json":
        print_json({"ready": not broken, "checks": [_to_json(finding) for finding in findings]})
        click.get_current_context().exit(1 if broken else 0)
    from rich.text import Text

    from bench.cli.terminal import console

    to = console()
    for finding in findings:
        word, color = _MARKS[finding.state]
        to.print(Text.assemble((f"{word:<7}", color), f" {finding.name:<14} {finding.found}"), soft_wrap=True)
        if finding.fix:
            click.echo(f"{'':<7} {'':<14} -> {finding.fix}")
    if broken:
        click.echo(f"{broken} broken; see the arrows.")
        click.get_current_context().exit(1)
    click.echo("Ready. Try: python -m bench run")


def _to_json(check: "Check") -> dict[str, str]:
    return {"name": check.name, "state": check.state, "found": check.found, "mend": check.fix}
