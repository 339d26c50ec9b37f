"""Every column of the leaderboard, defined once; a new one is one more entry in the function of its part.

The order of a function is the order in the tables that people read. What a column needs of the records is in its row:
`LeaderboardRow.results` has them all.
"""

from collections.abc import Callable, Iterable
from typing import Final

from bench.config.protocol import REFERENCE_METHOD
from bench.report import formatting
from bench.report.column import BEST_MARK, METHOD, Column, Part, data, make_part
from bench.report.methods import aliases_of
from bench.report.workload_columns import VERDICT_NOTE, least_text, verdict_column, workload_part
from bench.statistics.board import Leaderboard, LeaderboardRow
from bench.statistics.iterations import Iteration


def all_parts(board: Leaderboard) -> list[Part]:
    """Return all parts of a table in their order, including those that this table does not show."""
    return [
        make_ranking(board),
        make_comparison(board),
        *(workload_part(board, column) for column in board.workloads),
        make_cost(board),
    ]


def all_columns(board: Leaderboard) -> Iterable[Column]:
    """Return every column of a table once, in the order of the parts, including those that only programs read."""
    return dict.fromkeys(column for part in all_parts(board) for column in (*part.columns, *part.unseen))


def make_ranking(board: Leaderboard) -> Part:
    """Return the methods in their order: scores, ranks, and how many runs they rest on."""
    failed = Column(
        "failed",
        {
            "failures": lambda row: row.failures,
            "failure_low": lambda row: row.failure_low,
            "failure_high": lambda row: row.failure_high,
            "runs": lambda row: row.runs,
        },
        lambda row: f"{row.failures}/{row.runs} ({formatting.percents(row.failure_low, row.failure_high)})",
        "failed: runs whose loss failed, with the exact 95 % interval of its rate.",
        state=lambda row: "failed" if row.failures else "",
    )
    columns = [
        Column(
            "rank",
            {
                "rank": lambda row: row.rank,
                "rank_low": lambda row: row.rank_low,
                "rank_high": lambda row: row.rank_high,
                "among_best": lambda row: row.among_best,
            },
            rank_text,
            page_note="rank: between these ranks lie all methods at once in nineteen tables of twenty; where two "
            f"overlap, the order of the two is not settled. {BEST_MARK} may be the best: a best method lacks it in one "
            "table of twenty at most.",
        ),
        METHOD,
        *_origin(board),
        Column(
            "score",
            {"score": lambda row: row.score},
            lambda row: formatting.score(row.score),
            page_note="score: the mean over workloads of the mean over seeds. 0 is the untrained generator, 1 real "
            "data; a failed run counts 0.",
        ),
        Column(
            "95 %",
            {"score_low": lambda row: row.score_low, "score_high": lambda row: row.score_high},
            lambda row: formatting.interval(row.score_low, row.score_high),
            page_note="95 %: the interval of the mean score by Student's t, over seeds. None where all runs are equal.",
        ),
        Column(
            "EMA score",
            {"ema_score": lambda row: row.average_score},
            lambda row: formatting.score(row.average_score),
            "EMA score: the same score of the moving average of the generator's weights at the last step, which fails "
            "by its own distance. Score, rank and p are the raw generator's.",
            shown=any(row.average_score is not None for row in board.rows),
        ),
        failed,
        Column(
            "cells",
            {"cells_done": lambda row: row.cells_done, "cells_counting": lambda row: row.cells_counting},
            lambda row: f"{row.cells_done}/{row.cells_counting}",
            state=lambda row: "" if row.complete else "partial",
            page_note="cells: how many of the runs that count this method has; a method that lacks one is not ranked.",
        ),
        Column(
            "seeds",
            {"seeds": lambda row: row.seeds},
            lambda row: str(row.seeds),
            page_note="seeds: how many runs of each workload the score is a mean of; ten make a table to quote.",
        ),
        *([data({"folder": lambda _: board.folder})] if board.folder else []),
        data(
            {
                "table": lambda _: board.key.title,
                "aliases": lambda row: " ".join(aliases_of(row.method)),
                "expression": lambda row: row.expression,
                "provisional": lambda row: row.provisional,
                "variant": lambda row: row.variant,
                "lost": lambda row: row.lost,
            }
        ),
    ]
    without = [f"{REFERENCE_METHOD} has no score here: nothing is tested against it."]
    return make_part("Ranking", columns, first_notes=[failed], last_notes=[] if board.reference else without)


def _origin(board: Leaderboard) -> list[Column]:
    """Return where each row comes from, in a table of published records and new ones; nothing in any other."""
    origins = board.origins
    if origins is None:
        return []

    def of(row: LeaderboardRow) -> str:
        return ", ".join(origins.rows[row.method_key])

    return [Column("from", {"from": of}, of, ORIGIN_NOTE, kind="words")]


