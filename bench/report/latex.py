"""The leaderboard as LaTeX tables in the manner of the booktabs package."""

import re
from collections.abc import Sequence
from typing import Final

from bench.report.leaderboard import Part, lines, parts, title
from bench.report.notes import facts
from bench.statistics.board import Leaderboard

_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after a line break LaTeX would read it as the break's argument
    "]": "{]}",
    "≈": r"$\approx$",
    "†": r"\textdagger{}",
    "·": r"\textperiodcentered{}",
    "–": "--",
}
_SPECIAL: Final = re.compile("|".join(map(re.escape, _ESCAPES)))


def escape(text: str) -> str:
    """Return text that LaTeX typesets as it stands; white space becomes single blanks."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], " ".join(text.split()))


def to_latex(boards: Sequence[Leaderboard], command: str) -> str:
    """Write every part of every table as a `table` environment; its first line names the packages that it needs."""
    head = [r"% Needs \usepackage[T1]{fontenc} and \usepackage{booktabs}.", f"% Regenerate with: {_comment(command)}"]
    return "\n".join([*head, *(line for board in boards for line in _board(board))]) + "\n"


def _board(board: Leaderboard) -> list[str]:
    written = ["", f"% {_comment(title(board))}"]
    listed = parts(board)
    for part in listed:
        notes = [*part.notes, *facts(board)] if part is listed[0] else part.notes
        written += _part(board, part, notes)
    return written


def _part(board: Leaderboard, part: Part, notes: Sequence[str]) -> list[str]:
    alignment = "".join("l" if column.heading == "method" else "r" for column in part.columns)
    above = 2 if part.reference_lines else 0
    rows = [_row(line) for line in lines(board, part)]
    return [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape(f'{part.title}: {title(board)}')}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        _row([column.heading for column in part.columns]),
        r"    \midrule",
        *rows[:above],
        *([r"    \midrule"] if above else []),
        *rows[above:],
        r"    \bottomrule",
        r"  \end{tabular}",
        *([r"  \par\medskip\footnotesize"] if notes else []),
        *(f"  {escape(note)}" for note in notes),
        r"\end{table}",
    ]


def _row(cells: Sequence[str]) -> str:
    return f"    {' & '.join(map(escape, cells))} \\\\"


def _comment(text: str) -> str:
    """Keep a comment on its line."""
    return " ".join(text.split())
