"""Kernel records as a terminal table, Markdown, CSV or JSON: pure functions of the records."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from bench.config.protocol import REFERENCE_METHOD
from bench.config.trial import PART
from bench.report import formatting
from bench.store.kernels import KernelRecord, Quartiles, Timing, groups

if TYPE_CHECKING:
    from rich.table import Table

Value = str | int | float | None

_METHOD: Final = "method"


def flat_rows(records: Sequence[KernelRecord]) -> Iterator[dict[str, Value]]:
    """Return every number of every path as a row; the machine-readable formats write exactly this."""
    for record in records:
        for timing in record.timings:
            yield {
                "method": record.label,
                "expression": record.method,
                **msgspec.structs.asdict(record.setting),
                "device": record.machine.environment.device_name,
                "threads": record.machine.environment.threads,
                "fingerprint": record.machine.fingerprint,
                "path": timing.path,
                **_named("seconds", timing.seconds),
                "reference_path": timing.reference,
                **_named("ratio", timing.ratio),
                "blocks": len(timing.blocks),
                "calls_a_block": timing.calls,
                **_profiled(record, timing),
            }


def _named(name: str, quartiles: Quartiles) -> dict[str, Value]:
    return {name: quartiles.median, f"{name}_low": quartiles.low, f"{name}_high": quartiles.high}


def _profiled(record: KernelRecord, timing: Timing) -> dict[str, Value]:
    profile = timing.profile
    if profile is None:
        return {}
    floor = profile.floor(record.machine.rates)
    return {
        "kernels": profile.kernels,
        "kernel_seconds": profile.kernel_seconds,
        "launch_share": profile.launch_share,
        "peak_extra_bytes": profile.peak_extra_bytes,
        "flops": profile.flops,
        "bytes": profile.bytes,
        "floor_seconds": floor,
        "distance_to_floor": timing.seconds.median / floor if floor else None,
    }


def to_csv(records: Sequence[KernelRecord]) -> str:
    """Write all rows; a value that does not exist is empty."""
    rows = list(flat_rows(records))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return text.getvalue()


def to_json(records: Sequence[KernelRecord], command: str) -> str:
    """Write all rows as one JSON document, each with its stages and the names of its longest kernels."""
    timings = [timing for record in records for timing in record.timings]
    rows = [
        {**row, "stages": timing.stages, "top_kernels": timing.profile.top if timing.profile else []}
        for row, timing in zip(flat_rows(records), timings, strict=True)
    ]
    return msgspec.json.format(msgspec.json.encode({"command": command, "rows": rows}), indent=2).decode() + "\n"


def to_markdown(records: Sequence[KernelRecord], command: str) -> str:
    """Write a table for each machine and setting as GitHub Markdown, with its notes below."""
    sections = []
    grouped = groups(records)
    for group, heading in zip(grouped, titles(grouped), strict=True):
        names, lines = cells(group)
        rulers = ["---" if name == _METHOD else "---:" for name in names]
        table = "\n".join("| " + " | ".join(line) + " |" for line in [names, rulers, *lines])
        listed = "\n".join(f"- {note}" for note in notes(group))
        sections.append(f"### {heading}\n\n{table}\n\n{listed}\n")
    return "\n".join([*sections, f"Regenerate with `{command}`.\n"])


def to_table(group: Sequence[KernelRecord]) -> "Table":
    """Return the table of one machine and setting for a terminal; the reference method is bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    names, lines = cells(group)
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        left = name == _METHOD
        table.add_column(
            name, justify="left" if left else "right", no_wrap=not left, overflow="fold", min_width=14 if left else 0
        )
    for line in lines:
        table.add_row(*map(Text, line), style="bold" if line[0] == REFERENCE_METHOD else "")
    return table


def title(group: Sequence[KernelRecord]) -> str:
    """Return a title that names what all rows of a table share."""
    setting, environment = group[0].setting, group[0].machine.environment
    threads = f", {formatting.plural(environment.threads, 'thread')}" if environment.device == "cpu" else ""
    return f"{environment.device_name}{threads} [{group[0].machine.fingerprint}]: {setting.description}"


def titles(tables: Sequence[Sequence[KernelRecord]]) -> list[str]:
    """Return the titles of tables beside each other; of one machine and setting, with the versions that differ."""
    said = [title(group) for group in tables]
    shared = [
        {name: version for name, version in group[0].components.items() if not name.startswith(PART)}
        for group in tables
    ]
    return [
        ", ".join([words, *(f"{name} {own[name]}" for name in sorted(own) if _differs(name, words, said, shared))])
        for words, own in zip(said, shared, strict=True)
    ]


