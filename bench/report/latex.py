"""The leaderboard as LaTeX tables in the manner of the booktabs package, in pieces that fit a page."""

import re
from collections.abc import Sequence
from typing import Final

from bench.report.column import METHOD, Part
from bench.report.leaderboard import lines, parts, title
from bench.report.notes import facts
from bench.report.pieces import name_width, pieces
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

_PAGE: Final = 74
"""So many characters of `footnotesize`, with the space between columns, fit the 345 points of an `article`'s line."""

_MOST_ROWS: Final = 40
"""A table of more rows is taller than a page and becomes a `longtable`."""

_NAME_EM: Final = 0.55
"""The width of a letter, in em."""

_HEAD: Final = (
    r"% Needs \usepackage[T1]{fontenc} and \usepackage{array,booktabs,longtable}, in one column of 345 points or more.",
)


def escape(text: str) -> str:
    """Return text that LaTeX typesets as it stands; white space becomes single blanks."""
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], " ".join(text.split()))


def to_latex(boards: Sequence[Leaderboard], command: str) -> str:
    """Write every part of every table; the first line names the packages that it needs.

    A part that is too wide comes in pieces, each with the methods' names; long ones go on over pages.
    """
    head = [*_HEAD, f"% Regenerate with: {_comment(command)}"]
    return "\n".join([*head, *(line for board in boards for line in _board(board))]) + "\n"


def _board(board: Leaderboard) -> list[str]:
    written = ["", f"% {_comment(title(board))}"]
    for index, part in enumerate(parts(board)):
        for piece in pieces(board, part, _PAGE):
            written += _piece(board, piece)
        notes = [*part.notes, *facts(board)] if index == 0 else part.notes
        if notes:
            # Not inside the table, which would grow taller than its page.
            written += [r"{\footnotesize\raggedright", *(rf"  {escape(note)}\par" for note in notes), "}"]
    return written


def _piece(board: Leaderboard, part: Part) -> list[str]:
    name = rf">{{\raggedright\arraybackslash}}p{{{_NAME_EM * name_width(board, _PAGE):.1f}em}}"
    alignment = "".join(name if column is METHOD else "r" for column in part.columns)
    above = 2 if part.reference_lines else 0
    rows = [_row(part, line) for line in lines(board, part)]
    heading = [r"    \toprule", _row(part, [column.heading for column in part.columns]), r"    \midrule"]
    body = [*rows[:above], *([r"    \midrule"] if above else []), *rows[above:]]
    caption = rf"\caption{{{escape(f'{part.title}: {title(board)}')}}}"
    # Both settings end with their group or environment.
    if len(rows) > _MOST_ROWS:
        return [
            r"{\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"  \begin{{longtable}}{{{alignment}}}",
            rf"    {caption}\\",
            *heading,
            r"    \endfirsthead",
            *heading,
            r"    \endhead",
            r"    \bottomrule",
            r"    \endfoot",
            *body,
            r"  \end{longtable}",
            "}",
        ]
    return [
        r"\begin{table}[htbp]",
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}",
        f"  {caption}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        *heading,
        *body,
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


def _row(part: Part, cells: Sequence[str]) -> str:
    written = [
        _breakable(cell) if column is METHOD else escape(cell) for column, cell in zip(part.columns, cells, strict=True)
    ]
    return f"    {' & '.join(written)} \\\\"


def _breakable(name: str) -> str:
    """Let the line of a long name end after a bracket, a comma, an equals sign or an underscore."""
    return re.sub(r"(\(|,|=|\\_)(?=[^ ])", r"\1\\allowbreak{}", escape(name))


def _comment(text: str) -> str:
    """Keep a comment on its line."""
    return " ".join(text.split())
