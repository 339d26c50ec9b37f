"""What is said below a table: how far to believe it, what it is made of, and what was left out."""

from bench.report import methods
from bench.report.columns import rank_text
from bench.report.flat import flat_row
from bench.report.html import finding
from bench.report.leaderboard import lines, notes, parts, title
from bench.report.methods import MethodEntry
from bench.report.notes import facts
from bench.statistics.ranking import rank


def test_notes_are_honest(boards):
    said = " ".join(notes(boards[0]))
    assert "Provisional: fewer than 10 seeds" in said
    assert f"30 records, digest {boards[0].digest}, protocol 1.0, scoring 1, ranking 2" in said
    assert "FD[digits-cnn-v1, 2,000]" in said
    assert "real data 2.00, untrained 8,000" in said
    assert "listed without score and rank" in said
    assert "never ranked" in said


def test_parts_and_facts_say_all_that_notes_say(boards):
    said = {*facts(boards[0]), *(note for part in parts(boards[0]) for note in part.notes)}
    assert set(notes(boards[0])) <= said
    assert any("after Holm over 3 methods" in note for note in said)


def test_ten_seeds_are_not_called_provisional(planted, workload):
    (board,) = rank(planted(10), {"digits": workload}, resamples=50)
    assert "Provisional" not in " ".join(notes(board))
    assert not title(board).endswith("provisional")
    (board,) = rank(planted(9), {"digits": workload}, resamples=50)
    assert title(board).endswith("provisional")


def test_a_single_seed_is_called_no_ranking(planted, workload):
    (board,) = rank(planted(1), {"digits": workload})
    assert "no ranking yet" in " ".join(notes(board))
    assert rank_text(board.rows[0]) == "–"
    assert lines(board, parts(board)[0])[0][0] == "–"


def test_without_the_reference_the_table_says_so(record, workload):
    (board,) = rank([record(workload, "hinge", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "nsgan has no score here: nothing is tested against it." in parts(board)[0].notes


def test_ratios_to_a_reference_that_has_no_score_are_explained(record, workload):
    seeds = {"nsgan": 2, "hinge": 3, "lsgan": 3}
    records = [record(workload, method, seed) for method, count in seeds.items() for seed in range(count)]
    (board,) = rank(records, {"digits": workload}, resamples=50)
    assert board.reference is None
    assert {row.cost_pairs for row in board.rows} == {2}
    assert "pace, D update: images a second, and seconds of a discriminator update, over nsgan's" in " ".join(
        notes(board)
    )


def test_what_is_left_out_is_said(planted, record, workload):
    records = planted(2)
    records += [record(workload, "mmgan", 7), record(workload, "nsgan", 5, status="error", fingerprint="other")]
    old = record(workload, "nsgan", 0, components={"losses": "0"}, finished_at="2020-01-01T00:00:00+00:00")
    (board,) = rank([*records, old], {"digits": workload}, resamples=50)
    said = " ".join(notes(board))
    for words in (
        "1 further result with",
        "1 record of other",
        "from 2 kinds of machine",
        "1 run that ended in a timeout",
    ):
        assert words in said


def test_with_no_workload_left_the_table_says_so(record, workload):
    made = [record(workload, "nsgan", seed, metrics={"distance_floor": None}) for seed in range(2)]
    (board,) = rank(made, {"digits": workload}, resamples=50)
    assert "No workload is left to score on: nothing is ranked." in facts(board)
    assert finding(board).startswith("No workload has a scale to score on")
    assert "digits" not in " ".join(note for note in facts(board) if note.startswith("Score:"))


def test_an_alias_has_no_row_and_is_named(record, workload, monkeypatch):
    index = (*methods.index(), MethodEntry(name="same-gan", kind="method", summary="", alias_of="nsgan"))
    monkeypatch.setattr(methods, "index", lambda: index)
    (board,) = rank([record(workload, "nsgan", seed) for seed in range(2)], {"digits": workload}, resamples=50)
    assert "same-gan" in flat_row(board, board.rows[0])["aliases"].split()
    assert [fact for fact in facts(board) if "another name" in fact and "same-gan" in fact]
