"""A comparison in sentences: how it ended, what that means, what changed, and how verdicts are reached."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import formatting
from bench.statistics.gates.cells import SETTING, CellKey, data_of_kinds
from bench.statistics.gates.comparison import CONTRADICTION, Comparison, Outcome, Row
from bench.statistics.gates.golden import FLOOR, OTHER_PLACE, SAME_PLACE
from bench.statistics.gates.verdicts import (
    FAILURE_SIGNIFICANCE,
    FALSE_ALARMS,
    LOOSE_THRESHOLD,
    QUALITY_SIGNIFICANCE,
    RATIO_BOUND,
    SCORE_BOUND,
    SCREEN_SIGNIFICANCE,
    TIME_SIGNIFICANCE,
    GateVerdict,
)

_ORDER: Final[tuple[GateVerdict, ...]] = ("worse", "better", "inconclusive", "equivalent", "not comparable")
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
    allow_missing: bool = False

    @property
    def outcome(self) -> Outcome:
        return self.comparison.outcome(allow_improvement=self.allow_improvement, allow_missing=self.allow_missing)

    @property
    def rows(self) -> list[Row]:
        """Return the rows: alarms first, then what was not compared, then the rest."""
        return sorted(
            self.comparison.rows,
            key=lambda row: (
                *(not row.flagged, row.verdict != "worse", not self.alarming(row), _ORDER.index(row.verdict)),
                *(row.workload, row.name, row.key),
            ),
        )

    def alarming(self, row: Row) -> bool:
        """Whether a row needs attention: it changed, or it keeps the comparison from passing."""
        blocks = row.blocks(allow_missing=self.allow_missing)
        return row.flagged or blocks or row.verdict in ("worse", "better")

    def place(self, row: Row) -> str:
        """Return what a row's workload is called: with the folder that it reads where it is not the only one."""
        return row.reads if self._data_of[row.workload] > 1 else row.workload

    @cached_property
    def _data_of(self) -> Mapping[str, int]:
        """How many data each kind of workload has here."""
        return data_of_kinds(row.key for row in self.comparison.rows if row.key is not None)

    @cached_property
    def ambiguous(self) -> Mapping[str, tuple[str, ...]]:
        """Return what else tells cells of a workload apart, where a method has several."""
        keys_of: dict[str, list[CellKey]] = {}
        for row in self.comparison.rows:
            if row.key is not None:
                keys_of.setdefault(row.workload, []).append(row.key)
        return {
            workload: tuple(name for name in SETTING if len({getattr(key, name) for key in keys}) > 1)
            for workload, keys in keys_of.items()
        }


def summary(shown: Presented) -> str:
    """Say in one line how it ended: "2 of 40 cells worse; 3 not comparable: another protocol"."""
    rows, counts = shown.comparison.rows, shown.comparison.counts
    if not rows:
        return "Nothing to compare: neither side has a result."
    things = {"golden": "golden trace", "timing": "benchmark"}.get(first_gate(rows), "cell")
    said = [f"{counts['worse']:,} of {formatting.plural(len(rows), things)} {word('worse', rows)}"]
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
    """Say what that means for the exit code."""
    if shown.outcome == "regression" and first_gate(shown.comparison.rows) == "golden":
        return (
            "Changed: a loss or the engine computes other numbers than it did. Where that is meant, raise the "
            "`revision` of the part that has changed (losses.VERSION or ENGINE_VERSION where all share it) and record "
            "the traces anew with `golden`; --allow-improvement does not let it pass."
        )
    return {
        "passed": "No regression found." + _blindness(shown.comparison) + _unseen(shown, "Let pass unseen"),
        "regression": "Regression." + _unseen(shown, "Unseen"),
        "improvement": "An improvement that nobody has explained fails like a regression of its size: the protocol "
        "or a measurement may have changed. Where it is meant, allow it with --allow-improvement and freeze it.",
        "flagged": "Not passed yet: run the flagged cells on fresh seeds, then compare with --stage 2."
        + ("" if shown.allow_missing else _unseen(shown, "Unseen, which fails there, too")),
        "redefined": "Not passed: a name stands for another method than in BASE, and the two were not compared. Give "
        "the new one a name of its own, or freeze a new baseline with it.",
        "incomplete": f"Not passed: not all that BASE has was looked at.{_unseen(shown, 'Unseen')} Run what is "
        "missing, with more --seeds where they are too few; or, where it is meant to be missing, say --allow-missing. "
        "For what cannot be compared any more, freeze a new baseline." + _blindness(shown.comparison),
        "nothing": "Nothing was compared, which is no pass." + _blindness(shown.comparison),
    }[shown.outcome]


