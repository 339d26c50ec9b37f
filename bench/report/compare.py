"""How a comparison is shown, one line per cell: in a terminal, as Markdown and as JSON."""

import html
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import formatting
from bench.report.compare_text import Presented, changes, first_gate, notes, summary, verdict, word
from bench.statistics.gates.comparison import Row
from bench.statistics.gates.verdicts import GateFinding

if TYPE_CHECKING:
    from rich.table import Table

_COLORS: Final = {"worse": "bold red", "better": "bold green", "not comparable": "dim"}
_EVIDENCE: Final = 0.5
"""From here on a p says no more than that the effect is not beyond the tolerance."""


def headings(shown: Presented) -> list[str]:
    if first_gate(shown.comparison.rows) == "golden":
        return ["verdict", "method", "largest difference", "remarks"]
    if all(row.key is None for row in shown.comparison.rows):
        return ["verdict", "benchmark", "time", "remarks"]
    return ["verdict", "method", "workload", "quality", "detectable", "failed", "time", "remarks"]


def cells(shown: Presented, row: Row) -> list[str]:
    """Write one row for people."""
    by_gate = {finding.gate: finding for finding in row.findings}
    words = "flagged" if row.flagged and row.verdict != "worse" else word(row.verdict, [row])
    remarks = "; ".join(dict.fromkeys([*_remarks(row), *row.notes]))
    if row.key is None:
        if row.findings[0].gate == "golden":
            (only,) = row.findings
            return [words, row.name, effect(only), "; ".join(filter(None, (only.note, *row.notes)))]
        whole = ", ".join(filter(None, (row.name, row.setting)))
        line = {"verdict": words, "benchmark": whole, "method": row.name, "workload": row.setting, "remarks": remarks}
        line["time"] = effect(by_gate["timing"])
        return [line.get(name, formatting.MISSING) for name in headings(shown)]
    telling = [f"{name} {getattr(row.key, name)}" for name in shown.ambiguous[row.workload]]
    place = shown.place(row)
    workload = f"{place} ({', '.join(telling)})" if telling else place
    quality, failed, time = (by_gate[gate] for gate in ("quality", "failures", "throughput"))
    seen = detectable(quality)
    return [words, row.name, workload, effect(quality), seen, _counts(failed), effect(time), remarks]


def effect(finding: GateFinding) -> str:
    """Write an effect with its interval and p: "×1.23 (1.05 to 1.44), p .003"."""
    if finding.verdict == "not comparable" or finding.effect is None:
        return formatting.MISSING
    if finding.scale == "relative":
        return f"{finding.effect:.1e}" if finding.effect else "0"
    if finding.scale == "difference":
        # In scores, where less is worse, as people read them.
        numbers = [-value for value in (finding.effect, finding.high, finding.low) if value is not None]
        first, *interval = [formatting.signed(value) for value in numbers]
    else:
        numbers = [value for value in (finding.effect, finding.low, finding.high) if value is not None]
        first, *interval = [f"{value:.2f}" for value in numbers]
        first = f"×{first}"
    between = f" ({interval[0]} to {interval[1]})" if len(interval) == 2 else ""
    return f"{first}{between}" + (f", p {_p(finding.p)}" if finding.p is not None and finding.p < _EVIDENCE else "")


def detectable(finding: GateFinding) -> str:
    """Write the smallest worsening that would be found: "×1.35", of scores "-0.12"; "nothing" where none would be."""
    if finding.verdict == "not comparable" or (finding.able and finding.detectable is None):
        return formatting.MISSING
    if finding.detectable is None:
        return "nothing"
    return f"-{finding.detectable:.2f}" if finding.scale == "difference" else f"×{finding.detectable:.2f}"


