"""The leaderboard as a terminal table, Markdown, CSV or JSON. All four carry the same columns and the same notes."""

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from bench.config.protocol import PUBLISHABLE_SEEDS
from bench.report import wording
from bench.statistics.inception import FidColumn
from bench.statistics.ranking import Leaderboard, LeaderboardRow

if TYPE_CHECKING:
    from rich.table import Table

Value = str | int | float | bool | None

TIE_MARK: Final = "≈"
VARIANT_MARK: Final = "†"


def flat_row(board: Leaderboard, row: LeaderboardRow) -> dict[str, Value]:
    """Return one row with everything it is known by; the machine-readable formats write exactly this."""
    values: dict[str, Value] = {
        "table": board.key.title,
        "rank": row.rank,
        "rank_low": row.rank_low,
        "rank_high": row.rank_high,
        "ties_with_leader": row.ties_with_leader,
        "method": row.method,
        "expression": row.expression,
        "score": row.score,
        "score_low": row.score_low,
        "score_high": row.score_high,
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
        "late_regression": row.late_regression,
        "images_per_second": row.images_per_second,
    }
    for column in board.workloads:
        values[f"{column.name}_distance"] = row.distances.get(column.name)
        values[f"{column.name}_floor"] = column.floor
        values[f"{column.name}_untrained"] = column.untrained
    return values | {f"{column.workload}_fid": column.medians.get(row.entrant) for column in shown_fid(board)}


def shown_fid(board: Leaderboard) -> list[FidColumn]:
    """Return the columns of FID that have a value; of the others a note says why they have none."""
    return [column for column in board.fid if column.measured]


