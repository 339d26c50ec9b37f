"""The failure gate: does a method fail more often, or less often, than it did? Fisher's exact test, one-sided.

Of many cells most have hardly a failure, and cannot give a small p whatever comes: they are no chance for a false
alarm, and cost the others no power (Tarone, Biometrics 46 (1990)). Which they are follows from the failures of both
sides together, which is what Fisher's test takes as given.
"""

from collections.abc import Sequence
from dataclasses import replace

from bench.statistics.exact import fisher, fisher_least
from bench.statistics.gates.cells import IDENTICAL, Pair
from bench.statistics.gates.verdicts import FAILURE_SIGNIFICANCE, GateFinding, incomparable
from bench.statistics.scores import is_failure

_ONE_DIRECTION = FAILURE_SIGNIFICANCE / 2.0


def failures_of(pairs: Sequence[Pair]) -> list[GateFinding]:
    """Judge the failure counts of all cells, at the level that they have together."""
    tested = [pair for pair in pairs if not pair.refusal and not pair.measured_otherwise and pair.tested]
    least = [min(_least(pair, direction) for direction in (1, -1)) for pair in tested]
    family = next(
        (count for count in range(1, len(least) + 1) if sum(p < _ONE_DIRECTION / count for p in least) <= count), 1
    )
    return [failures(pair, family) for pair in pairs]


def failures(pair: Pair, family: int = 1) -> GateFinding:
    """Judge the failure counts of one cell of a `family` of so many.

    `base` and `new` are the shares of failed runs and `effect` their difference. Equal shares are never called
    equivalent: ten runs without a failure leave room for a failure in four.
    """
    if pair.refusal:
        return incomparable("failures", pair.refusal)
    if pair.measured_otherwise:
        # What has diverged or never learned is told from distances.
        return incomparable("failures", f"measured by other versions: {pair.measured_otherwise}")
    before, base, after, new = _counts(pair)
    shares = before / base, after / new
    worse = shares[1] >= shares[0]
    p = fisher(before, base, after, new) if worse else fisher(after, new, before, base)
    finding = GateFinding(
        gate="failures",
        verdict="inconclusive",
        base=shares[0],
        new=shares[1],
        base_count=base,
        new_count=new,
        scale="difference",
        effect=shares[1] - shares[0],
        p=p,
        adjusted_p=min(1.0, 2.0 * family * p),
        test="Fisher",
        able=fisher_least(base, new) < _ONE_DIRECTION / family,
    )
    if not pair.tested:
        return replace(finding, verdict="equivalent", able=True, note=IDENTICAL if pair.identical else "repeats BASE")
    if p < _ONE_DIRECTION / family:
        return replace(finding, verdict="worse" if worse else "better")
    return replace(finding, note="" if finding.able else "too few runs to tell")


def _counts(pair: Pair) -> tuple[int, int, int, int]:
    """Return failures and runs of BASE, and of what is tested of NEW; of all of it where it only repeats BASE."""
    base, new = list(pair.base.runs.values()), list((pair.tested or pair.new.runs).values())
    return sum(map(is_failure, base)), len(base), sum(map(is_failure, new)), len(new)


def _least(pair: Pair, direction: int) -> float:
    """Return the smallest p that so many failures, of both sides together, can give."""
    before, base, after, new = _counts(pair)
    if direction < 0:
        before, base, after, new = after, new, before, base
    worst = min(before + after, new)
    return fisher(before + after - worst, base, worst, new)
