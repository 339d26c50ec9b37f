"""A comparison in words: the summary, what changed, a line a cell; for a terminal, as Markdown and as JSON."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from bench.report import wording
from bench.statistics.gates.cells import SETTING, CellKey
from bench.statistics.gates.comparison import CONTRADICTION, Comparison, Outcome, Row
from bench.statistics.gates.golden import FLOOR, OTHER_PLACE, SAME_PLACE
from bench.statistics.gates.verdicts import RATIO_BOUND, SCORE_BOUND, Finding, Verdict

if TYPE_CHECKING:
    from rich.table import Table

_COLOURS: Final = {"worse": "bold red", "better": "bold green", "not comparable": "dim"}
_ORDER: Final[tuple[Verdict, ...]] = ("worse", "better", "inconclusive", "equivalent", "not comparable")
_REASONS: Final = 3
"""How many different reasons a summary names before it counts the rest."""


@dataclass(frozen=True)
class Presented:
    """A comparison with everything that is said about it."""

    comparison: Comparison
    base: str
    """What BASE is, in words."""
    new: str
    allow_improvement: bool
    commands: tuple[str, ...] = ()
    """What to run for the flagged cells."""

    @property
    def outcome(self) -> Outcome:
        return self.comparison.outcome(allow_improvement=self.allow_improvement)

    @property
    def rows(self) -> list[Row]:
        """The rows, alarms first."""
        return sorted(
            self.comparison.rows,
            key=lambda row: (not row.flagged, _ORDER.index(row.verdict), row.workload, row.name, row.key),
        )

    @cached_property
    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """What else tells the cells of a workload apart, where a method stands there more than once."""
        found: dict[str, list[CellKey]] = {}
        for row in self.comparison.rows:
            if row.key is not None:
                found.setdefault(row.workload, []).append(row.key)
        return {
            workload: tuple(name for name in SETTING if len({getattr(key, name) for key in keys}) > 1)
            for workload, keys in found.items()
        }


def summary(shown: Presented) -> str:
    """Say in one line how it ended: "2 of 40 cells worse; 3 not comparable: another protocol"."""
    rows, counts = shown.comparison.rows, shown.comparison.counts
    if not rows:
        return "Nothing to compare: neither side has a result."
    things = {"golden": "golden trace", "timing": "benchmark"}.get(_first_gate(rows), "cell")
    said = [f"{counts['worse']:,} of {wording.plural(len(rows), things)} {_word('worse', rows)}"]
    flagged = sum(row.flagged for row in rows)
    if flagged:
        said.append(f"{flagged:,} flagged, which fresh seeds must confirm")
    said += [
        f"{counts[verdict]:,} {verdict}" for verdict in ("better", "equivalent", "inconclusive") if counts[verdict]
    ]
    if counts["not comparable"]:
        said.append(f"{counts['not comparable']:,} not comparable: {_why(rows)}")
    return "; ".join(said) + "."


def verdict(shown: Presented) -> str:
    """Say what that means for whoever waits for the exit code."""
    if shown.outcome == "regression" and _first_gate(shown.comparison.rows) == "golden":
        return (
            "Changed: a loss or the engine computes other numbers than it did. Where that is meant, raise the "
            "`revision` of the part that has changed (losses.VERSION or ENGINE_VERSION where all share it) and record "
            "the traces anew with `golden`; --allow-improvement does not let it pass."
        )
    return {
        "passed": "No regression found." + _blindness(shown.comparison),
        "regression": "Regression.",
        "improvement": "An improvement that nobody has explained fails like a regression of its size: the protocol "
        "or a measurement may have changed. Where it is meant, allow it with --allow-improvement and freeze it.",
        "flagged": "Not passed yet: run the flagged cells on fresh seeds, then compare with --stage 2.",
        "nothing": "Nothing was compared, which is no pass." + _blindness(shown.comparison),
    }[shown.outcome]


def notes(shown: Presented) -> list[str]:
    """Say how verdicts are reached, and what the table leaves out."""
    settings = shown.comparison.settings
    findings = [finding for row in shown.comparison.rows for finding in row.findings]
    said = []
    if any(finding.gate == "quality" and finding.verdict != "not comparable" for finding in findings):
        how = {
            "once": "p < .05 after Holm over all cells",
            "1": "p < .05 in this screen flags a cell and decides nothing",
            "2": "p < .05 after Holm over the flagged cells, on fresh seeds alone",
        }[settings.stage]
        said.append(
            f"Quality: ratio of the geometric means of the last distance, above 1 is worse, with its 95 % interval; "
            f"scores of mode workloads by their difference. Worse: {how}, and beyond {RATIO_BOUND:.2f} (scores "
            f"{SCORE_BOUND:.2f}). Equivalent: the interval lies within. A failed run counts as untrained."
        )
    if any(finding.gate == "failures" and finding.verdict != "not comparable" for finding in findings):
        said.append("Failures: Fisher's exact test, p < .01.")
    if any(finding.gate in ("throughput", "timing") and finding.verdict != "not comparable" for finding in findings):
        said.append(
            f"Time: ratio of the medians, above 1 is slower; worse beyond {100 * settings.threshold:g} % with p < .002 "
            "(Mann-Whitney), on equal machines only."
        )
    if any(finding.gate == "golden" and finding.verdict != "not comparable" for finding in findings):
        said.append(
            f"Golden traces: the largest difference, relative to the larger number, or to {FLOOR:g} of the quantity's "
            f"largest where both are smaller. Changed: beyond {SAME_PLACE:g} within a minor version of torch and a "
            f"model of processor, beyond {OTHER_PLACE:g} across; the remark names the first number that is."
        )
    elsewhere = {f.note for f in findings if f.gate == "throughput" and f.verdict == "not comparable" and f.note}
    if any("other machines" in note for note in elsewhere):
        said.append("Throughput was not compared where the sets come from other machines or versions of torch.")
    if any(word.startswith(CONTRADICTION) for row in shown.comparison.rows for word in row.notes):
        said.append(
            f"{CONTRADICTION.capitalize()}: trials that are equal to the last component, on equal machines, came out "
            "otherwise. Something that changes results has no version of its own, or the machine is not deterministic."
        )
    return said


def changes(shown: Presented) -> list[str]:
    """List what differs between the sets: "engine: 3 -> 4"."""
    return [f"{each.what}: {_listed(each.base)} → {_listed(each.new)}" for each in shown.comparison.changes]


def headings(shown: Presented) -> list[str]:
    if _first_gate(shown.comparison.rows) == "golden":
        return ["verdict", "method", "largest difference", "remarks"]
    if all(row.key is None for row in shown.comparison.rows):
        return ["verdict", "benchmark", "time", "remarks"]
    return ["verdict", "method", "workload", "quality", "failed", "time", "remarks"]


def cells(shown: Presented, row: Row) -> list[str]:
    """Write one row for people."""
    found = {finding.gate: finding for finding in row.findings}
    words = "flagged" if row.flagged and row.verdict != "worse" else _word(row.verdict, [row])
    remarks = "; ".join(dict.fromkeys([*_remarks(row), *row.notes]))
    if row.key is None:
        if row.findings[0].gate == "golden":
            (only,) = row.findings
            return [words, row.name, effect(only), "; ".join(filter(None, (only.note, *row.notes)))]
        whole = ", ".join(filter(None, (row.name, row.setting)))
        line = {"verdict": words, "benchmark": whole, "method": row.name, "workload": row.setting, "remarks": remarks}
        line["time"] = effect(found["timing"])
        return [line.get(name, wording.MISSING) for name in headings(shown)]
    telling = [f"{name} {getattr(row.key, name)}" for name in shown.ambiguous[row.workload]]
    workload = f"{row.workload} ({', '.join(telling)})" if telling else row.workload
    quality, failed, time = (found[gate] for gate in ("quality", "failures", "throughput"))
    return [words, row.name, workload, effect(quality), _counts(failed), effect(time), remarks]


def effect(finding: Finding) -> str:
    """Write an effect with its interval and p: "×1.23 (1.05 to 1.44), p .003"."""
    if finding.verdict == "not comparable" or finding.effect is None:
        return wording.MISSING
    if finding.scale == "relative":
        return f"{finding.effect:.1e}" if finding.effect else "0"
    if finding.scale == "difference":
        # In scores, where less is worse, as people read them.
        numbers = [-value for value in (finding.effect, finding.high, finding.low) if value is not None]
        first, *interval = [f"{value + 0.0:+.3f}" for value in numbers]
    else:
        numbers = [value for value in (finding.effect, finding.low, finding.high) if value is not None]
        first, *interval = [f"{value:.2f}" for value in numbers]
        first = f"×{first}"
    between = f" ({interval[0]} to {interval[1]})" if len(interval) == 2 else ""
    return f"{first}{between}" + (f", p {_p(finding.p)}" if finding.p is not None else "")


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
        line[0].stylize("bold yellow" if row.flagged else _COLOURS.get(row.verdict, ""))
        table.add_row(*line)
    return table


def to_markdown(shown: Presented) -> str:
    """Write a comment for a pull request: what matters in sight, what has not changed folded away."""
    alarms = [row for row in shown.rows if row.flagged or row.verdict in ("worse", "better")]
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
        title = f"{wording.plural(len(others), 'line')} without alarm"
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


def _first_gate(rows: Sequence[Row]) -> str:
    """Return the gate that tells of what kind the rows are."""
    return rows[0].findings[0].gate if rows else ""


def _word(verdict: Verdict, rows: Sequence[Row]) -> str:
    """Return a verdict as people read it: a golden trace that differs has changed, for better or worse."""
    return "changed" if verdict == "worse" and _first_gate(rows) == "golden" else verdict


def _grid(shown: Presented, rows: Sequence[Row]) -> str:
    lines = [headings(shown), ["---"] * len(headings(shown))]
    lines += [[escape_markdown(cell) for cell in cells(shown, row)] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _fenced(text: str) -> str:
    """Fence code by more backticks than it has."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _why(rows: Sequence[Row]) -> str:
    found = [row.findings[0].note for row in rows if row.verdict == "not comparable"]
    reasons = sorted(set(found), key=lambda reason: (-found.count(reason), reason))
    said = [f"{reason} ({found.count(reason)})" if len(reasons) > 1 else reason for reason in reasons[:_REASONS]]
    rest = len(reasons) - len(said)
    return ", ".join(said) + (f", and {wording.plural(rest, 'other reason')}" if rest else "")