def to_json(boards: Sequence[Leaderboard], command: str) -> str:
    """Write all tables as one JSON document."""
    document = {
        "command": command,
        "tables": [
            {
                "title": board.key.title,
                "protocol_version": board.key.protocol_version,
                "records": len(board.record_ids),
                "digest": board.digest,
                "measures": {column.name: column.measure for column in board.workloads},
                "notes": notes(board),
                "rows": [flat_row(board, row) for row in board.rows],
            }
            for board in boards
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def to_csv(boards: Sequence[Leaderboard]) -> str:
    """Write all rows of all tables; a value that does not exist is empty, and truth is written true or false."""
    rows = [flat_row(board, row) for board in boards for row in board.rows]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_value(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def _csv_value(value: Value) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def to_markdown(boards: Sequence[Leaderboard], command: str) -> str:
    """Write every table as GitHub Markdown with its notes below."""
    sections = []
    for board in boards:
        names, lines = headings(board), [cells(board, row) for row in board.rows]
        rulers = ["---" if name == "method" else "---:" for name in names]
        grid = [names, rulers, *lines]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in grid)
        listed = "\n".join(f"- {note}" for note in notes(board))
        sections.append(f"### {board.key.title}\n\n{table}\n\n{listed}\n")
    return "\n".join([*sections, f"Regenerate with `{command}`.\n"])


def to_table(board: Leaderboard) -> "Table":
    """Return the table for a terminal; failures are red, the leader's group is bold."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for name in headings(board):
        left = name == "method"
        table.add_column(name, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in board.rows:
        line = [Text(cell) for cell in cells(board, row)]
        line[headings(board).index("failed")].stylize("red" if row.failures else "")
        style = "bold" if row.ties_with_leader else ("dim" if row.rank is None else "")
        table.add_row(*line, style=style)
    return table


def headings(board: Leaderboard) -> list[str]:
    """Name the columns that people read."""
    distances = [f"{column.name} {column.measure.split('[')[0]}" for column in board.workloads]
    fids = [f"{column.workload} FID" for column in shown_fid(board)]
    return ["rank", "method", "score", "95 %", "cells", "failed", *distances, *fids, "late", "images/s"]


def cells(board: Leaderboard, row: LeaderboardRow) -> list[str]:
    """Write one row for people; `TIE_MARK` joins the leader's group, `VARIANT_MARK` marks what is never ranked."""
    rank = wording.ranks(row.rank_low, row.rank_high)
    return [
        f"{TIE_MARK} {rank}" if row.ties_with_leader else rank,
        f"{row.method} {VARIANT_MARK}" if row.variant else row.method,
        wording.score(row.score),
        wording.interval(row.score_low, row.score_high),
        f"{row.cells_done}/{row.cells_counting}",
        f"{row.failures}/{row.runs}",
        *(wording.distance(row.distances.get(column.name)) for column in board.workloads),
        *(wording.distance(column.medians.get(row.entrant)) for column in shown_fid(board)),
        wording.score(row.late_regression),
        wording.count(row.images_per_second),
    ]


def notes(board: Leaderboard) -> list[str]:
    """Say in full sentences what the table is made of and what it does not show."""
    said = [
        f"Score: interquartile mean over {_counting_words(board)}; a failed run counts 0. {_score_words(board)}",
        *_certainty(board),
        *(_scale(board)),
        *(_fid(column) for column in board.fid),
        f"Made from {wording.plural(len(board.record_ids), 'record')}, digest {board.digest}, "
        f"protocol {board.key.protocol_version}.",
    ]
    if any(not row.complete and not row.variant for row in board.rows):
        said.append(
            "Methods with missing cells are listed without score and rank; run the same command again to go on."
        )
    if any(row.variant for row in board.rows):
        said.append(f"{VARIANT_MARK} not well defined on this discriminator: a labelled variant, never ranked.")
    said.extend(_left_out(board))
    return said


def _counting_words(board: Leaderboard) -> str:
    counting = [
        f"{column.name} {'seed' if len(column.seeds) == 1 else 'seeds'} {wording.seeds(column.seeds)}"
        for column in board.workloads
        if column.seeds
    ]
    return " and ".join(counting) or "no cell yet, as no seed has results of most methods"


def _score_words(board: Leaderboard) -> str:
    rules = {
        "distance": "0 is the untrained generator's distance and 1 real data's, in logarithms",
        "modes": "the share of modes found, less where they are found unevenly",
    }
    found = {rule: [column.name for column in board.workloads if column.scored_by == rule] for rule in rules}
    used = [f"{', '.join(names)}: {rules[rule]}" for rule, names in found.items() if names]
    return "; ".join(used) + "."


def _certainty(board: Leaderboard) -> list[str]:
    if not board.ranked:
        return []
    if all(row.rank_low is None for row in board.ranked):
        return ["A single seed carries no interval: the order shown is no ranking yet. Use --seeds to add more."]
    said = [
        f"Intervals: 95 %, {board.resamples:,} joint bootstrap resamples of the seeds. {TIE_MARK} marks methods whose "
        "paired difference to the highest score includes 0: they cannot be told apart from it."
    ]
    if any(row.provisional for row in board.ranked):
        said.append(f"Provisional: with fewer than {PUBLISHABLE_SEEDS} seeds the intervals cover less than they say.")
    return said


def _scale(board: Leaderboard) -> list[str]:
    return [
        f"{column.name}: median {column.measure} of the last step; real data {wording.distance(column.floor)}, "
        f"untrained {wording.distance(column.untrained)}; lower is better."
        for column in board.workloads
    ] + ["late: median of log(last / best distance), 0 if training never got worse again."]


def _fid(column: FidColumn) -> str:
    if not column.measured:
        return (
            f"{column.workload}: no FID, as these runs were made without Inception (not asked for, or its weights were "
            "not there); run --inception require measures it, in new attempts."
        )
    several = column.results > column.measured
    share = f" {column.measured} of {column.results} results have it;" if several else ""
    return (
        f"{column.workload} FID: median {column.measure} of the last step;{share} real test images "
        f"{wording.distance(column.floor)}; no part of the score."
    )


def _left_out(board: Leaderboard) -> list[str]:
    said = []
    if board.uncounted:
        said.append(
            f"Not in the score: {wording.plural(board.uncounted, 'further result')} with seeds that few methods have."
        )
    if board.superseded:
        said.append(
            f"Not in this table: {wording.plural(board.superseded, 'record')} of older data or component versions."
        )
    if board.fingerprints > 1:
        said.append(f"The records come from {board.fingerprints} machines; images/s is the most frequent one's.")
    lost = sum(row.lost for row in board.rows)
    if lost:
        said.append(
            f"Counted as missing: {wording.plural(lost, 'run')} that ended in a timeout or an error of the machinery."
        )
    return said
