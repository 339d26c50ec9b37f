"""What a re-baselining changes: the old and new median of every cell."""

import math
from collections.abc import Iterable, Mapping
from statistics import median

from bench.config.workload import Workload
from bench.report import wording
from bench.statistics.gates.cells import Side, sides
from bench.statistics.scores import is_failure, score
from bench.store.record import Record


def replacement(
    old: Iterable[Record], new: Iterable[Record], workloads: Mapping[str, Workload]
) -> list[tuple[str, str, str, str, str, str]]:
    """Return a line a cell: method, workload, measure, old, new, change.

    Old and new are the medians of the last distance, or of the score where modes are scored, with the number of runs;
    a failed run is the worst. The change is a ratio, or a difference of scores.
    """
    before, after = sides(old), sides(new)
    several = len({key.setting for key in {*before, *after}}) > 1
    lines = []
    for key in sorted({*before, *after}):
        found = [side for side in (before.get(key), after.get(key)) if side is not None]
        records = [record for side in found for record in side.runs.values()]
        if not records:  # all lost to timeouts, before and after
            continue
        workload = workloads[records[0].spec.workload]
        medians = [_median(side.get(key), workload) for side in (before, after)]
        name = min((record.spec.method_name for record in records), key=len)
        where = f"{key.workload} ({key.setting})" if several else key.workload
        measure = "score" if workload.scored_by == "modes" else "distance"
        words = [_words(value, side.get(key), workload) for value, side in zip(medians, (before, after), strict=True)]
        lines.append((name, where, measure, words[0], words[1], _change(medians[0], medians[1], workload)))
    return lines


def _median(side: Side | None, workload: Workload) -> float | None:
    if side is None or not side.runs:
        return None
    if workload.scored_by == "modes":
        return median(score(record, workload) for record in side.runs.values())
    values = [math.inf if is_failure(each) else each.metrics["distance"] for each in side.runs.values()]
    return median(math.inf if value is None else value for value in values)


def _words(value: float | None, side: Side | None, workload: Workload) -> str:
    if value is None or side is None:
        return wording.MISSING
    runs = wording.plural(len(side.runs), "run")
    if not math.isfinite(value):
        return f"failed ({runs})"
    return f"{wording.score(value) if workload.scored_by == 'modes' else wording.distance(value)} ({runs})"


def _change(old: float | None, new: float | None, workload: Workload) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if not (math.isfinite(old) and math.isfinite(new)) or (workload.scored_by != "modes" and old == 0):
        return wording.MISSING
    return f"{new - old:+.3f}" if workload.scored_by == "modes" else f"×{new / old:.2f}"