def _differs(name: str, words: str, said: Sequence[str], shared: Sequence[Mapping[str, str]]) -> bool:
    """Say whether a component has several versions among the tables of one title."""
    return len({own.get(name) for own, others in zip(shared, said, strict=True) if others == words}) > 1


def cells(group: Sequence[KernelRecord]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows for people, cheapest D step first; empty columns are left out."""
    ordered = sorted(group, key=cost)
    names = [_METHOD, *_COLUMNS]
    lines = [[label(record), *(column(record) for column in _COLUMNS.values())] for record in ordered]
    used = [index for index in range(len(names)) if any(line[index] != formatting.MISSING for line in lines)]
    return [names[index] for index in used], [[line[index] for index in used] for line in lines]


def label(record: KernelRecord) -> str:
    """Name the method, with how many such steps it makes for one of the generator where it is more than one."""
    return record.label if record.critic_steps == 1 else f"{record.label} (D step x {record.critic_steps})"


def cost(record: KernelRecord) -> tuple[float, str]:
    """Return the number by which tables are sorted."""
    timing = record.timing("d_step") or record.timing("loss")
    return (timing.ratio.median if timing else 0.0, record.label)


def _seconds(path: str, unit: float) -> Callable[[KernelRecord], str]:
    def written(record: KernelRecord) -> str:
        timing = record.timing(path)
        return formatting.MISSING if timing is None else _significant(timing.seconds.median / unit)

    return written


def _ratio(path: str, *, spread: bool) -> Callable[[KernelRecord], str]:
    def written(record: KernelRecord) -> str:
        timing = record.timing(path)
        if timing is None:
            return formatting.MISSING
        quartiles = f" ({timing.ratio.low:.2f}–{timing.ratio.high:.2f})" if spread else ""
        return f"{timing.ratio.median:.2f}{quartiles}"

    return written


def _passes(record: KernelRecord) -> str:
    """Write forward, backward and double backward of the discriminator's loss."""
    times = [_seconds(f"loss.{direction}", 1e-6)(record) for direction in ("forward", "backward", "double_backward")]
    return formatting.MISSING if all(time == formatting.MISSING for time in times) else "/".join(times)


def _of_d_step(name: str, written: Callable[[Value], str]) -> Callable[[KernelRecord], str]:
    def column(record: KernelRecord) -> str:
        timing = record.timing("d_step")
        value = None if timing is None else _profiled(record, timing).get(name)
        return formatting.MISSING if value is None else written(value)

    return column


_COLUMNS: Final[dict[str, Callable[[KernelRecord], str]]] = {
    "L_D µs": _seconds("loss", 1e-6),
    "fw/bw/dbl": _passes,
    "L_G µs": _seconds("generator_loss", 1e-6),
    "penalty ms": _seconds("penalty", 1e-3),
    "terms ms": _seconds("terms", 1e-3),
    "D step ms": _seconds("d_step", 1e-3),
    f"x {REFERENCE_METHOD}": _ratio("d_step", spread=True),
    "G step ms": _seconds("g_step", 1e-3),
    f"x {REFERENCE_METHOD}'s": _ratio("g_step", spread=False),
    "kernels": _of_d_step("kernels", lambda value: f"{value:,}"),
    "launch": _of_d_step("launch_share", lambda value: formatting.percent(float(value or 0.0))),
    "MB": _of_d_step("peak_extra_bytes", lambda value: _significant(float(value or 0.0) / 1e6)),
    "x floor": _of_d_step("distance_to_floor", lambda value: _significant(float(value or 0.0))),
}


def _significant(value: float) -> str:
    """Write about two digits after the leading one: 123 · 45.6 · 7.89 · 0.012."""
    return formatting.distance(value)


def notes(group: Sequence[KernelRecord]) -> list[str]:
    """Say in full sentences what the columns are."""
    cpu = group[0].machine.environment.device == "cpu"
    kernel = "operators called" if cpu else "kernels launched"
    rates = group[0].machine.rates
    said = [
        f"Medians over blocks of calls that alternate with {REFERENCE_METHOD}'s in the same process (A B B A); x: the "
        "ratio to its step, the D step's with quartiles. Its own row shows how far apart two equal methods can be.",
        "L_D, L_G: the losses on logits, forward and backward; fw/bw/dbl: L_D's forward, backward and double backward.",
        "penalty, terms: the terms of either phase by themselves, with every forward and backward they need; in a step "
        "they share some of these, so what they add is the step's ratio.",
        f"Of the D step: {kernel}, the share of the wall clock in which none ran, memory above what was held, "
        f"and its time over the machine's floor ({rates.flops_per_second / 1e9:,.0f} GFLOP/s, "
        f"{rates.bytes_per_second / 1e9:,.1f} GB/s).",
    ]
    missing = {f"{record.label}: {note}." for record in group for note in record.notes}
    return said + sorted(missing)
