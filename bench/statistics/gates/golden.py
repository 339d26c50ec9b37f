"""The gate of golden traces: does every loss still compute what it did? Any difference counts, in either direction.

Two numbers differ by |base - new| / max(|base|, |new|, floor), where the floor is `FLOOR` of the largest number of
that quantity in the two traces: what passes through zero, as the gap between logits does, is held to the scale that it
has elsewhere.
"""

import math
from dataclasses import replace
from itertools import zip_longest
from typing import Final, NamedTuple

from bench.statistics.gates.verdicts import GateFinding, incomparable
from bench.store.golden import GoldenTraces, Trace

SAME_PLACE: Final = 1e-5
OTHER_PLACE: Final = 1e-3
"""The largest relative difference that is none: within one minor version of torch on one model of processor, and across
either. Another processor adds in another order, and the roundings grow from step to step."""

FLOOR: Final = 1e-2


class Step(NamedTuple):
    """One number of both traces: how far apart they are, relatively; infinite where one of them is not finite."""

    difference: float
    quantity: str
    step: int
    base: float | None
    new: float | None


def tolerance(base: GoldenTraces, new: GoldenTraces) -> float:
    """Return the largest relative difference that counts as none."""
    same = base.torch_minor == new.torch_minor and base.cpu == new.cpu
    return SAME_PLACE if same else OTHER_PLACE


def trace(base: GoldenTraces | None, new: GoldenTraces, before: Trace | None, after: Trace | None) -> GateFinding:
    """Judge one method's trace; `effect` is its largest relative difference, and `base` and `new` the numbers of it.

    Args:
        base: what there was, or None where there is nothing.
        new: what there is.
        before: the method's trace in `base`, or None where it has none.
        after: the method's trace in `new`, or None where it has none.
    """
    if base is None or before is None or after is None:
        lacking = "NEW" if after is None else "BASE"
        return incomparable("golden", f"{lacking} has no such trace", excused=before is None, missing=after is None)
    if base.setting != new.setting:
        return incomparable("golden", "recorded in another setting")
    if base.device != new.device:
        return incomparable("golden", f"recorded on {base.device} against {new.device}")
    allowed = tolerance(base, new)
    steps = differences(before, after)
    if not steps:
        return incomparable("golden", "neither has any number")
    largest = max(steps, key=lambda step: step.difference)
    finding = GateFinding(
        gate="golden",
        verdict="equivalent",
        base=largest.base,
        new=largest.new,
        base_count=len(steps),
        new_count=len(steps),
        scale="relative",
        effect=largest.difference,
        able=True,
    )
    first = next((step for step in steps if step.difference > allowed), None)
    if first is None:
        return finding
    said = f"{first.quantity} at step {first.step}: {_number(first.base)} → {_number(first.new)}"
    if before.expression != after.expression:
        said += f" ({before.expression} → {after.expression})"
    return replace(finding, verdict="worse", note=said)


def differences(before: Trace, after: Trace) -> list[Step]:
    """Return how far apart two traces are: step by step, and at each step every quantity in the order of BASE.

    A quantity that one of them lacks, or has for fewer steps, is no finite number there.
    """
    quantities = dict.fromkeys([*before.values, *after.values])
    steps = []
    for quantity in quantities:
        one, other = before.values.get(quantity, []), after.values.get(quantity, [])
        floor = FLOOR * max((abs(value) for value in (*one, *other) if value is not None), default=0.0)
        for step, (old, now) in enumerate(zip_longest(one, other)):
            steps.append(Step(_difference(old, now, floor), quantity, step, old, now))
    return sorted(steps, key=lambda compared: compared.step)


def _difference(old: float | None, now: float | None, floor: float) -> float:
    if old == now:
        return 0.0
    if old is None or now is None:
        return math.inf
    return abs(old - now) / max(abs(old), abs(now), floor)


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.9g}"
