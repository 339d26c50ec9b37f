"""What an early look tells: the score at an earlier evaluation against that at the end, of methods and of seeds.

`python docs/building/site_early.py` writes the table of docs/explanation/measuring.md again.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy.stats import kendalltau
from site_budgets import by_budget
from site_marks import chance_of, line, two_digits, write
from site_measuring import PAGE, campaign_table, folder

from bench.statistics.intervals import Array

MARK: Final = "<!-- early: written by docs/building/site_early.py. -->"
PERMUTATIONS: Final = 2_000
_HEAD: Final = (
    "| campaign | workload | updates | of | methods | seeds of a method | p |\n|---|---|---:|---:|---:|---:|---:|"
)


def table() -> str:
    """Return the table: each published campaign at each evaluation but the last."""
    return campaign_table(_HEAD, _lines)


def _lines(name: str) -> Iterator[str]:
    found = by_budget(name)
    for index, step in enumerate(found.steps[:-1]):
        methods = float(kendalltau(found.scores[:, index], found.scores[:, -1]).statistic)
        seeds, p = of_seeds(found.runs[:, :, index], found.runs[:, :, -1])
        steps = (f"{step:,}", f"{found.steps[-1]:,}")
        yield line(folder(name), found.workload, *steps, two_digits(methods), two_digits(seeds), chance_of(p))


def of_seeds(early: Array, last: Array, permutations: int = PERMUTATIONS) -> tuple[float, float]:
    """Return the mean over methods of tau between the early and the last scores of their seeds, and its p.

    Args:
        early: scores `[methods, seeds]`; methods whose runs are all equal, then or at the end, say nothing.
        last: the same at the end.
        permutations: how often the last scores are shuffled within each method; p is the share in which the mean tau
            is at least as large, the given order among them.

    Both are nan where no method says anything.
    """
    scatter = (np.ptp(early, axis=1) > 0) & (np.ptp(last, axis=1) > 0)
    if not scatter.any():
        return math.nan, math.nan
    signs_early, signs_last = _signs(early[scatter]), _signs(last[scatter])
    found = _taus(signs_early, signs_last).mean()
    drawn, kept = np.random.default_rng(0), last[scatter]
    shuffled = [_taus(signs_early, _signs(drawn.permuted(kept, axis=1))).mean() for _ in range(permutations)]
    return float(found), float((1 + np.count_nonzero(np.array(shuffled) >= found - 1e-9)) / (1 + permutations))


def _signs(scores: Array) -> Array:
    """Return the sign of each pair's difference, `[methods, pairs]`."""
    first, second = np.triu_indices(scores.shape[1], 1)
    return np.asarray(np.sign(scores[:, first] - scores[:, second]))


def _taus(first: Array, second: Array) -> Array:
    """Return Kendall's tau-b of each row of signs."""
    norm = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / norm)


if __name__ == "__main__":
    write(PAGE, MARK, table())
