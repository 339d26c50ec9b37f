"""What paired seeds gain in the published campaigns: how far methods of equal seed come out high or low together.

`python docs/building/site_pairing.py` writes the table of docs/explanation/measuring.md again.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from site_budgets import by_budget
from site_marks import chance_of, line, two_digits, write
from site_measuring import PAGE, campaign_table, folder

from bench.statistics.intervals import Array

MARK: Final = "<!-- pairing: written by docs/building/site_pairing.py. -->"
PERMUTATIONS: Final = 10_000
_NO_SCATTER: Final = 1e-9
_FEWEST: Final = 2
"""Methods that make a pair."""
_HEAD: Final = (
    "| campaign | workload | updates | methods | seeds | correlation | p |\n|---|---|---:|---:|---:|---:|---:|"
)


def table() -> str:
    """Return the table: each published campaign at each of its evaluations."""
    return campaign_table(_HEAD, _lines)


def _lines(name: str) -> Iterator[str]:
    found = by_budget(name)
    for step, scores in zip(found.steps, np.moveaxis(found.runs, 2, 0), strict=True):
        told = scores[np.ptp(scores, axis=1) > _NO_SCATTER]
        together = (two_digits(correlation(told)), chance_of(chance(told)))
        yield line(folder(name), found.workload, f"{step:,}", *told.shape, *together)


def correlation(scores: Array) -> float:
    """Return the mean of Pearson's correlation over all pairs of methods, of scores `[methods, seeds]`.

    With z_i the scores of method i, centered and of norm 1, it is (|sum_i z_i|^2 - n) / (n (n - 1)) of n methods; nan
    where there is no pair.
    """
    if len(scores) < _FEWEST:
        return math.nan
    return float(_correlations(_standard(scores)[None])[0])


def chance(scores: Array, permutations: int = PERMUTATIONS) -> float:
    """Return the share of permutations of each method's seeds that correlate as much, the given order among them.

    It is nan where there is no pair of methods.
    """
    if len(scores) < _FEWEST:
        return math.nan
    standard, drawn = _standard(scores), np.random.default_rng(0)
    shuffled = np.array([drawn.permuted(standard, axis=1) for _ in range(permutations)])
    reached = _correlations(shuffled) >= _correlations(standard[None])[0] - _NO_SCATTER
    return float((1 + reached.sum()) / (1 + permutations))


def _standard(scores: Array) -> Array:
    centered = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(centered / np.linalg.norm(centered, axis=1, keepdims=True))


def _correlations(standard: Array) -> Array:
    """Return the mean correlation of each table in `[tables, methods, seeds]`."""
    methods = standard.shape[1]
    sums = standard.sum(axis=1)
    return np.asarray(((sums**2).sum(axis=-1) - methods) / (methods * (methods - 1)))


if __name__ == "__main__":
    write(PAGE, MARK, table())
