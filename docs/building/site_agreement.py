"""Would another measure rank the methods otherwise? The order by score against the order by each other measure.

`python docs/building/site_agreement.py` writes the table of docs/explanation/measuring.md again.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from scipy.stats import kendalltau
from site_answers import published_campaigns, records_of
from site_marks import line, two_digits, write
from site_measuring import PAGE, folder

from bench.metrics.catalogue import about
from bench.probes.campaign_claims import score_of
from bench.statistics.intervals import Array
from bench.statistics.scores import is_result
from bench.store.record import Record

MARK: Final = "<!-- agreement: written by docs/building/site_agreement.py. -->"
OTHERS: Final = (
    *("distance", "fd_test", "kid", "ema_distance", "coverage", "vendi", "classifier_score", "recall"),
    *("unreadable", "precision", "density"),
)
_HALF: Final = "score, of the other half of the seeds"


def table() -> str:
    """Return the table: a column for each published campaign, a row for each measure."""
    names = published_campaigns()
    columns = [agreements(name) for name in names]
    lines = [line("", *map(folder, names)), f"|---|{'---:|' * len(names)}"]
    for measure in (_HALF, *OTHERS):
        label = measure if measure == _HALF else f"`{measure}`"
        lines.append(line(label, *(two_digits(column[measure]) for column in columns)))
    return "\n".join(lines)


def agreements(name: str) -> dict[str, float]:
    """Return Kendall's tau-b of a campaign's order by score and by each measure; nan where nothing can be told."""
    runs: dict[str, list[Record]] = defaultdict(list)
    for record in sorted(records_of(name), key=lambda record: record.spec.seed):
        if is_result(record):
            runs[record.spec.method].append(record)
    scores = np.array([[score_of(record) for record in own] for own in runs.values()])
    return {_HALF: between_halves(scores)} | {
        measure: _tau(scores.mean(axis=1), _goodness(runs, measure)) for measure in OTHERS
    }


def between_halves(scores: Array) -> float:
    """Return the mean tau of the orders by two halves of the seeds, over all ways to halve, of `[methods, seeds]`."""
    seeds = range(scores.shape[1])
    found = []
    for half in combinations(seeds, len(seeds) // 2):
        rest = [seed for seed in seeds if seed not in half]
        found.append(_tau(scores[:, half].mean(axis=1), scores[:, rest].mean(axis=1)))
    return float(np.mean(found))


def _goodness(runs: Mapping[str, Sequence[Record]], measure: str) -> Array:
    """Return the median of a measure over the runs of each method, with the sign that makes more the better."""
    metric = about(measure)
    if metric is None or metric.higher_is_better is None:
        raise ValueError(f"{measure} has no better direction, so it cannot rank methods")
    sign = 1.0 if metric.higher_is_better else -1.0
    return np.array([sign * _median([run.metrics.get(measure) for run in own]) for own in runs.values()])


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(known)) if known else math.nan


def _tau(first: Array, second: Array) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < 2:  # a measure that this data does not have
        return math.nan
    return float(kendalltau(first[known], second[known]).statistic)


if __name__ == "__main__":
    write(PAGE, MARK, table())
