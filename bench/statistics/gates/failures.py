"""The failure gate: does a method fail more often, or less often, than it did? Fisher's exact test, one-sided."""

from dataclasses import replace

from bench.statistics.exact import fisher, fisher_least
from bench.statistics.gates.cells import IDENTICAL, Pair
from bench.statistics.gates.verdicts import FAILURE_SIGNIFICANCE, Finding, incomparable
from bench.statistics.scores import is_failure


def failures(each: Pair) -> Finding:
    """Judge the failure counts of one cell.

    `base` and `new` are the shares of failed runs and `effect` their difference. Equal shares are never called
    equivalent: ten runs without a failure leave room for a failure in four.
    """
    if each.refusal:
        return incomparable("failures", each.refusal)
    if each.measured_otherwise:
        # What has diverged or never learned is told from distances.
        return incomparable("failures", f"measured by other versions: {each.measured_otherwise}")
    base, new = list(each.base.runs.values()), list(each.new.runs.values())
    before, after = sum(map(is_failure, base)), sum(map(is_failure, new))
    shares = before / len(base), after / len(new)
    worse = shares[1] >= shares[0]
    p = fisher(before, len(base), after, len(new)) if worse else fisher(after, len(new), before, len(base))
    able = fisher_least(len(base), len(new)) < FAILURE_SIGNIFICANCE
    finding = Finding(
        gate="failures",
        verdict="inconclusive",
        base=shares[0],
        new=shares[1],
        base_count=len(base),
        new_count=len(new),
        scale="difference",
        effect=shares[1] - shares[0],
        p=p,
        test="Fisher",
        able=able,
    )
    return _judged(finding, each, worse=worse)


def _judged(finding: Finding, each: Pair, *, worse: bool) -> Finding:
    if each.identical:
        return replace(finding, verdict="equivalent", able=True, note=IDENTICAL)
    if finding.p is not None and finding.p < FAILURE_SIGNIFICANCE:
        return replace(finding, verdict="worse" if worse else "better")
    return replace(finding, note="" if finding.able else "too few runs to tell")
