"""Does an order on one data set hold on another? The published orders of methods, two data sets or budgets at a time.

`python docs/building/site_transfer.py` writes the table of docs/explanation/measuring.md again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from scipy.stats import kendalltau
from site_marks import line, two_digits, write
from site_measuring import PAGE

import losses
from bench.methods import label
from bench.probes.campaign_claims import score_of
from bench.report.formatting import p_value
from bench.statistics.recommendation import is_core
from bench.statistics.scores import is_result
from bench.store.campaigns import ALL, find_campaigns
from bench.store.record import Record

MARK: Final = "<!-- transfer: written by docs/building/site_transfer.py. -->"
LEAST_METHODS: Final = 5
"""Two orders of fewer methods say little."""
_HEAD: Final = (
    "| one | the other | methods | seeds | tau | p | the best of one, in the other | the best of the other, in one |\n"
    "|---|---|---:|---:|---:|---:|---|---|"
)


class Setting(NamedTuple):
    """What an order is of: a data set and a budget."""

    workload: str
    steps: int

    def __str__(self) -> str:
        return f"{self.workload}, {self.steps:,}"


Scores = Mapping[str, Sequence[float]]
"""The scores of a method's seeds, by its expression."""


def table() -> str:
    """Return the table: a line for every two settings that have enough methods in common."""
    return "\n".join([_HEAD, *comparisons(orders(published()))])


def published() -> list[Record]:
    """Return every published trial once: some are in two folders."""
    trials = {record.trial_id: record for campaign in find_campaigns(ALL) for record in campaign.records}
    return [*trials.values()]


def orders(records: Iterable[Record]) -> dict[Setting, dict[str, list[float]]]:
    """Return the scores of each setting's methods. The runs that count are those that `recommend` counts."""
    found: dict[Setting, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        spec = record.spec
        if is_core(record) and is_result(record):
            found[Setting(spec.workload, spec.steps)][spec.method].append(score_of(record))
    return {setting: dict(found[setting]) for setting in sorted(found)}


def comparisons(scores: Mapping[Setting, Scores]) -> list[str]:
    """Return the lines of the table. Tau is of the orders by mean score of the methods that both settings have."""
    lines = []
    for one, other in combinations(scores, 2):
        both = sorted(scores[one].keys() & scores[other].keys())
        if len(both) < LEAST_METHODS:
            continue
        first, second = ({name: float(np.mean(scores[setting][name])) for name in both} for setting in (one, other))
        found = kendalltau([*first.values()], [*second.values()], alternative="greater")
        seeds = f"{_seeds(scores[one], both)} and {_seeds(scores[other], both)}"
        numbers = (len(both), seeds, two_digits(float(found.statistic)), p_value(float(found.pvalue)))
        lines.append(line(one, other, *numbers, _place(first, second), _place(second, first)))
    return lines


def _seeds(scores: Scores, names: Iterable[str]) -> str:
    counts = {len(scores[name]) for name in names}
    return "–".join(map(str, sorted({min(counts), max(counts)})))


def _place(here: Mapping[str, float], there: Mapping[str, float]) -> str:
    """Return the best method of one order, and its place in the other."""
    best = max(here, key=here.__getitem__)
    return f"`{label(losses.get(best))}`: {1 + sum(score > there[best] for score in there.values())} of {len(there)}"


if __name__ == "__main__":
    write(PAGE, MARK, table())