def notes(shown: Presented) -> list[str]:
    """Say how verdicts are reached, and what the table leaves out."""
    settings = shown.comparison.settings
    findings = [finding for row in shown.comparison.rows for finding in row.findings]
    said = []
    if any(finding.gate == "quality" and finding.verdict != "not comparable" for finding in findings):
        bound = f"{RATIO_BOUND:.2f} (scores {SCORE_BOUND:.2f})"
        beyond = f"that it is beyond {bound} has {_level(QUALITY_SIGNIFICANCE)} after Holm over"
        moved = f"{_level(SCREEN_SIGNIFICANCE)} that it moved, and an estimate beyond {bound}"
        how = {
            "once": f"{beyond} all cells and both directions",
            "1": f"{moved}, flag a cell and decide nothing",
            "2": f"{beyond} the flagged cells, on fresh seeds alone",
        }[settings.stage]
        said.append(
            "Quality: by which ratio the last distances moved, above 1 is worse, with its 95 % interval (Hodges and "
            f"Lehmann); scores of mode workloads by their difference. Worse: {how}. Equivalent: the interval lies "
            "within. Detectable: what four comparisons in five would find, if runs scatter as these do. A failed run "
            f"counts as untrained. All gates together raise an alarm in {100 * FALSE_ALARMS:g} % of comparisons of "
            "equal things, or fewer."
        )
    if any(finding.gate == "failures" and finding.verdict != "not comparable" for finding in findings):
        said.append(
            f"Failures: Fisher's exact test, {_level(FAILURE_SIGNIFICANCE)} over all cells and both directions."
        )
    loose = max(LOOSE_THRESHOLD, settings.threshold)
    if any(finding.gate in ("throughput", "timing") and finding.verdict != "not comparable" for finding in findings):
        said.append(
            f"Time: over {REFERENCE_METHOD}'s beside it, ratio of the medians, above 1 is slower. Worse: that it is "
            f"beyond {100 * settings.threshold:g} % (without {REFERENCE_METHOD} beside it {100 * loose:g} %; "
            f"benchmarks of pytest have none) has {_level(TIME_SIGNIFICANCE)} over all lines and both directions "
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


def _level(significance: float) -> str:
    return f"p < {significance:g}".replace("0.", ".")


def changes(shown: Presented) -> list[str]:
    """List what differs between the sets: "engine: 3 -> 4"."""
    return [f"{change.what}: {_listed(change.base)} → {_listed(change.new)}" for change in shown.comparison.changes]


def first_gate(rows: Sequence[Row]) -> str:
    """Return the gate of the first finding, which tells the kind of the rows."""
    return rows[0].findings[0].gate if rows else ""


def word(verdict: GateVerdict, rows: Sequence[Row]) -> str:
    """Return a verdict as people read it: a golden trace that differs has changed, for better or worse."""
    return "changed" if verdict == "worse" and first_gate(rows) == "golden" else verdict


def _why(rows: Sequence[Row]) -> str:
    given = [row.findings[0].note for row in rows if row.verdict == "not comparable"]
    reasons = sorted(set(given), key=lambda reason: (-given.count(reason), reason))
    said = [f"{reason} ({given.count(reason)})" if len(reasons) > 1 else reason for reason in reasons[:_REASONS]]
    rest = len(reasons) - len(said)
    return ", ".join(said) + (f", and {formatting.plural(rest, 'other reason')}" if rest else "")


def _blindness(comparison: Comparison) -> str:
    """Say for each gate in how many lines no difference could have been found, and what there are too few of."""
    blind = {}
    for gate in ("quality", "failures", "throughput", "timing"):
        findings = [
            finding
            for row in comparison.rows
            for finding in row.findings
            if finding.gate == gate and finding.verdict != "not comparable"
        ]
        if unable := sum(not finding.able for finding in findings):
            blind[gate] = f"{gate} {unable} of {len(findings)}"
    rounds = blind.pop("timing", "")
    said = ""
    if blind:
        said += f" Too few seeds for any difference to be found: {', '.join(blind.values())}; run more with --seeds."
    if rounds:  # a benchmark has no seeds
        said += f" Too few rounds for any difference to be found: {rounds}; time more of them."
    return said


def _unseen(shown: Presented, lead: str) -> str:
    """Say what of BASE was not looked at, and why: " Unseen: NEW has no result (2), 1 of NEW's runs lost (1)."."""
    counts = list(shown.comparison.unseen.items())
    if not counts:
        return ""
    rest = f", and {formatting.plural(len(counts) - _REASONS, 'other reason')}" if len(counts) > _REASONS else ""
    return f" {lead}: {', '.join(f'{why} ({count:,})' for why, count in counts[:_REASONS])}{rest}."


def _listed(values: Sequence[str]) -> str:
    shown = [value[:12] if re.fullmatch(r"[0-9a-f]{16,}(-dirty)?", value) else value for value in values]
    return ", ".join(shown) if shown else "none"
