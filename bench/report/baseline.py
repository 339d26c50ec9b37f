"""What a re-baselining changes: the old and new median of every cell."""

import math
from collections.abc import Iterable, Mapping
from statistics import median

from bench.config.protocol import scoring_version
from bench.config.workload import Workload
from bench.report import formatting
from bench.statistics.damage import refuse_damaged
from bench.statistics.gates.cells import Side, aligned, data_of_kinds, measured_otherwise, sides
from bench.statistics.scales import unscored
from bench.statistics.scores import is_failure, score
from bench.store.record import Record


def replacement(
    old: Iterable[Record], new: Iterable[Record], workloads: Mapping[str, Workload]
) -> list[tuple[str, str, str, str, str, str]]:
    """Return one line per cell: method, workload, measure, old, new, change.

    Old and new are the medians of the last distance, or of the score where modes are scored, with the number of runs;
    a failed run is the worst. The change is a ratio, or a difference of scores. Numbers that `compare` would not hold
    against each other have none: those of two scoring versions, of other data, or measured by other versions. Without a
    scale there is no score.

    Raises:
        ValueError: a record is damaged.
    """
    old, new = list(old), list(new)
    refuse_damaged([*old, *new], workloads)
    before = sides(old)
    after = aligned(before, sides(new))
    several = len({key.setting for key in {*before, *after}}) > 1
    data_of = data_of_kinds({*before, *after})
    lines = []
    for key in sorted({*before, *after}):
        present = [side for side in (before.get(key), after.get(key)) if side is not None]
        records = [record for side in present for record in side.runs.values()]
        if not records:  # all lost to timeouts, before and after
            continue
        workload = workloads[records[0].spec.workload]
        name = min((record.spec.method_name for record in records), key=len)
        place = present[-1].workload if data_of[key.workload] > 1 else key.workload
        where = f"{place} ({key.setting})" if several else place
        measure = "score" if workload.scored_by == "modes" else "distance"
        words = [_words(side.get(key), workload) for side in (before, after)]
        lines.append((name, where, measure, words[0], words[1], _change(before.get(key), after.get(key), workload)))
    return lines


def _median(side: Side | None, workload: Workload) -> float | None:
    if side is None or not side.runs:
        return None
    if workload.scored_by == "modes" and unscored(side.runs.values(), workload):
        return None
    if workload.scored_by == "modes":
        return median(score(record, workload) for record in side.runs.values())
    values = [math.inf if is_failure(run) else run.metrics["distance"] for run in side.runs.values()]
    return median(math.inf if value is None else value for value in values)


def _words(side: Side | None, workload: Workload) -> str:
    value = _median(side, workload)
    if value is None or side is None:
        return formatting.MISSING
    runs = formatting.plural(len(side.runs), "run")
    if not math.isfinite(value):
        return f"failed ({runs})"
    return f"{formatting.score(value) if workload.scored_by == 'modes' else formatting.distance(value)} ({runs})"


def _change(before: Side | None, after: Side | None, workload: Workload) -> str:
    if before is None or after is None or not (before.runs and after.runs):
        return "removed" if before is not None and before.runs else "added"
    runs = [*before.runs.values(), *after.runs.values()]
    if workload.scored_by == "modes" and len({scoring_version(record.protocol_version) for record in runs}) > 1:
        return "other scoring"
    if len({record.spec.data_hash for record in runs}) > 1:
        return "other data"
    if measured_otherwise(before, after):
        return "other measure"
    old, now = _median(before, workload), _median(after, workload)
    if old is None or now is None:
        return formatting.MISSING
    if not (math.isfinite(old) and math.isfinite(now)):
        return formatting.MISSING
    return formatting.signed(now - old) if workload.scored_by == "modes" else f"×{now / old:.2f}"
