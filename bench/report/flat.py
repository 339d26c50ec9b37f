"""One row of the leaderboard with everything it is known by, for the formats that programs read."""

from dataclasses import asdict

from bench.report.methods import aliases_of
from bench.report.notes import shown_fid
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn

Value = str | int | float | bool | None


def flat_row(board: Leaderboard, row: LeaderboardRow) -> dict[str, Value]:
    """Return one row with everything it is known by; the machine-readable formats write exactly this.

    Numbers have ten significant digits: the last bits of a sum differ among machines, the bytes of a table must not.
    """
    values: dict[str, Value] = {
        "table": board.key.title,
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "among_best": row.among_best,
        "method": row.method,
        "aliases": " ".join(aliases_of(row.method)),
        "expression": row.expression,
        "score": row.score,
        "score_low": row.score_low,
        "score_high": row.score_high,
        "ema_score": row.average_score,
        "better_than_reference": row.better_than_reference,
        "better_low": row.better_low,
        "better_high": row.better_high,
        "p_value": row.p_value,
        "p_adjusted": row.p_adjusted,
        "least_p_adjusted": board.reach.least if board.reach else None,
        "verdict": row.verdict,
        "detectable": row.detectable,
        "cells_done": row.cells_done,
        "cells_counting": row.cells_counting,
        "seeds": row.seeds,
        "provisional": row.provisional,
        "variant": row.variant,
        "runs": row.runs,
        "failures": row.failures,
        "failure_low": row.failure_low,
        "failure_high": row.failure_high,
        "lost": row.lost,
        "timed_on": board.timed_on,
        "images_per_second": row.images_per_second,
        "relative_throughput": row.relative_throughput,
        "relative_discriminator_update": row.relative_discriminator_update,
        "cost_pairs": row.cost_pairs,
    }
    for column in board.workloads:
        values |= {f"{column.name}_{name}": value for name, value in _workload_values(row, column).items()}
    values |= {f"{column.workload}_fid": column.medians.get(row.entrant) for column in shown_fid(board)}
    return {name: stable(value) for name, value in values.items()}


def _workload_values(row: LeaderboardRow, column: WorkloadColumn) -> dict[str, Value]:
    spread = row.spreads.get(column.name)
    quality: dict[str, Value] = {}
    if column.quality is not None:
        ceiling = column.quality_ceiling
        quality = {column.quality: row.qualities.get(column.name), f"{column.quality}_ceiling": ceiling}
    if column.name in row.coverages:
        quality |= {"coverage": row.coverages[column.name], "coverage_ceiling": column.coverage_ceiling}
    return {
        **_scored_values(row, column),
        "distance": row.distances.get(column.name),
        "ema_distance": row.average_distances.get(column.name),
        "floor": column.floor,
        "untrained": column.untrained,
        "late_regression": row.late_regressions.get(column.name),
        "modes": row.modes.get(column.name),
        "divergence": row.divergences.get(column.name),
        **quality,
        "unscored": column.unscored.lacking.reason if column.unscored else None,
        "cells_done": row.done.get(column.name, 0),
        "cells_counting": len(column.seeds),
        **(asdict(spread) if spread else dict.fromkeys(("tail", "luck", "relative"))),
    }


def _scored_values(row: LeaderboardRow, column: WorkloadColumn) -> dict[str, Value]:
    on = row.on.get(column.name)
    test = on.test if on else None
    return {
        "score": on.score if on else None,
        "score_low": on.low if on else None,
        "score_high": on.high if on else None,
        "wins": on.wins if on else None,
        "ties": on.ties if on else None,
        "p_value": test.p_value if test else None,
        "p_adjusted": test.p_adjusted if test else None,
        "least_p_adjusted": column.reach.least if column.reach else None,
        "verdict": test.verdict if test else None,
        "detectable": test.detectable if test else None,
    }


def stable(value: Value) -> Value:
    """Round a number to what is the same on all machines."""
    return float(f"{value:.10g}") if isinstance(value, float) else value