def _blindness(comparison: Comparison) -> str:
    """Say for each gate in how many cells no difference could have been found."""
    said = []
    for gate in ("quality", "failures", "throughput", "timing"):
        findings = [
            finding
            for row in comparison.rows
            for finding in row.findings
            if finding.gate == gate and finding.verdict != "not comparable"
        ]
        blind = sum(not finding.able for finding in findings)
        if blind:
            said.append(f"{gate} {blind} of {len(findings)}")
    if not said:
        return ""
    return f" Too few seeds for any difference to be found: {', '.join(said)}; run more with --seeds."


def _remarks(row: Row) -> list[str]:
    """Name the gate that gave an alarm, and what else is worth a word."""
    said = [f"{finding.gate} {finding.verdict}" for finding in row.findings if finding.verdict in ("worse", "better")]
    words = {finding.note for finding in row.findings}
    if len(words) == 1:  # of all gates alike
        return [*said, *(word for word in words if word)]
    return [*said, *(f"{finding.gate}: {finding.note}" for finding in row.findings if finding.note)]


def _counts(finding: Finding) -> str:
    if finding.base is None or finding.new is None:
        return wording.MISSING
    before, after = round(finding.base * finding.base_count), round(finding.new * finding.new_count)
    return f"{before}/{finding.base_count} → {after}/{finding.new_count}"


def _p(value: float) -> str:
    return "< .0001" if value < 1e-4 else f"{value:.2g}"


def _listed(values: Sequence[str]) -> str:
    shown = [value[:12] if re.fullmatch(r"[0-9a-f]{16,}(-dirty)?", value) else value for value in values]
    return ", ".join(shown) if shown else "none"
