"""Sweeps of which a few cases are tested at every change, and all by `make slow`."""

from collections.abc import Iterable, Sequence

import pytest


def mostly_slow(cases: Iterable[object], *, fast: Sequence[object]) -> list[object]:
    """Return the cases for `parametrize`, of which all but the `fast` ones are marked slow.

    A case of several arguments is a tuple, as for `parametrize`; it is named in `fast` by its first one.

    Raises:
        ValueError: a fast case is not among the cases, so that a name that has changed drops nothing in silence.
    """
    listed = [case if isinstance(case, tuple) else (case,) for case in cases]
    missing = set(fast) - {case[0] for case in listed}
    if missing:
        raise ValueError(f"no such cases: {sorted(map(str, missing))}; name some of {[case[0] for case in listed]}")
    return [pytest.param(*case, marks=() if case[0] in fast else pytest.mark.slow) for case in listed]


def sampled(cases: Iterable[object], *, every: int) -> list[object]:
    """Return the cases for `parametrize`, of which every so many stay fast, and the others are marked slow.

    For a sweep of many cases that are cheap alone; where a few of them stand for the rest, name those to `mostly_slow`.
    """
    listed = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*case, marks=pytest.mark.slow if at % every else ()) for at, case in enumerate(listed)]
