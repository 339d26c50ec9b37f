"""The tables of a terminal: they fit its width, lose no column, and interpret nothing."""

import pytest
from planted_records import make_stacks, make_workload
from terminal_text import leaderboard_text

from bench.report import formats
from bench.report.leaderboard import parts
from bench.statistics.ranking import rank


def test_the_terminal_table_marks_ties_failures_and_variants(boards):
    text = leaderboard_text(boards[0])
    assert "≈ 1" in text
    assert text.count("≈") == sum(row.among_best for row in boards[0].ranked)
    assert "1/6 (0–64 %)" in text
    assert "variant †" in text
    assert "[bold]" not in text


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_terminal_tables_fit_and_every_piece_has_the_names(record, toy, width):
    names = ["nsgan", *(f"a-method-with-a-rather-long-name-{number}(gamma=10)" for number in range(3))]
    places = {place.name: place for place in [*(make_workload(f"set-{number}") for number in range(9)), toy]}
    records = [record(place, name, seed) for place in places.values() for name in names for seed in range(6)]
    (board,) = rank(records, places, resamples=50)
    drawn = formats.to_tables(board, width)
    for piece, _ in drawn:
        assert "method" in [column.heading for column in piece.columns]
    text = leaderboard_text(board, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert text.count(" nsgan ") >= len(drawn)
    assert "…" not in text
    # Nothing is lost on the way: every column of every part stands in exactly one of its pieces.
    for part in parts(board):
        shown = [each.heading for piece, _ in drawn if piece.title == part.title for each in piece.columns]
        whole = [each.heading for each in part.columns]
        assert [each for each in shown if each != "method"] == [each for each in whole if each != "method"]
        assert [piece.notes for piece, _ in drawn if piece.title == part.title][-1] == part.notes


@pytest.mark.parametrize("width", range(24, 100, 4))
def test_no_width_tears_modes_from_how_far_to_believe_them(record, toy, width):
    stacks = make_stacks()
    places = {each.name: each for each in (toy, stacks)}
    boards = rank([record(place, "nsgan", 0) for place in places.values()], places)
    for board in boards:
        for piece, _ in formats.to_tables(board, width):
            headings = [column.heading for column in piece.columns]
            assert ("modes" in headings) is ("KL" in headings) is ("high quality" in headings or "readable" in headings)
            assert ("coverage" in headings) is ("readable" in headings)


def test_markup_in_a_method_name_is_not_interpreted(record, workload):
    boards = rank([record(workload, "[red]x[/red]", 0)], {"digits": workload})
    assert "[red]x[/red]" in leaderboard_text(boards[0])
