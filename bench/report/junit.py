"""A comparison as JUnit XML, which every continuous integration shows: one suite per gate, one case per cell."""

import re
import xml.etree.ElementTree as ET

from bench.report.compare import effect
from bench.report.compare_text import Presented, summary, verdict
from bench.statistics.gates.comparison import Row
from bench.statistics.gates.verdicts import GateFinding

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold at all, escaped or not."""


def to_junit(shown: Presented) -> str:
    """Write one case per cell and gate: failed where there is an alarm or nothing was compared, else skipped or passed.

    If nothing was compared at all there is one more case, which is an error, so that the whole does not look green.
    """
    root = ET.Element("testsuites", name="bench compare")
    gates = dict.fromkeys(finding.gate for row in shown.comparison.rows for finding in row.findings)
    for gate in gates:
        findings = [(row, finding) for row in shown.rows for finding in row.findings if finding.gate == gate]
        suite = ET.SubElement(root, "testsuite", name=gate, tests=str(len(findings)))
        results = [_case(suite, row, finding, shown) for row, finding in findings]
        suite.set("failures", str(results.count("failure")))
        suite.set("skipped", str(results.count("skipped")))
        suite.set("errors", "0")
    if shown.outcome == "nothing" or (shown.outcome == "incomplete" and shown.comparison.unmeasured):
        suite = ET.SubElement(root, "testsuite", name="comparison", tests="1", failures="0", skipped="0", errors="1")
        name = "anything comparable" if shown.outcome == "nothing" else "all that BASE has"
        case = ET.SubElement(suite, "testcase", classname="comparison", name=name)
        ET.SubElement(case, "error", message=_clean(f"{summary(shown)} {verdict(shown)}"))
    for count in ("tests", "failures", "skipped", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: Row, finding: GateFinding, shown: Presented) -> str:
    name = f"{row.name} on {shown.place(row)}, {row.key.setting}" if row.key else row.name
    case = ET.SubElement(suite, "testcase", classname=_clean(f"{finding.gate}.{row.workload}"), name=_clean(name))
    words = "; ".join(word for word in (effect(finding), finding.note, *row.notes) if word)
    better = finding.verdict == "better" and not shown.allow_improvement
    # The gate that decides answers for what nobody has looked at.
    unseen = finding is row.decisive and row.blocks(allow_missing=shown.allow_missing)
    alarm = finding.flagged is not None or finding.verdict == "worse" or better or unseen
    # Where nothing at all was compared, the one error says so.
    if alarm and not (unseen and shown.outcome == "nothing"):
        kind = (
            "flagged" if finding.flagged else "redefined" if row.redefined else "unseen" if unseen else finding.verdict
        )
        words = row.unseen if kind == "unseen" else words
        ET.SubElement(case, "failure", message=_clean(f"{kind}: {words}"), type=kind)
        return "failure"
    if finding.verdict == "not comparable":
        ET.SubElement(case, "skipped", message=_clean(f"not comparable: {words}"))
        return "skipped"
    ET.SubElement(case, "system-out").text = _clean(f"{finding.verdict}: {words}")
    return "passed"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
