"""The columns of one workload, each defined once: see `bench.report.columns`."""

from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import formatting
from bench.report.column import METHOD, Column, Part, data, make_part
from bench.report.judged_columns import judged_column, missing_fid_note
from bench.statistics.board import Leaderboard, LeaderboardRow, WorkloadColumn
from bench.statistics.estimates import PairedTest, Reach, WorkloadEstimate

VERDICT_NOTE: Final = (
    "better, worse: shown at 5 %, over all methods of the column at once. not shown: a difference of the size that "
    "could have been seen would have been shown with 80 %; nothing is known of smaller ones. mixed: the workloads "
    "contradict each other."
)


def workload_part(board: Leaderboard, on: WorkloadColumn) -> Part:
    """Return the columns of a workload: its score, and what that is made of. An unscored distance follows the modes."""
    modes = _mode_columns(board, on)
    distance = _distance_column(on)
    expected = [column for column in board.judged if column.workload == on.name]
    judged = [judged_column(column) for column in expected if column.measured]
    columns = [
        METHOD,
        *_score_columns(board, on),
        *modes,
        distance,
        *judged,
        Column(
            "late",
            {"late_regression": lambda row: row.late_regressions.get(on.name)},
            lambda row: formatting.score(row.late_regressions.get(on.name)),
            "late: median of log(last / best distance), 0 if training never got worse again.",
            workload=on.name,
        ),
        data({"ema_distance": lambda row: row.average_distances.get(on.name)}, on.name),
        _counted_data(on),
        _spread_data(on),
    ]
    missing_fid = [missing_fid_note(column) for column in expected if not column.measured]
    return make_part(on.name, columns, first_notes=[distance, *modes, *judged, *missing_fid], reference_lines=True)


def _score_columns(board: Leaderboard, on: WorkloadColumn) -> list[Column]:
    """Return the score on the workload, and how often it is higher than the reference's."""
    name = on.name
    scored = any(name in row.estimates for row in board.rows)

    def of(row: LeaderboardRow) -> WorkloadEstimate | None:
        return row.estimates.get(name)

    return [
        Column(
            "score",
            {"score": lambda row: estimate.score if (estimate := of(row)) else None},
            lambda row: formatting.score(estimate.score if (estimate := of(row)) else None),
            workload=name,
            shown=scored,
            page_note=f"{name} score: the mean over its seeds, on the scale of the score over all workloads.",
        ),
        Column(
            "95 %",
            {
                "score_low": lambda row: estimate.low if (estimate := of(row)) else None,
                "score_high": lambda row: estimate.high if (estimate := of(row)) else None,
            },
            lambda row: (
                formatting.interval(estimate.low, estimate.high) if (estimate := of(row)) else formatting.MISSING
            ),
            workload=name,
            shown=scored,
            page_note=f"{name} 95 %: the interval of its mean score by Student's t.",
        ),
        Column(
            f"> {REFERENCE_METHOD}",
            {
                "wins": lambda row: estimate.wins if (estimate := of(row)) else None,
                "ties": lambda row: estimate.ties if (estimate := of(row)) else None,
            },
            lambda row: _wins_text(of(row)),
            page_note=f"{name} > {REFERENCE_METHOD}: at how many seeds its score there is higher.",
            workload=name,
            shown=scored and board.reference is not None,
        ),
        Column(
            "p",
            {
                "p_adjusted": lambda row: test.p_adjusted if (test := _test(row, on)) else None,
                "p_value": lambda row: test.p_value if (test := _test(row, on)) else None,
                "least_p_adjusted": lambda _: on.reach.least if on.reach else None,
            },
            lambda row: _p_text(row, on),
            _p_note(board, on),
            workload=name,
            shown=on.reach is not None,
        ),
    ]


def verdict_column(on: WorkloadColumn) -> Column:
    """Return the column of verdicts on one workload, which stands beside those of the other workloads."""
    return Column(
        on.name,
        {
            "verdict": lambda row: test.verdict if (test := _test(row, on)) else None,
            "detectable": lambda row: test.detectable if (test := _test(row, on)) else None,
        },
        lambda row: workload_verdict(row, on),
        VERDICT_NOTE,
        workload=on.name,
        shown=on.reach is not None,
        kind="verdict",
        page_heading=f"{on.name} verdict",
    )


def _test(row: LeaderboardRow, on: WorkloadColumn) -> PairedTest | None:
    return row.estimates[on.name].test if on.name in row.estimates else None


def workload_verdict(row: LeaderboardRow, on: WorkloadColumn) -> str:
    """Write the verdict on one workload."""
    test = _test(row, on)
    if test is None:
        return formatting.MISSING
    return formatting.verdict(test.verdict, test.detectable, possible=on.reach is not None and on.reach.shows)


def _p_text(row: LeaderboardRow, on: WorkloadColumn) -> str:
    """Write the adjusted p on one workload; a dash where so few seeds could show nothing."""
    test = _test(row, on)
    return formatting.p_value(test.p_adjusted if test is not None and on.reach is not None and on.reach.shows else None)


