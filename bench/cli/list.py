"""`list`: what there is to run and to measure, read from the index and never from torch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import click

from bench.cli.options import format_option, print_json
from bench.cli.terminal import console
from bench.cli.voice import Verb

Row = dict[str, str]
Listed = Mapping[str, str | int]
"""A row as programs read it: a number is a number."""

_METHOD_KEYS: Final = ("name", "summary", "alias_of", "expression", "formula", "citation")
_PART_KEYS: Final = ("name", "kind", "summary", "alias_of", "revision", "formula", "citation")
_NOT_IN_COLUMNS: Final = (
    *("alias_of", "revision", "expression", "formula", "citation"),
    *("known", "unit", "bounds", "version", "needs", "average"),
)
"""What only the JSON tells, because a line of a terminal is short."""

_KNOWN: Final = {"measured": "at every evaluation", "constant": "from the real data", "summary": "at the end of a run"}
_WAYS: Final[dict[bool | None, str]] = {True: "higher", False: "lower", None: ""}


def _methods() -> list[Row]:
    from bench.report.methods import methods

    return [{key: getattr(method, key) for key in _METHOD_KEYS} for method in methods()]


def _parts() -> list[Row]:
    from bench.report.methods import parts

    return [{key: getattr(part, key) for key in _PART_KEYS} for part in parts()]


def _workloads() -> list[Listed]:
    from bench import data

    rows = [data.workload(name) for name in data.names()]
    named: list[Listed] = [{"name": row.name, "steps": row.steps, "summary": row.summary} for row in rows]
    forms = [family.form for family in data.families() if family.form is not None]
    return named + [
        {"name": form.usage, "steps": form.workload(form.example).steps, "summary": form.summary} for form in forms
    ]


def _suites() -> list[Row]:
    from bench.config.suite import shipped_suites

    return [{"name": shipped_suite.name, "summary": shipped_suite.summary} for shipped_suite in shipped_suites()]


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "" if low is None else f"{low:g} or more"
    return f"{low:g} to {high:g}"


def _metrics() -> list[Row]:
    from bench.config.judges import JUDGED_METRICS
    from bench.config.protocol import AVERAGE
    from bench.metrics.catalogue import CATALOGUE, has_average

    return [
        {
            "name": metric.name,
            "better": _WAYS[metric.higher_is_better],
            "summary": metric.summary,
            # What a judge measures, such as Inception, it measures once, after training.
            "known": _KNOWN["summary" if metric.kind == "measured" and metric.name in JUDGED_METRICS else metric.kind],
            "unit": metric.unit,
            "bounds": _bounds(*metric.bounds),
            "version": metric.version,
            "needs": ", ".join(metric.needs),
            "average": f"{AVERAGE}{metric.name}" if has_average(metric) else "",
        }
        for metric in CATALOGUE.values()
    ]


KINDS: Final[dict[str, Callable[[], Sequence[Listed]]]] = {
    "methods": _methods,
    "workloads": _workloads,
    "suites": _suites,
    "parts": _parts,
    "metrics": _metrics,
}


@click.command(name="list", cls=Verb, short_help="List methods, workloads, suites, parts or metrics.")
@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
@format_option()
def list_(kind: str | None, style: str) -> None:
    """List methods, workloads, suites, parts or metrics; all of them if none is named.

    Parts are joined to expressions with " + ": "hinge + r1(gamma=1, every=16)".
    """
    kinds = [kind] if kind else list(KINDS)
    listed = {name: KINDS[name]() for name in kinds}
    if style == "json":
        print_json(listed[kind] if kind else listed)
        return
    for name, rows in listed.items():
        if len(listed) > 1:
            console().print(name, style="bold", markup=False, soft_wrap=True)
        for line in _aligned([_columns(row) for row in rows]):
            click.echo(f"  {line}" if len(listed) > 1 else line)
        if len(listed) > 1:
            click.echo()


def _columns(row: Listed) -> Row:
    """Keep what fits a line; an alias says so in its summary."""
    words = {key: value if isinstance(value, str) else f"{value:,}" for key, value in row.items()}
    shown = {key: value for key, value in words.items() if key not in _NOT_IN_COLUMNS}
    if row.get("alias_of"):
        shown["summary"] += f" Alias of {row['alias_of']}, and trained as that."
    return shown


def _aligned(rows: Sequence[Row]) -> list[str]:
    """Lay rows out in columns, the last one ragged."""
    if not rows:
        return []
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]}
    return ["  ".join(row[key].ljust(widths[key]) for key in row).rstrip() for row in rows]
