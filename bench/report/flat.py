"""One row of the leaderboard with everything it is known by, for the formats that programs read."""

from typing import Final

from bench.report.column import Value, stable
from bench.report.columns import all_columns
from bench.statistics.board import Leaderboard, LeaderboardRow

FIELD_ORDER: Final = (
    "table", "rank", "rank_low", "rank_high", "among_best", "method", "aliases", "expression", "score", "score_low",
    "score_high", "ema_score", "better_than_reference", "better_low", "better_high", "p_value", "p_adjusted",
    "least_p_adjusted", "verdict", "detectable", "cells_done", "cells_counting", "seeds", "provisional", "variant",
    "runs", "failures", "failure_low", "failure_high", "lost", "timed_on", "images_per_second",
    "relative_throughput", "relative_discriminator_update", "cost_pairs",
)  # fmt: skip
WORKLOAD_FIELD_ORDER: Final = (
    "score", "score_low", "score_high", "wins", "ties", "p_value", "p_adjusted", "least_p_adjusted", "verdict",
    "detectable", "distance", "ema_distance", "floor", "untrained", "late_regression", "modes", "divergence",
    "high_quality", "high_quality_ceiling", "readable", "readable_ceiling", "coverage", "coverage_ceiling",
    "unscored", "cells_done", "cells_counting", "tail", "luck", "relative",
)  # fmt: skip
"""The order of the fields in CSV and JSON as it was first published, which must stay; later fields follow these, in the
order of their columns."""


def flat_row(board: Leaderboard, row: LeaderboardRow) -> dict[str, Value]:
    """Return the fields of every column for one row; the machine-readable formats write exactly this.

    Numbers have ten significant digits: the last bits of a sum differ among machines, the bytes of a table must not.
    """
    values = {
        f"{column.workload}_{name}" if column.workload else name: stable(value(row))
        for column in all_columns(board)
        for name, value in column.fields.items()
    }
    published = [*FIELD_ORDER, *(f"{on.name}_{name}" for on in board.workloads for name in WORKLOAD_FIELD_ORDER)]
    return {name: values[name] for name in [name for name in published if name in values]} | values
