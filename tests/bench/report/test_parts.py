"""The parts of a leaderboard: which columns stand beside which, and what their cells say."""

import math

import pytest
from planted_records import make_stacks

from bench.report import page_table
from bench.report.flat import flat_row
from bench.report.leaderboard import lines, notes, parts
from bench.statistics.ranking import rank


def test_an_incomplete_cell_shows_how_many_runs_its_median_is_of(planted, workload):
    records = [each for each in planted(3) if not (each.spec.method == "wgan-gp" and each.spec.seed == 1)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    part = parts(board)[1]
    place = [column.heading for column in part.columns].index("FD")
    by_name = {line[0]: line[place] for line in lines(board, part)}
    assert by_name["wgan-gp"].endswith(" (2/3)")
    assert "(" not in by_name["nsgan"]
    assert by_name["real data"] == "2.00"


def test_modes_stand_beside_the_distance_where_they_score_with_how_far_to_believe_them(record, workload, toy):
    stacks = make_stacks()
    places = {each.name: each for each in (workload, toy, stacks)}
    records = [record(place, "nsgan", seed) for place in places.values() for seed in range(2)]
    (board,) = [each for each in rank(records, places, resamples=50) if len(each.workloads) == 3]
    digits, points, images = parts(board)[1:4]
    headings = [[column.heading for column in part.columns] for part in (digits, points, images)]
    assert headings == [
        ["method", "score", "95 %", "> nsgan", "FD", "late"],
        ["method", "score", "95 %", "> nsgan", "modes", "KL", "high quality", "sliced W2", "late"],
        ["method", "score", "95 %", "> nsgan", "modes", "KL", "readable", "coverage", "FD", "late"],
    ]
    assert [line[4:7] for line in lines(board, points)] == [["8", "0.00", "99 %"], ["–"] * 3, ["8", "0.05", "80 %"]]
    assert [line[4:8] for line in lines(board, images)] == [
        ["1,000", "0.00", "98 %", "90 %"],
        ["–"] * 4,
        ["1,000", "0.05", "88 %", "60 %"],
    ]
    for part in (points, images):
        assert sum("Modes say nothing without it" in note for note in part.notes) == 1
        assert sum("the distance is no part of the score" in note for note in part.notes) == 1


def test_no_table_shows_modes_without_how_far_to_believe_them(record, workload, toy):
    stacks = make_stacks()
    places = {each.name: each for each in (workload, toy, stacks)}
    boards = rank([record(place, "nsgan", seed) for place in places.values() for seed in range(2)], places)
    shares = {"ring8": "high_quality", "digits": "readable", "stacked-digits": "readable"}
    for board in boards:
        on_page = [*map(page_table.heading, page_table.columns(board))]
        for column in board.workloads:
            (part,) = [each for each in parts(board) if each.title == column.name]
            in_part = [each.heading for each in part.columns]
            flat = flat_row(board, board.rows[0])
            assert flat[f"{column.name}_{shares[column.name]}"] is not None
            words = shares[column.name].replace("_", " ")
            shown = "modes" in in_part
            assert shown is (f"{column.name} modes" in on_page) is (column.scored_by == "modes")
            assert (words in in_part) is (f"{column.name} {words}" in on_page) is shown
            assert ("KL" in in_part) is (f"{column.name} KL" in on_page) is shown


def test_failed_runs_have_no_quality(record, toy):
    records = [record(toy, "nsgan", seed, metrics={"high_quality": 0.9}) for seed in range(2)]
    lost = {"high_quality": None, "modes": None, "kl_uniform": None}
    records += [record(toy, "nsgan", seed, distance=None, status="nonfinite", metrics=lost) for seed in (2, 3, 4)]
    (board,) = rank(records, {"ring8": toy}, resamples=50)
    assert (board.rows[0].modes["ring8"], board.rows[0].qualities["ring8"]) == (0.0, 0.0)


def averaged(record, workload, method, averages):
    return [
        record(
            workload, method, seed, distance=100.0, protocol_version="1.1",
            metrics={} if average is None else {"ema_distance": average},
        )
        for seed, average in enumerate(averages)
    ]  # fmt: skip


def test_the_score_of_the_averages_is_a_column_of_its_own_and_ranks_nobody(record, workload):
    records = [
        *averaged(record, workload, "nsgan", [50.0, 50.0, 50.0]),
        *averaged(record, workload, "hinge", [4.0, 4.0, 4.0]),
        *averaged(record, workload, "lsgan", [50.0, None, 50.0]),
    ]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    rows = {row.method: row for row in board.rows}
    expected = {"nsgan": math.log(8000 / 50) / math.log(4000), "hinge": math.log(2000) / math.log(4000)}
    assert {name: rows[name].average_score for name in expected} == pytest.approx(expected)
    assert rows["lsgan"].average_score is None
    assert len({row.score for row in board.rows}) == 1
    assert (rows["hinge"].average_distances["digits"], rows["lsgan"].average_distances["digits"]) == (4.0, None)
    part = parts(board)[0]
    place = [column.heading for column in part.columns].index("EMA score")
    written = {line[1]: line[place] for line in lines(board, part)}
    assert written == {"nsgan": "0.612", "hinge": "0.916", "lsgan": "–"}
    assert any("rank and p are the raw generator's" in note for note in part.notes)
    assert "EMA score" in [*map(page_table.heading, page_table.columns(board))]
    flat = {row.method: flat_row(board, row) for row in board.rows}
    assert flat["hinge"]["ema_score"] == pytest.approx(expected["hinge"], rel=1e-9)
    assert (flat["hinge"]["digits_ema_distance"], flat["lsgan"]["ema_score"]) == (4.0, None)


def test_without_averages_there_is_no_such_column(boards):
    headings = [column.heading for column in page_table.columns(boards[0])]
    assert "EMA score" not in headings
    assert not [note for note in notes(boards[0]) if "EMA" in note]