def _p_note(board: Leaderboard, on: WorkloadColumn) -> str:
    if on.reach is None:
        return ""
    family = formatting.plural(len(board.scored) - 1, "method")
    return (
        f"{on.name} > {REFERENCE_METHOD}: at how many seeds the score is higher. p: exact two-sided test of flipped "
        f"signs of the paired differences, after Holm over {family} on this workload. {least_text(on.reach)}"
    )


def least_text(reach: Reach) -> str:
    """Say what the tests of a column can show at best."""
    least = f"The least p that so many seeds and methods can give is {formatting.p_value(reach.least)}"
    if not reach.shows:
        return f"{least}: nothing can be shown, and no p is."
    if reach.detectable is None:
        return f"{least}."
    return (
        f"{least}; a difference of {formatting.difference(reach.detectable)} would be shown with 80 % (median over "
        "methods)."
    )


def _wins_text(on: WorkloadEstimate | None) -> str:
    """Write at how many seeds a method is better than the reference, and at how many it is equal."""
    if on is None or on.wins is None:
        return formatting.MISSING
    return f"{on.wins}/{on.pairs}" + (f", {formatting.plural(on.ties, 'tie')}" if on.ties else "")


def _distance_column(on: WorkloadColumn) -> Column:
    def text(row: LeaderboardRow) -> str:
        written, done = formatting.distance(row.distances.get(on.name)), row.done.get(on.name, 0)
        return written if done == len(on.seeds) else f"{written} ({done}/{len(on.seeds)})"

    return Column(
        on.measure.split("[")[0],
        {
            "distance": lambda row: row.distances.get(on.name),
            "floor": lambda _: on.floor,
            "untrained": lambda _: on.untrained,
        },
        text,
        f"{on.name}: median {on.measure} of the last step; real data {formatting.distance(on.floor)}, "
        f"untrained {formatting.distance(on.untrained)}; lower is better.",
        (formatting.distance(on.floor), formatting.distance(on.untrained)),
        workload=on.name,
    )


def _mode_columns(board: Leaderboard, on: WorkloadColumn) -> list[Column]:
    """Return the modes that were found, and how far to believe them; shown where they make the score."""
    name, missing, shown = on.name, formatting.MISSING, on.scored_by == "modes"
    columns = [
        Column(
            "modes",
            {"modes": lambda row: row.modes.get(name)},
            lambda row: formatting.count(row.modes.get(name)),
            f"{name}: the distance is no part of the score.",
            (formatting.count(on.modes), missing),
            workload=name,
            shown=shown,
            with_next=True,
        ),
        Column(
            "KL",
            {"divergence": lambda row: row.divergences.get(name)},
            lambda row: formatting.two_decimals(row.divergences.get(name)),
            reference_texts=(formatting.two_decimals(0.0), missing),
            workload=name,
            shown=shown,
            with_next=True,
        ),
    ]
    if on.quality is not None:
        columns.append(
            Column(
                quality_text(on),
                {
                    on.quality: lambda row: row.qualities.get(name),
                    f"{on.quality}_ceiling": lambda _: on.quality_ceiling,
                },
                lambda row: formatting.percent(row.qualities.get(name)),
                _quality_note(on),
                (formatting.percent(on.quality_ceiling), missing),
                workload=name,
                shown=shown,
                with_next=on.quality == "readable",
            )
        )
    if any(name in row.coverages for row in board.rows):
        columns.append(
            Column(
                "coverage",
                {"coverage": lambda row: row.coverages.get(name), "coverage_ceiling": lambda _: on.coverage_ceiling},
                lambda row: formatting.percent(row.coverages.get(name)),
                reference_texts=(formatting.percent(on.coverage_ceiling), missing),
                workload=name,
                shown=shown,
            )
        )
    return columns


def quality_text(on: WorkloadColumn) -> str:
    """Return the name of the share that says how far to trust the modes: "high quality" or "readable"."""
    assert on.quality is not None
    return on.quality.replace("_", " ")


def _quality_note(on: WorkloadColumn) -> str:
    what = (
        "high quality: median share of samples within three standard deviations of a mode"
        if on.quality == "high_quality"
        else "readable: median share of samples that the classifier is 90 % sure of"
    )
    return (
        f"{on.name} KL: median divergence of the modes' shares from equal ones. {on.name} {what}; real data "
        f"{formatting.percent(on.quality_ceiling)}. Modes say nothing without it."
    )


def _counted_data(on: WorkloadColumn) -> Column:
    return data(
        {
            "unscored": lambda _: on.unscored.lacking.reason if on.unscored else None,
            "cells_done": lambda row: row.done.get(on.name, 0),
            "cells_counting": lambda _: len(on.seeds),
        },
        on.name,
    )


def _spread_data(on: WorkloadColumn) -> Column:
    """Return how the distance depends on the seed; the names are those of the published tables."""
    return data(
        {
            "tail": lambda row: spread.cvar25 if (spread := row.spreads.get(on.name)) else None,
            "luck": lambda row: spread.best_seed_gain if (spread := row.spreads.get(on.name)) else None,
            "relative": lambda row: spread.relative if (spread := row.spreads.get(on.name)) else None,
        },
        on.name,
    )
