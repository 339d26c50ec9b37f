"""What a card can do, by its compute capability: is torch built for it, and with which precisions? And its streams."""

import re
from collections.abc import Sequence
from typing import Final

Capability = tuple[int, int]

TENSOR_FLOATS_SINCE: Final[Capability] = (8, 0)
"""The first cards that compute in bfloat16 and TF32. Earlier ones emulate the first slowly and ignore the second."""

MOST_TRIALS_PER_PROCESS: Final = 16
"""torch has 32 CUDA streams, which it hands out in turn: a trial has one or two of them, and evaluations another."""

_BUILT: Final = re.compile(r"(?P<kind>sm|compute)_(?P<major>\d+)(?P<minor>\d)(?P<only>[af]?)")


def is_built_for(capability: Capability, built: Sequence[str]) -> bool:
    """Say whether a build of torch runs on a card, given what the build lists as its architectures.

    Code for `sm_XY` runs on cards of the same X and the same or a later Y; with a letter, on that card alone. Code for
    `compute_XY` is translated for every later card.
    """
    for name in built:
        found = _BUILT.fullmatch(name)
        if found is None:
            continue
        made = (int(found["major"]), int(found["minor"]))
        if found["only"]:
            fits = capability == made
        elif found["kind"] == "sm":
            fits = capability[0] == made[0] and capability >= made
        else:
            fits = capability >= made
        if fits:
            return True
    return False


def has_precision(capability: Capability, precision: str) -> bool:
    """Say whether a card computes in a precision by itself."""
    return precision == "fp32" or capability >= TENSOR_FLOATS_SINCE
