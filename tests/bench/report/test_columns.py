"""A column of the leaderboard is defined in one place, and every format has it."""

import csv
import io
import json
import statistics
from collections import Counter
from pathlib import Path

import pytest
from planted_records import make_stacks
from terminal_text import leaderboard_text

from bench.report import columns, formats, html, page_table, workload_columns
from bench.report.column import Column, make_part
from bench.report.flat import FIELD_ORDER, WORKLOAD_FIELD_ORDER, flat_row
from bench.report.leaderboard import notes, parts
from bench.statistics.ranking import rank


@pytest.fixture
def recall_column(monkeypatch):
    """Add a column of the median recall to every workload, in one place."""
    whole = workload_columns.workload_part

    def with_recall(board, on):
        def recall(row):
            return statistics.median(record.metrics.get("recall", 0.0) for record in row.results[on.name])

        column = Column(
            "recall",
            {"recall": recall},
            lambda row: f"recall of {recall(row):.4f}",
            "recall: the median over seeds.",
            reference_texts=("recall of data", "recall of noise"),
            workload=on.name,
        )
        part = whole(board, on)
        return make_part(on.name, [*part.columns, column, *part.unseen], last_notes=part.notes, reference_lines=True)

    monkeypatch.setattr(columns, "workload_part", with_recall)


@pytest.fixture
def records(record, workload):
    return [
        record(workload, name, seed, metrics={"recall": 0.25 + seed / 8})
        for name in ("nsgan", "hinge")
        for seed in range(3)
    ]


@pytest.mark.slow
def test_a_column_that_is_defined_once_is_in_every_format(recall_column, records, workload):
    boards = rank(records, {"digits": workload}, resamples=50)
    for text in (
        formats.to_markdown(boards, "c"), formats.to_html(boards, "c"), formats.to_latex(boards, "c"),
        leaderboard_text(boards[0]),
    ):  # fmt: skip
        assert text.count("recall of 0.3750") == 2
        for once in ("recall of data", "recall of noise"):
            assert text.count(once) == 1
    for row in csv.DictReader(io.StringIO(formats.to_csv(boards, "c"))):
        assert row["digits_recall"] == "0.375"
    (table,) = json.loads(formats.to_json(boards, "c"))["tables"]
    assert [row["digits_recall"] for row in table["rows"]] == [0.375, 0.375]
    assert "recall: the median over seeds." in table["notes"]
    page = html.render(records, {"digits": workload}, sample_file=Path, command="c", boards=boards, scripted=False)
    heading = '<th class="number" scope="col" data-workload="digits" data-why="recall: the median over seeds.">'
    assert f'{heading}<button type="button">digits recall</button>' in page
    assert page.count('data-value="0.375" data-workload="digits">recall of 0.3750</td>') == 2


@pytest.mark.slow
def test_a_column_that_is_not_shown_is_in_the_formats_of_programs_alone(records, workload):
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert all(row.average_score is None for row in board.rows)
    assert "ema_score" in flat_row(board, board.rows[0])
    assert "EMA" not in formats.to_markdown([board], "c")


@pytest.fixture
def varied(record, workload, toy):
    """A table of all kinds of workloads."""
    places = {place.name: place for place in (workload, toy, make_stacks())}
    made = [record(place, name, seed) for place in places.values() for name in ("nsgan", "hinge") for seed in range(6)]
    (board,) = [found for found in rank(made, places, resamples=50) if len(found.workloads) == 3]
    return board


def test_no_two_columns_share_a_field_or_a_heading_on_the_page(varied):
    fields = Counter((column.workload, name) for column in columns.all_columns(varied) for name in column.fields)
    assert set(fields.values()) == {1}
    headings = Counter(map(page_table.heading, page_table.columns(varied)))
    assert set(headings.values()) == {1}


def test_published_fields_keep_their_order_and_new_ones_follow(recall_column, varied, records, workload):
    names = list(flat_row(varied, varied.rows[0]))
    known = [*FIELD_ORDER, *(f"{on.name}_{name}" for on in varied.workloads for name in WORKLOAD_FIELD_ORDER)]
    new = [f"{on.name}_recall" for on in varied.workloads]
    assert names == [name for name in known if name in names] + new


def test_a_part_shows_its_columns_and_their_notes_alone(varied):
    for part in parts(varied):
        assert all(column.shown for column in part.columns)
        assert not any(column.shown for column in part.unseen)
        assert set(part.notes) <= set(notes(varied))


def test_notes_that_come_first_are_those_of_shown_columns():
    seen = Column("a", {}, note="about a")
    moved = Column("b", {}, note="about b")
    unseen = Column("c", {}, note="about c", shown=False)
    part = make_part("title", [seen, moved, unseen], first_notes=[moved, unseen, "said first"], last_notes=["last"])
    assert part.notes == ("about b", "said first", "about a", "last")


def test_verdicts_are_sorted_from_better_to_worse(varied):
    column = next(column for column in columns.all_columns(varied) if column.heading == "overall")
    by_verdict = {row.verdict: column.value(row) for row in varied.rows}
    assert by_verdict[None] is None
    ordered = ["better", "mixed", "not shown", "worse"]
    column = Column("verdict", {"verdict": lambda row: row})
    assert [column.value(verdict) for verdict in ordered] == sorted(column.value(verdict) for verdict in ordered)
