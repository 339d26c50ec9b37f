"""What a column of the leaderboard is, and a part of the table: columns that are read together."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from bench.statistics.board import LeaderboardRow

Value = str | int | float | bool | None
"""What CSV and JSON can hold."""

VARIANT_MARK: Final = "†"
BEST_MARK: Final = "≈"

VERDICT_ORDER: Final[Mapping[str, float]] = {"better": 0.0, "mixed": 1.0, "not shown": 2.0, "worse": 3.0}
"""How the page sorts a column of verdicts."""


def stable(value: Value) -> Value:
    """Round a number to what is the same on all machines."""
    return float(f"{value:.10g}") if isinstance(value, float) else value


@dataclass(frozen=True, eq=False)
class Column:
    """One column in every format: the terminal, Markdown, LaTeX and HTML write its text, CSV and JSON its fields.

    `bench.report.columns` defines all of them. No format knows a column by its name.
    """

    heading: str
    """Of the tables that people read; within the part of one workload it does not name the workload."""
    fields: Mapping[str, Callable[[LeaderboardRow], Value]]
    """What CSV and JSON hold of it, by name. Names of one workload's columns get `WORKLOAD_` in front. The page sorts
    by the first field."""
    text: Callable[[LeaderboardRow], str] = lambda _: ""
    """What people read of a row."""
    note: str = ""
    """The explanation below the part."""
    reference_texts: tuple[str, str] = ("", "")
    """What real data and the untrained generator reach."""
    workload: str = ""
    """The one workload that it is about, if it is."""
    shown: bool = True
    """Whether people see it in this table; programs read its fields in any case."""
    with_next: bool = False
    """Whether it says nothing without the column after it, so that a line break never separates the two."""
    kind: Literal["number", "verdict", "method", "words"] = "number"
    """For the style sheet of the page."""
    page_heading: str = ""
    """Its heading on the page, where all parts are one table; empty for the workload and the heading."""
    page_note: str = ""
    """What the page says of its heading, where the notes below the table say it elsewhere."""
    state: Callable[[LeaderboardRow], str] = lambda _: ""
    """"failed" or "partial" for a row that needs attention: red in the terminal, a class on the page."""

    @property
    def explanation(self) -> str:
        """What the page says of its heading."""
        return self.page_note or self.note

    def value(self, row: LeaderboardRow) -> float | None:
        """Return the number that the page sorts a row by; None sorts last."""
        value = next(iter(self.fields.values()))(row)
        return VERDICT_ORDER[value] if isinstance(value, str) else value

    def sort_key(self, row: LeaderboardRow) -> str:
        """Return what pages sort a row by: the words of a column of words, else the number; empty sorts last."""
        if self.kind in ("method", "words"):
            return self.text(row)
        value = self.value(row)
        return "" if value is None else repr(stable(value))


@dataclass(frozen=True)
class Part:
    """Columns that are read together, under a title of their own; every part has the method's name first or second."""

    title: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    reference_lines: bool = False
    """Whether lines of real data and of the untrained generator stand above the methods."""
    unseen: tuple[Column, ...] = ()
    """Columns that only programs read."""


def label(row: LeaderboardRow) -> str:
    """Return a method's name, with a mark if it is a variant."""
    return f"{row.method} {VARIANT_MARK}" if row.variant else row.method


METHOD: Final = Column("method", {"method": lambda row: row.method}, label, kind="method")


def data(fields: Mapping[str, Callable[[LeaderboardRow], Value]], workload: str = "") -> Column:
    """Return fields that only programs read."""
    return Column("", fields, workload=workload, shown=False)


def make_part(
    title: str,
    columns: Iterable[Column],
    *,
    first_notes: Iterable[Column | str] = (),
    last_notes: Iterable[str] = (),
    reference_lines: bool = False,
) -> Part:
    """Return the part of these columns; its notes are what explains those that are shown.

    Args:
        title: of the part.
        columns: in their order.
        first_notes: what comes before the other notes: columns of the part whose notes are moved to the front, and
            notes that belong to no column.
        last_notes: further notes that belong to no column.
        reference_lines: as in `Part`.
    """
    columns = tuple(columns)
    shown = tuple(column for column in columns if column.shown)
    first = ([note] if isinstance(note, str) else [note.note] * note.shown for note in first_notes)
    notes = [*chain.from_iterable(first), *(column.note for column in shown), *last_notes]
    return Part(
        title=title,
        columns=shown,
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        reference_lines=reference_lines,
        unseen=tuple(column for column in columns if not column.shown),
    )
