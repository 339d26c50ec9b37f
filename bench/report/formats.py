"""The leaderboard as a terminal table, Markdown, CSV, JSON, LaTeX or HTML. All carry the same rows and notes.

Each is a pure function of the tables and of the command that is written below them: equal records give equal bytes.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from bench.report.column import METHOD, Part, Value, stable
from bench.report.flat import flat_row
from bench.report.latex import to_latex
from bench.report.leaderboard import lines, notes, parts, sort_keys, title
from bench.report.notes import facts
from bench.report.pieces import name_width, pieces
from bench.statistics.board import RANKING_VERSION, Leaderboard
from bench.statistics.estimates import Reach

if TYPE_CHECKING:
    from rich.table import Table

TERMINAL_WIDTH: Final = 140
"""Where nobody says how wide it is."""


def to_json(boards: Sequence[Leaderboard], command: str) -> str:
    """Write all tables as one JSON document."""
    document = {
        "command": command,
        "tables": [
            {
                **({"folder": board.folder} if board.folder else {}),
                "title": board.key.title,
                "protocol_version": board.key.protocol_version,
                "scoring_version": board.key.scoring_version,
                "ranking_version": RANKING_VERSION,
                "records": len(board.record_ids),
                "digest": board.digest,
                "reference": board.reference,
                "resamples": board.resamples,
                "measures": {column.name: column.measure for column in board.workloads},
                "tests": {name: _reach(reach) for name, reach in _reaches(board).items()},
                "notes": notes(board),
                "rows": [flat_row(board, row) for row in board.rows],
            }
            for board in boards
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _reaches(board: Leaderboard) -> dict[str, Reach]:
    reaches = {"overall": board.reach} | {column.name: column.reach for column in board.workloads}
    return {name: reach for name, reach in reaches.items() if reach is not None}


def _reach(reach: Reach) -> dict[str, Value]:
    return {"least_p_adjusted": stable(reach.least), "detectable": stable(reach.detectable)}


def to_csv(boards: Sequence[Leaderboard], command: str) -> str:
    """Write all rows of all tables; a value that does not exist is empty, and truth is written true or false.

    What the table is made of stands in every row: CSV has no other place that programs read.
    """
    rows = [
        {
            **flat_row(board, row),
            "protocol_version": board.key.protocol_version,
            "scoring_version": board.key.scoring_version,
            "ranking_version": RANKING_VERSION,
            "records": len(board.record_ids),
            "digest": board.digest,
            "command": command,
        }
        for board in boards
        for row in board.rows
    ]
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
        written = [_markdown_part(board, part) for part in parts(board)]
        notes = f"#### Notes\n\n{_markdown_notes(facts(board))}"
        sections.append(f"### {title(board)}\n\n" + "\n".join([*written, notes]))
    return "\n".join([*sections, f"Regenerate with `{command}`.\n"])


def _markdown_part(board: Leaderboard, part: Part) -> str:
    names = [column.heading for column in part.columns]
    rulers = ["---" if column is METHOD else "---:" for column in part.columns]
    grid = [names, rulers, *lines(board, part)]
    table = "\n".join("| " + " | ".join(map(_markdown_cell, line)) + " |" for line in grid)
    return f"#### {part.title}\n\n{table}\n\n{_markdown_notes(part.notes)}"


def _markdown_cell(text: str) -> str:
    """Keep a bar from ending the cell, and a name in angle brackets from becoming an element."""
    return re.sub(r"\||<(?=[A-Za-z/!])", r"\\\g<0>", text)


def _markdown_notes(notes: Sequence[str]) -> str:
    return "".join(f"- {note}\n" for note in notes)


def to_html(boards: Sequence[Leaderboard], command: str) -> str:
    """Write a plain page that needs nothing beside itself; its one script sorts, and everything recorded is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # help and `list` do without

    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("leaderboard.html.j2").render(
        boards=boards, title=title, parts=parts, lines=lines, sort_keys=sort_keys, facts=facts, command=command
    )


WRITERS: Final[dict[str, Callable[[Sequence[Leaderboard], str], str]]] = {
    "md": to_markdown,
    "csv": to_csv,
    "json": to_json,
    "latex": to_latex,
    "html": to_html,
}
"""The formats of files, by name."""


def to_tables(board: Leaderboard, width: int = TERMINAL_WIDTH) -> list[tuple[Part, "Table"]]:
    """Return the parts for a terminal so many characters wide, each in as many pieces as that takes.

    Every piece has the method's name. Failures are red, what may be the best is bold, what has no score is dim.
    """
    return [
        (piece, _terminal_table(board, piece, name_width(board, width)))
        for part in parts(board)
        for piece in pieces(board, part, width)
    ]


def _terminal_table(board: Leaderboard, part: Part, width: int) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    for column in part.columns:
        left = column is METHOD
        limit = width if left else None
        table.add_column(
            Text(column.heading),  # as it is: brackets are no markup
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=limit,
            max_width=limit,
        )
    written = lines(board, part)
    for line in written[: len(written) - len(board.rows)]:
        table.add_row(*map(Text, line), style="italic")
    for row, line in zip(board.rows, written[len(written) - len(board.rows) :], strict=True):
        states = [column.state(row) for column in part.columns]
        texts = [Text(cell, "red" if state == "failed" else "") for cell, state in zip(line, states, strict=True)]
        table.add_row(*texts, style="bold" if row.among_best else ("dim" if row.score is None else ""))
    return table