def to_table(shown: Presented) -> "Table":
    """Return the table for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in headings(shown):
        table.add_column(name, overflow="fold", no_wrap=name in ("verdict", "failed"))
    for row in shown.rows:
        line = [Text(cell) for cell in cells(shown, row)]
        line[0].stylize("bold yellow" if row.flagged else _COLORS.get(row.verdict, ""))
        table.add_row(*line)
    return table


def to_markdown(shown: Presented) -> str:
    """Write a comment for a pull request: what matters in sight, what has not changed folded away."""
    alarms = [row for row in shown.rows if shown.alarming(row)]
    others = [row for row in shown.rows if row not in alarms]
    parts = [
        f"### {escape_markdown(summary(shown))}",
        escape_markdown(verdict(shown)),
        f"BASE: {escape_markdown(shown.base)}<br>NEW: {escape_markdown(shown.new)}",
    ]
    changed = changes(shown)
    if changed:
        parts.append("What changed:\n\n" + "\n".join(f"- {escape_markdown(line)}" for line in changed))
    if shown.comparison.warnings:
        parts.append("\n".join(f"- **{escape_markdown(line)}**" for line in shown.comparison.warnings))
    if alarms:
        parts.append(_grid(shown, alarms))
    if shown.commands:
        parts.append("Fresh seeds for the flagged cells:\n\n" + _fenced("\n".join(shown.commands)))
    if others:
        title = f"{formatting.plural(len(others), 'line')} without alarm"
        parts.append(f"<details><summary>{title}</summary>\n\n{_grid(shown, others)}\n\n</details>")
    parts.append("\n".join(f"- {escape_markdown(note)}" for note in notes(shown)))
    return "\n\n".join(part for part in parts if part) + "\n"


def to_json(shown: Presented) -> str:
    """Write everything that is known, for a program."""
    document = {
        "summary": summary(shown),
        "outcome": shown.outcome,
        "base": shown.base,
        "new": shown.new,
        "settings": asdict(shown.comparison.settings),
        "allow_improvement": shown.allow_improvement,
        "allow_missing": shown.allow_missing,
        "unseen": dict(shown.comparison.unseen),
        "counts": dict(shown.comparison.counts),
        "changes": [asdict(change) for change in shown.comparison.changes],
        "warnings": list(shown.comparison.warnings),
        "commands": list(shown.commands),
        "rows": [
            {
                "name": row.name,
                "cell": asdict(row.key) if row.key else None,
                "setting": row.setting,
                "verdict": row.verdict,
                "flagged": row.flagged,
                "notes": list(row.notes),
                "unseen": row.unseen,
                "redefined": row.redefined,
                "gates": [asdict(finding) for finding in row.findings],
            }
            for row in shown.comparison.rows
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def escape_markdown(text: str) -> str:
    """Make a text show as it is in GitHub's Markdown, in a table too: no tags, links, emphasis or mentions."""
    plain = re.sub(r"([\\`*_\[\]~|#])", r"\\\1", " ".join(text.split()))
    return html.escape(plain, quote=False).replace("@", "&#64;")


def _grid(shown: Presented, rows: Sequence[Row]) -> str:
    lines = [headings(shown), ["---"] * len(headings(shown))]
    lines += [[escape_markdown(cell) for cell in cells(shown, row)] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fenced(text: str) -> str:
    """Fence code by more backticks than it has."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _remarks(row: Row) -> list[str]:
    """Name the gate that gave an alarm, and what else is worth a word."""
    alarms = [finding for finding in row.findings if finding.verdict in ("worse", "better")]
    # Of a line that rests on time alone nobody should think that its quality is what it says.
    alone = " alone" if row.key is not None and {finding.gate for finding in alarms} == {"throughput"} else ""
    said = [f"{finding.gate}{alone} {finding.verdict}" for finding in alarms]
    if row.unseen and row.unseen not in {finding.note for finding in row.findings}:
        said.append(row.unseen)
    words = {finding.note for finding in row.findings}
    if len(words) == 1:  # of all gates alike
        return [*said, *(word for word in words if word)]
    said += [f"{finding.gate}: {finding.note}" for finding in row.findings if finding.note]
    compared = [finding for finding in row.findings if finding.verdict != "not comparable"]
    if not alarms and row.verdict == "not comparable" and compared:
        said += [f"{finding.gate} alone {finding.verdict}" for finding in compared]
    return said


def _counts(finding: GateFinding) -> str:
    if finding.base is None or finding.new is None:
        return formatting.MISSING
    before, after = round(finding.base * finding.base_count), round(finding.new * finding.new_count)
    return f"{before}/{finding.base_count} → {after}/{finding.new_count}"


def _p(value: float) -> str:
    return "< .0001" if value < 1e-4 else f"{value:.2g}"