def make_comparison(board: Leaderboard) -> Part:
    """Return each method against the reference, over all workloads and in words on each."""
    compared = board.reach is not None
    columns = [
        METHOD,
        Column(
            "overall",
            {"verdict": lambda row: row.verdict, "detectable": lambda row: row.detectable},
            lambda row: overall_verdict(board, row),
            VERDICT_NOTE,
            shown=compared,
            kind="verdict",
            page_heading=f"against {REFERENCE_METHOD}",
        ),
        Column(
            f"P > {REFERENCE_METHOD}",
            {
                "better_than_reference": lambda row: row.better_than_reference,
                "better_low": lambda row: row.better_low,
                "better_high": lambda row: row.better_high,
            },
            better_text,
            f"P > {REFERENCE_METHOD}: how often a run is better than one of {REFERENCE_METHOD}, averaged over "
            "workloads, with its 95 % interval (none where all runs of one are better); 0.5 is no difference.",
            shown=compared,
        ),
        Column(
            "p",
            {
                "p_adjusted": lambda row: row.p_adjusted,
                "p_value": lambda row: row.p_value,
                "least_p_adjusted": lambda _: board.reach.least if board.reach else None,
            },
            lambda row: p_text(board, row),
            _p_note(board),
            shown=compared,
        ),
        *(verdict_column(column) for column in board.workloads),
    ]
    return make_part(f"Against {REFERENCE_METHOD}", columns)


def _p_note(board: Leaderboard) -> str:
    if board.reach is None:
        return ""
    family = formatting.plural(len(board.ranked) - 1, "method")
    return (
        "p: the workloads' paired tests joined, each weighing alike (Stouffer), after Holm over "
        f"{family}. {least_text(board.reach)}"
    )


ORIGIN_NOTE: Final = (
    "from: the published folder whose records a row is made of, which are only read; “here” was trained here."
)


def make_cost(board: Leaderboard) -> Part:
    """Return what each method costs: by kernel records, where these have all methods, or by the times of the trials."""
    joined = board.origins is not None
    timed_apart = board.iterations is not None
    by_trials = _by_trials(board, shown=not timed_apart, joined=joined)
    columns = [METHOD, *by_trials, *_by_kernels(board)]
    apart = [
        "Times of two folders are never compared: the ratios of a published row are those of its own folder, and a row "
        "that was trained here has none. To time it beside the reference, use: python -m bench kernels"
    ]
    return make_part("Cost", columns, last_notes=apart if joined else [])


def _by_trials(board: Leaderboard, *, shown: bool, joined: bool) -> list[Column]:
    relative = (
        f"pace, D update: images a second, and seconds of a discriminator update, over {REFERENCE_METHOD}'s; "
        f"medians over pairs of equal workload, seed and hardware, of {', '.join(board.timed)}."
    )
    return [
        Column(
            "images/s",
            {"images_per_second": lambda row: row.images_per_second, "timed_on": lambda _: board.timed_on},
            lambda row: formatting.count(row.images_per_second),
            f"images/s: median over the runs of {board.timed_on} on one kind of hardware, the most frequent.",
            shown=shown and not joined,
        ),
        Column(
            f"pace to {REFERENCE_METHOD}",
            {"relative_throughput": lambda row: row.relative_throughput},
            lambda row: formatting.ratio(row.relative_throughput),
            relative if board.reference is not None or any(row.cost_pairs for row in board.rows) else "",
            shown=shown,
        ),
        Column(
            "D update",
            {"relative_discriminator_update": lambda row: row.relative_discriminator_update},
            lambda row: formatting.ratio(row.relative_discriminator_update),
            page_note=relative,
            shown=shown,
        ),
        Column(
            "pairs",
            {"cost_pairs": lambda row: row.cost_pairs},
            lambda row: str(row.cost_pairs),
            page_note=f"pairs: how many pairs of runs, of the method and of {REFERENCE_METHOD}, the ratios rest on.",
            shown=shown,
        ),
    ]


def _by_kernels(board: Leaderboard) -> list[Column]:
    """Return the columns that rest on kernel records; none where the table has none."""
    costs = board.iterations
    if costs is None:
        return []
    note = (
        f"iteration: the discriminator updates of a method for one of the generator, and that one, in seconds over "
        f"{REFERENCE_METHOD}'s; D step, G step: one update of each. From kernel records, timed in turn with "
        f"{REFERENCE_METHOD} and with nothing beside it, on {costs.machine} ({costs.setting}). No time of a trial "
        "enters this table, since other trials ran beside it."
    )

    def column(heading: str, name: str, value: Callable[[Iteration], float]) -> Column:
        def of(row: LeaderboardRow) -> float | None:
            return None if row.iteration is None else value(row.iteration)

        return Column(heading, {name: of}, lambda row: formatting.ratio(of(row)), note)

    return [
        column("iteration", "iteration_cost", lambda iteration: iteration.cost),
        column("D step", "discriminator_step_cost", lambda iteration: iteration.discriminator_step),
        column("G step", "generator_step_cost", lambda iteration: iteration.generator_step),
    ]


def rank_text(row: LeaderboardRow) -> str:
    """Write the interval of the rank; `BEST_MARK` stands before methods that may be the best."""
    rank = formatting.ranks(row.rank_low, row.rank_high)
    return f"{BEST_MARK} {rank}" if row.among_best else rank


def overall_verdict(board: Leaderboard, row: LeaderboardRow) -> str:
    """Write the verdict over all workloads."""
    return formatting.verdict(row.verdict, row.detectable, possible=board.reach is not None and board.reach.shows)


def p_text(board: Leaderboard, row: LeaderboardRow) -> str:
    """Write the adjusted p over all workloads; a dash where it could show nothing."""
    return formatting.p_value(row.p_adjusted if board.reach is not None and board.reach.shows else None)


def better_text(row: LeaderboardRow) -> str:
    """Write the probability of a better run than the reference's, with its interval where it has one."""
    if row.better_than_reference is None:
        return formatting.MISSING
    said = formatting.two_decimals(row.better_than_reference)
    if row.better_low is None:
        return said
    return f"{said} ({formatting.two_decimals(row.better_low)}–{formatting.two_decimals(row.better_high)})"
